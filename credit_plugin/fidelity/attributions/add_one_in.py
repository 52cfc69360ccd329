"""Method ``add_one_in``: what a contributor gives alone, by the study's own utility.

What: v({i}) - v(empty) from n + 2 coalitions, in the unit of the headline property. The scores are
those of the estimator of the same name (:mod:`credit_plugin.values.estimators.add_one_in`).

When: as the counterpart of ``leave_one_out`` at the same price. What contributors have in common is
credited to each of them in full, and what they only give together to none.

Source: Lu, Lin, Kim and Lee (ICLR 2025), as a baseline. Departure: by the study's utility, by
default sparsified fine-tuning; ``add_one_in_retraining`` is the costly one.
"""

from credit_plugin.fidelity.attribution import register_attribution
from credit_plugin.fidelity.game_methods import SingleContributors


@register_attribution("add_one_in")
class AddOneIn(SingleContributors):
    """v({i}) - v(empty)."""

    title = "Add-one-in"
    estimator = "add_one_in"
