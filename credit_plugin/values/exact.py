"""Estimator ``exact``: Shapley values of a table that holds every coalition (n <= 16)."""

from math import factorial

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.values.registry import register_estimator
from credit_plugin.values.sample import Sample, spread_gap

MOST_PLAYERS = 16


@register_estimator("exact")
def exact(sample: Sample) -> np.ndarray:
    """Return the Shapley values [n].

    Raises:
        InputError: If a coalition is missing or there are more than 16 contributors.
    """
    n = sample.n_players
    if n > MOST_PLAYERS or len(sample.utilities) < 2**n:
        raise InputError(
            f"estimator exact needs all coalitions of at most {MOST_PLAYERS} contributors, the "
            f"table has {len(sample.utilities)} of {2.0**n:.0f}; use regression_adjusted"
        )
    codes = sample.coalitions @ (1 << np.arange(n))
    utilities = np.empty(2**n)
    utilities[codes] = sample.utilities
    everything = np.arange(2**n)
    sizes = np.bitwise_count(everything.astype(np.uint64)).astype(int)
    kernel = np.array([factorial(s) * factorial(n - s - 1) / factorial(n) for s in range(n)])
    values = np.empty(n)
    for player in range(n):
        without = everything[(everything >> player) % 2 == 0]
        gains = utilities[without | (1 << player)] - utilities[without]
        values[player] = kernel[sizes[without]] @ gains
    return spread_gap(values, sample)
