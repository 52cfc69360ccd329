"""Method ``finetuning_shapley``: Shapley values with fine-tuning of the model without pruning.

What: coalitions are fine-tuned from the full model instead of the pruned one; the values are
estimated from ``fidelity.shapley_budget`` coalitions of the study's design (0: four for each
contributor, at most ``game.budget``) by the default estimator of :mod:`credit_plugin.values`. At
least n + 2 coalitions, at most 2^n or what the design has. In the unit of the headline property;
biased as far as the full model remembers those who are not in a coalition.

When: to see what pruning gains or loses, at several times the price of a coalition.

Source: the ablation of Lu, Lin, Kim and Lee, "An efficient framework for crediting data
contributors of diffusion models" (ICLR 2025). Departure: the study's design and estimator in place
of theirs.
"""

from credit_plugin.fidelity.attribution import register_attribution
from credit_plugin.fidelity.game_methods import OtherShapley


@register_attribution("finetuning_shapley")
class FinetuningShapley(OtherShapley):
    """Shapley values by fine-tuning without pruning."""

    title = "Shapley value (fine-tuning)"
    utility = "finetuning"
