"""Estimator ``svarm``: stratified means without marginal contributions.

What: phi_i = 1/n sum over sizes z of mean{v(S) - v(empty): |S| = z, i in S} - mean{..., i not in S}
over the evaluated coalitions, every one of which counts for all players at once. A mean over no
coalition counts as 0. The rest up to v(full) - v(empty) is shared evenly. Exact when all coalitions
are evaluated.

When: to compare; ``regression_adjusted`` is this with the additive part taken out first, which
leaves a fraction of the variance.

Source: Kolpaczki, Bengs, Muschalik and Huellermeier, "Approximating the Shapley value without
marginal contributions" (AAAI 2024), the stratified variant. Departures: it reads a given table
instead of drawing its own coalitions, and efficiency is enforced.
"""

import numpy as np

from credit_plugin.values.observations import Observations
from credit_plugin.values.readout import Readout, distribute_gap
from credit_plugin.values.registry import register_estimator
from credit_plugin.values.strata import SizeStrata
from credit_plugin.values.units import pair_units


@register_estimator("svarm")
def svarm(observed: Observations) -> Readout:
    """Prepare the stratified means.

    Raises:
        InputError: If only the empty and the full coalition are evaluated.
    """
    observed.need_interior()
    strata, units = SizeStrata(observed), pair_units(observed)
    chances = np.full(observed.n_players, 1 / observed.n_players)

    def before(utilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
        gains = (utilities - utilities[observed.empty])[strata.order]
        return np.asarray(strata.contrast(weights * observed.trust, chances).T @ gains)

    def solve(utilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
        gaps = utilities[observed.full] - utilities[observed.empty]
        return distribute_gap(before(utilities, units.row_weights(weights)), gaps)

    y = observed.utilities[:, None]
    raw = float(before(y, np.ones(len(y))).sum())
    facts = {"efficiency_gap_before": observed.gap(observed.utilities) - raw}
    return Readout(solve, units.strata, facts, single_draw=units.single_draw)
