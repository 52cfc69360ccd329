"""Method ``retraining_shapley``: Shapley values of the game in which coalitions are retrained.

What: the values that the study's cheap utility stands for, estimated from
``fidelity.shapley_budget`` coalitions of the study's design (0: four for each contributor, at most
``game.budget``), each trained from scratch, by the default estimator of
:mod:`credit_plugin.values`. At least n + 2 coalitions, at most 2^n or what the design has. In the
unit of the headline property; without bias in the limit, and at the usual budget far from exact.

When: to see what the study's values would be if every coalition were retrained, at many times the
price of each.

Source: Ghorbani and Zou, "Data Shapley: equitable valuation of data for machine learning" (ICML
2019), and the retraining row of Lu, Lin, Kim and Lee (ICLR 2025). Departure: the study's design and
estimator in place of theirs.
"""

from credit_plugin.fidelity.attribution import register_attribution
from credit_plugin.fidelity.game_methods import OtherShapley
from credit_plugin.retrainings import UTILITY


@register_attribution("retraining_shapley")
class RetrainingShapley(OtherShapley):
    """Shapley values by retraining."""

    title = "Shapley value (retraining)"
    utility = UTILITY
