"""From a utility table to contributor values with uncertainty, in numpy and scipy alone.

:func:`estimate` is the way in. An estimator is one module that is registered under its name; what
an estimator sees is in :mod:`observations`, what it gives in :mod:`readout`, how intervals come
about in :mod:`uncertainty`. Whether anybody may be paid by the values says :func:`assess`.

Beside it: :func:`two_level` with the help of a cheaper game, :func:`owen` over groups of
contributors, :func:`interactions` between pairs, and rules to stop by in :mod:`stopping`.
"""

from credit_plugin.values.estimation import estimate
from credit_plugin.values.halves import SplitHalf, split_half
from credit_plugin.values.hierarchy import OwenValues, if_merged, if_split, owen
from credit_plugin.values.interactions import Interactions, interactions
from credit_plugin.values.ranks import probability_above, rank_intervals, settled_ranks
from credit_plugin.values.registry import estimator_names, register_estimator
from credit_plugin.values.reliability import Limits, Reliability, assess, misallocation
from credit_plugin.values.result import ContributorValues
from credit_plugin.values.two_level import two_level
from credit_plugin.values.two_level_halves import assess_two_level

__all__ = [
    "ContributorValues",
    "Interactions",
    "Limits",
    "OwenValues",
    "Reliability",
    "SplitHalf",
    "assess",
    "assess_two_level",
    "estimate",
    "estimator_names",
    "if_merged",
    "if_split",
    "interactions",
    "misallocation",
    "owen",
    "probability_above",
    "rank_intervals",
    "register_estimator",
    "settled_ranks",
    "split_half",
    "two_level",
]
