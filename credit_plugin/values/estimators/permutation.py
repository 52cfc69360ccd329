"""Estimator ``permutation``: mean marginal contribution over the complete chains in the table.

What: for an order in which contributors arrive, i gets v(those before and i) - v(those before).
The estimate is the mean over all complete chains (empty, one, two, ..., full) that the table's
coalitions contain, each of them equally often (see :mod:`chains`). When all coalitions were
evaluated this is the Shapley value itself; when the table holds k drawn permutations, it is their
mean and that of the orders which cross between them. Antithetic chains (an order and its reverse)
are both in a table that is closed under complements.

The bootstrap redraws chains, an order together with its reverse if that is there too, out of at
most 200 of them; their number is scaled to what the table's coalitions are enough for, because
chains that share coalitions do not carry independent information.

Source: Castro, Gomez and Tejada, "Polynomial calculation of the Shapley value based on sampling"
(2009); antithetic orders: Mitchell et al., "Sampling permutations for Shapley value estimation"
(JMLR 2022). Departure: chains are found in the table instead of being asked for, which allows any
table and uses crossings. It needs many more evaluations than ``regression_adjusted``.
"""

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.game.coalitions import complements
from credit_plugin.seeding import numpy_generator
from credit_plugin.values.chains import Chains, find_chains
from credit_plugin.values.observations import Observations
from credit_plugin.values.readout import Readout, distribute_gap
from credit_plugin.values.registry import register_estimator

DRAWN_CHAINS = 200


@register_estimator("permutation")
def permutation(observed: Observations) -> Readout:
    """Prepare the mean over chains.

    Raises:
        InputError: If the table contains no complete chain.
    """
    chains = find_chains(observed.coalitions, observed.empty, observed.full)
    if chains is None:
        raise InputError(
            "values.estimator: permutation needs a chain of coalitions from the empty to the full "
            "one, each with one contributor more, and the table has none; use regression_adjusted"
        )
    units = _Units(observed, chains)

    def solve(utilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
        gaps = utilities[observed.full] - utilities[observed.empty]
        values = _mean_gains(chains, utilities)
        if len(weights) and np.ptp(weights) > 0:
            values = values + units.deviation(utilities, weights)
        return distribute_gap(values, gaps)

    return Readout(
        solve=solve,
        strata=np.zeros(units.count, dtype=np.int64),
        diagnostics={"efficiency_gap_before": 0.0, "independent_chains": units.independent},
        single_draw=units.single_draw,
    )


def _mean_gains(chains: Chains, utilities: np.ndarray) -> np.ndarray:
    """Return the mean gain of each player over all chains, [n, k]."""
    order = np.argsort(chains.player, kind="stable")
    gains = utilities[chains.target[order]] - utilities[chains.source[order]]
    starts = np.searchsorted(chains.player[order], np.arange(chains.n_players))
    return np.asarray(np.add.reduceat(gains * chains.chance[order, None], starts))


class _Units:
    """Drawn chains, with their reverse where the table has it, for the bootstrap."""

    def __init__(self, observed: Observations, chains: Chains) -> None:
        self.observed = observed
        orders = _drawn_orders(observed, chains)
        self.orders = np.array(orders)  # [units, 1 or 2, n + 1] rows
        on_chains = np.setdiff1d(chains.source, [observed.empty])
        within = sum(len(np.unique(unit)) - 2 for unit in orders) / len(orders)
        self.independent = float(len(on_chains) / max(within, 1))
        everything = len(observed.utilities) == 2.0**observed.n_players
        self.single_draw = not everything and len(orders) == 1
        self.count = 0 if everything or self.single_draw else len(orders)

    def deviation(self, utilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return what redrawing the chains changes, [n, 1], for utilities [d, 1]."""
        coalitions = self.observed.coalitions
        gains = np.zeros((len(self.orders), coalitions.shape[1]))
        here = np.arange(len(self.orders))[:, None]
        for rows in np.moveaxis(self.orders, 1, 0):
            before, after = rows[:, :-1], rows[:, 1:]
            player = (coalitions[after] ^ coalitions[before]).argmax(axis=2)
            np.add.at(gains, (here, player), (utilities[after] - utilities[before])[..., 0])
        gains /= self.orders.shape[1]
        scale = (len(self.orders) / self.independent) ** 0.5
        shares = weights / weights.sum() - 1 / len(weights)
        return scale * (shares @ gains)[:, None]


def _drawn_orders(observed: Observations, chains: Chains) -> list[np.ndarray]:
    """Return distinct chains as rows [1 or 2, n + 1], two if every chain's reverse is there too.

    The draws are part of the estimator, not of the resampling: their seed is fixed.
    """
    generator = numpy_generator(0, "", "chains")
    partner = complements(observed.coalitions)
    antithetic = bool((partner[chains.source] >= 0).all())
    found: dict[bytes, np.ndarray] = {}
    for _ in range(DRAWN_CHAINS):
        rows = chains.draw(generator)
        both = [rows, partner[rows][::-1]] if antithetic else [rows]
        both.sort(key=lambda chain: chain.tolist())
        unit = np.array(both)
        found.setdefault(unit.tobytes(), unit)
    return list(found.values())
