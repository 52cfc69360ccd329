"""Constrained least squares: the form of the Shapley value behind all KernelSHAP estimators.

The Shapley value solves

    min over phi  sum_S k(S) (v(S) - v(empty) - x_S phi)^2   subject to  1'phi = v(full) - v(empty)

over all coalitions other than the empty and the full one, with k(S) ~ 1 / (C(n, s) s (n - s))
(Charnes et al. 1988). With A = sum w x x' and b = sum w x (v - v(empty)) over evaluated
coalitions, whose weights w stand for k,

    phi = A+ (b - 1 (1'A+ b - gap) / (1'A+ 1)).

The estimators differ in the weights, and in whether A is estimated or known.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from credit_plugin.game.designs.shapley_iid import kernel_of_sizes
from credit_plugin.values.observations import Observations
from credit_plugin.values.readout import Readout, distribute_gap
from credit_plugin.values.units import pair_units

# eigenvalues below this share of the largest one are rounding, not information
_RELATIVE_ZERO = 1e-11


def constrained(
    members: np.ndarray, gains: np.ndarray, weights: np.ndarray, gaps: np.ndarray
) -> np.ndarray:
    """Solve the constrained least squares.

    Args:
        members: float64 [r, n], memberships.
        gains: float64 [r, k], utilities over v(empty).
        weights: float64 [r].
        gaps: float64 [k], v(full) - v(empty).

    Returns:
        float64 [n, k].
    """
    weighted = members.T * (weights / weights.sum())
    inverse = np.linalg.pinv(weighted @ members, rcond=_RELATIVE_ZERO, hermitian=True)
    free = inverse @ (weighted @ gains)
    ones = inverse.sum(axis=1)
    return np.asarray(free - np.outer(ones, (free.sum(axis=0) - gaps) / ones.sum()))


def least_squares_readout(
    observed: Observations, weights: np.ndarray, facts: dict[str, Any]
) -> Readout:
    """Prepare the constrained least squares with given weights.

    Args:
        observed: The observations.
        weights: float64 [r], of the interior coalitions.
        facts: For the diagnostics.
    """
    rows = observed.interior
    members = observed.coalitions[rows].astype(np.float64)

    def solution(gains: np.ndarray, redrawn: np.ndarray, gaps: np.ndarray) -> np.ndarray:
        return constrained(members, gains, weights * redrawn, gaps)

    return gains_readout(observed, solution, facts)


def gains_readout(
    observed: Observations,
    solution: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    facts: dict[str, Any],
) -> Readout:
    """Prepare a read-out that works on the interior coalitions' gains over v(empty).

    Args:
        observed: The observations.
        solution: (gains [r, k], redrawn weights [r], gaps [k]) -> values [n, k].
        facts: For the diagnostics.
    """
    rows, units = observed.interior, pair_units(observed)

    def solve(utilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
        gaps = utilities[observed.full] - utilities[observed.empty]
        gains = utilities[rows] - utilities[observed.empty]
        values = solution(gains, units.row_weights(weights)[rows], gaps)
        return distribute_gap(values, gaps)

    y = observed.utilities[:, None]
    raw = solution(y[rows] - y[observed.empty], np.ones(len(rows)), _gap(observed))
    facts = {"efficiency_gap_before": float((_gap(observed) - raw.sum(axis=0))[0]), **facts}
    return Readout(solve, units.strata, facts, single_draw=units.single_draw)


def kernel_weights(observed: Observations) -> np.ndarray:
    """Return weights [r] with which the interior coalitions stand for the Shapley kernel.

    Every size gets the kernel's chance of it, shared by the coalitions of that size which were
    evaluated (post-stratification). With all coalitions evaluated these are the kernel's weights.
    """
    sizes = observed.sizes[observed.interior]
    trust = observed.trust[observed.interior]
    held = np.bincount(sizes, trust, minlength=observed.n_players)
    kernel = np.append(0.0, kernel_of_sizes(observed.n_players))
    return np.asarray(trust * kernel[sizes] / held[sizes])


def kernel_mismatch(observed: Observations) -> float:
    """Return how far the sizes in a table are from the kernel's: total variation, 0 to 1."""
    sizes = observed.sizes[observed.interior]
    counts = np.bincount(sizes, observed.weights[observed.interior], minlength=observed.n_players)
    found = counts[1 : observed.n_players] / counts.sum()
    return float(np.abs(found - kernel_of_sizes(observed.n_players)).sum() / 2)


def _gap(observed: Observations) -> np.ndarray:
    return np.array([observed.gap(observed.utilities)])
