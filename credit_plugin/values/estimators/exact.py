"""Estimator ``exact``: Shapley values by their definition, when every coalition was evaluated.

What: phi_i = sum over S without i of |S|! (n - |S| - 1)! / n! (v(S + i) - v(S)).

Nothing is left to chance, so the only uncertainty is seed noise. For at most 16 contributors
(65,536 coalitions).
"""

from math import comb

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.game.coalitions import to_bits
from credit_plugin.values.observations import Observations
from credit_plugin.values.readout import Readout, distribute_gap
from credit_plugin.values.registry import register_estimator

MAX_PLAYERS = 16


@register_estimator("exact")
def exact(observed: Observations) -> Readout:
    """Prepare the enumeration.

    Raises:
        InputError: If there are more than 16 contributors or a coalition is missing.
    """
    n = observed.n_players
    if n > MAX_PLAYERS:
        raise InputError(
            f"values.estimator: exact is for at most {MAX_PLAYERS} contributors, not {n}; use "
            "regression_adjusted"
        )
    row_of_code = _rows_by_code(observed)

    def solve(utilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
        gaps = utilities[observed.full] - utilities[observed.empty]
        return distribute_gap(enumerate_values(utilities[row_of_code]), gaps)

    return Readout(solve, np.empty(0, dtype=np.int64), {"efficiency_gap_before": 0.0})


def enumerate_values(utilities: np.ndarray) -> np.ndarray:
    """Return exact Shapley values from the utilities of all coalitions.

    Args:
        utilities: float64 [2**n, k]; row c is the coalition of the players whose bit is set in c,
            player i having bit i.

    Returns:
        float64 [n, k].
    """
    n = len(utilities).bit_length() - 1
    codes = np.arange(2**n)
    sizes = (codes[:, None] >> np.arange(n) & 1).sum(axis=1)
    chance = np.array([1 / (n * comb(n - 1, size)) for size in range(n)])
    values = np.empty((n, utilities.shape[1]))
    for player in range(n):
        without = codes[(codes >> player & 1) == 0]
        gains = utilities[without | 1 << player] - utilities[without]
        values[player] = chance[sizes[without]] @ gains
    return values


def _rows_by_code(observed: Observations) -> np.ndarray:
    """Return the row of each coalition code, int64 [2**n]."""
    n = observed.n_players
    row_of_code = np.full(2**n, -1)
    row_of_code[observed.coalitions @ (1 << np.arange(n))] = np.arange(len(observed.coalitions))
    missing = np.flatnonzero(row_of_code < 0)
    if len(missing):
        bits = to_bits(missing[0] >> np.arange(n) & 1)
        raise InputError(
            f"table: exact needs all {2**n} coalitions and {len(missing)} are missing, for "
            f"instance {bits}; use regression_adjusted"
        )
    return row_of_code
