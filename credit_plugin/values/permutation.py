"""Estimator ``permutation``: mean marginal contribution along chains of evaluated coalitions.

A chain goes from the empty to the full coalition by adding one contributor at a time; it is what a
permutation of the contributors evaluates (Castro, Gomez and Tejada 2009). All complete chains that
the table holds count equally: with paths(S) the number of chains from the empty coalition to S and
paths'(S) that from S to the full one, the step from S to S + i has the weight
paths(S) paths'(S + i) / paths(N). For chains without common steps this is the plain average over
permutations (pair each with its reverse to make it antithetic); on a table with all coalitions it
is the exact Shapley value.
"""

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.values.registry import register_estimator
from credit_plugin.values.sample import Sample, spread_gap


@register_estimator("permutation")
def permutation(sample: Sample) -> np.ndarray:
    """Return values [n] that sum to v(N) - v(empty).

    Raises:
        InputError: If no complete chain has been evaluated.
    """
    steps = _steps(sample.coalitions)
    forward = _count_paths(sample, steps)
    if forward[1] == 0:
        raise InputError(
            "estimator permutation needs a chain of evaluated coalitions from the empty to the "
            "full one that adds one contributor at a time, and the table has none; use "
            "regression_adjusted"
        )
    backward = _count_paths(sample, [(b, a, i) for a, b, i in reversed(steps)], start=1)
    values = np.zeros(sample.n_players)
    for lower, upper, player in steps:
        share = forward[lower] * backward[upper] / forward[1]
        values[player] += share * (sample.utilities[upper] - sample.utilities[lower])
    return spread_gap(values, sample)


def _steps(coalitions: np.ndarray) -> list[tuple[int, int, int]]:
    """Return (row of S, row of S + i, i) for all evaluated pairs, smaller sizes first."""
    rows = {mask.tobytes(): row for row, mask in enumerate(coalitions)}
    steps = []
    for row in np.argsort(coalitions.sum(1), kind="stable"):
        for player in np.flatnonzero(~coalitions[row]):
            larger = coalitions[row].copy()
            larger[player] = True
            upper = rows.get(larger.tobytes())
            if upper is not None:
                steps.append((int(row), upper, int(player)))
    return steps


def _count_paths(sample: Sample, steps: list[tuple[int, int, int]], start: int = 0) -> list[float]:
    counts = [0.0] * len(sample.utilities)
    counts[start] = 1.0
    for source, target, _ in steps:
        counts[target] += counts[source]
    return counts
