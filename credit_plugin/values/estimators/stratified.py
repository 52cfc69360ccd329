"""Estimator ``stratified``: mean marginal contributions by size.

What: phi_i = 1/n sum over sizes s of mean{v(S + i) - v(S): |S| = s} over all steps S -> S + i of
which both coalitions were evaluated, wherever they came from. Sizes at which a contributor has no
step are left to the sizes where it has: the mean is over the latter. The rest up to
v(full) - v(empty) is shared evenly. Exact when all coalitions are evaluated.

When: the table holds many coalitions that differ by one contributor (designs ``permutation``,
``leave_one_out``, ``add_one_in``, enumerated borders). Other tables waste most of their rows here.

A bootstrap weight of a step is the product of those of its two coalitions.

Source: Castro, Gomez, Molina and Tejada, "Improving polynomial estimation of the Shapley value by
stratified random sampling with optimum allocation" (2017). Departure: steps are found in the table
instead of being drawn.
"""

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.values.observations import Observations
from credit_plugin.values.readout import Readout, distribute_gap
from credit_plugin.values.registry import register_estimator
from credit_plugin.values.steps import find_steps
from credit_plugin.values.units import pair_units


@register_estimator("stratified")
def stratified(observed: Observations) -> Readout:
    """Prepare the means of marginal contributions.

    Raises:
        InputError: If some contributor is in no step.
    """
    n, (source, target, player) = observed.n_players, find_steps(observed.coalitions)
    missing = np.flatnonzero(np.bincount(player, minlength=n) == 0)
    if len(missing):
        raise InputError(
            "values.estimator: stratified needs for every contributor two coalitions that differ "
            f"by it alone, and contributor {missing[0] + 1} has none; use regression_adjusted"
        )
    units = pair_units(observed)
    stratum = player * n + observed.sizes[source]

    def before(utilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
        steps = weights[source] * weights[target]
        counts = np.bincount(stratum, steps, minlength=n * n)
        gains = (utilities[target] - utilities[source]) * steps[:, None]
        sums = np.array([np.bincount(stratum, g, minlength=n * n) for g in gains.T])
        means = sums / np.where(counts > 0, counts, 1.0)
        seen = np.maximum((counts > 0).reshape(n, n).sum(axis=1), 1)
        return np.asarray(means.reshape(-1, n, n).sum(axis=2).T / seen[:, None])

    def solve(utilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
        gaps = utilities[observed.full] - utilities[observed.empty]
        return distribute_gap(before(utilities, units.row_weights(weights) * observed.trust), gaps)

    raw = before(observed.utilities[:, None], observed.trust).sum()
    facts = {
        "efficiency_gap_before": observed.gap(observed.utilities) - float(raw),
        "steps": len(source),
    }
    return Readout(solve, units.strata, facts, single_draw=units.single_draw)
