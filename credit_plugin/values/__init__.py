"""From a utility table to contributor values with uncertainty, in numpy and scipy alone.

:func:`estimate` is the way in. An estimator is one module that is registered under its name; what
an estimator sees is in :mod:`observations`, what it gives in :mod:`readout`, how intervals come
about in :mod:`uncertainty`. Whether anybody may be paid by the values says :func:`assess`.
"""

from credit_plugin.values.estimation import estimate
from credit_plugin.values.halves import SplitHalf, split_half
from credit_plugin.values.ranks import probability_above, rank_intervals, settled_ranks
from credit_plugin.values.registry import estimator_names, register_estimator
from credit_plugin.values.reliability import Reliability, assess, misallocation
from credit_plugin.values.result import ContributorValues

__all__ = [
    "ContributorValues",
    "Reliability",
    "SplitHalf",
    "assess",
    "estimate",
    "estimator_names",
    "misallocation",
    "probability_above",
    "rank_intervals",
    "register_estimator",
    "settled_ranks",
    "split_half",
]
