"""Method ``leave_one_out``: what is lost when a contributor leaves, by the study's own utility.

What: v(N) - v(N without i) from n + 2 coalitions, in the unit of the headline property. The scores
are those of the estimator of the same name (:mod:`credit_plugin.values.estimators.leave_one_out`).

When: as the usual alternative to Shapley values at the price of n evaluations. Contributors who
cover the same get nothing, and a difference of two nearly equal utilities drowns in seed noise.

Source: Lu, Lin, Kim and Lee (ICLR 2025), as a baseline. Departure: by the study's utility, by
default sparsified fine-tuning; ``leave_one_out_retraining`` is theirs.
"""

from credit_plugin.fidelity.attribution import register_attribution
from credit_plugin.fidelity.game_methods import SingleContributors


@register_attribution("leave_one_out")
class LeaveOneOut(SingleContributors):
    """v(N) - v(N without i)."""

    title = "Leave-one-out"
    estimator = "leave_one_out"
