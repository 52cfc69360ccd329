"""Method ``leave_one_out_retraining``: what is lost when a contributor leaves, by retraining.

What: v(N) - v(N without i) from n + 2 models that are trained from scratch, in the unit of the
headline property. Without bias for the question that it answers; with one retraining of each, the
seed noise of a difference is sqrt(2) times that of a retraining.

When: as the costly alternative that is taken for the truth most often. What contributors have in
common is credited to none of them.

Source: Lu, Lin, Kim and Lee (ICLR 2025), as a baseline. Departures: none.
"""

from credit_plugin.fidelity.attribution import register_attribution
from credit_plugin.fidelity.game_methods import SingleContributors
from credit_plugin.retrainings import UTILITY


@register_attribution("leave_one_out_retraining")
class LeaveOneOutRetraining(SingleContributors):
    """v(N) - v(N without i) by retraining."""

    title = "Leave-one-out (retraining)"
    estimator = "leave_one_out"
    utility = UTILITY
