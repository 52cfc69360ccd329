"""Method ``add_one_in_retraining``: what a contributor gives alone, by retraining.

What: v({i}) - v(empty) from n + 2 models, those of one contributor trained from scratch, in the
unit of the headline property. v(empty) is the untrained network or the study's baseline; it is the
same for all and changes no order.

When: as the counterpart of ``leave_one_out_retraining`` at the same price. What contributors have
in common is credited to each of them in full.

Source: Lu, Lin, Kim and Lee (ICLR 2025), as a baseline. Departures: none.
"""

from credit_plugin.fidelity.attribution import register_attribution
from credit_plugin.fidelity.game_methods import SingleContributors
from credit_plugin.retrainings import UTILITY


@register_attribution("add_one_in_retraining")
class AddOneInRetraining(SingleContributors):
    """v({i}) - v(empty) by retraining."""

    title = "Add-one-in (retraining)"
    estimator = "add_one_in"
    utility = UTILITY
