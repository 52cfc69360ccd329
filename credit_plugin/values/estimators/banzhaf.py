"""Estimator ``banzhaf``: what a contributor adds to a coalition drawn from all alike.

What: phi_i = E[v(S + i) - v(S)] over all coalitions S of the others. Option ``method``:

* ``msr`` (maximum sample reuse): mean utility of the coalitions with i minus that of those
  without, each size weighted by its share of all coalitions.
* ``regression``: the same quantity as slopes of the additive model that is closest to the game in
  least squares over all coalitions (Hammer and Holzman 1992), fitted to the evaluated ones with
  each size weighted by its share.

Half of all coalitions hold about half of the contributors, so with many contributors only the
sizes in the middle count: design ``uniform`` is made for it, ``paired_border`` is not.

The values do not sum to v(full) - v(empty). Renormalised to a pool they are not robust against
contributors who replicate their data; they are for ranking.

Source: Wang and Jia, "Data Banzhaf: a robust data valuation framework for machine learning"
(AISTATS 2023). Departure: sizes are weighted after the fact, so any design can be read.
"""

from collections.abc import Callable

import numpy as np

from credit_plugin.values.observations import Observations
from credit_plugin.values.penalty import JITTER
from credit_plugin.values.readout import Readout
from credit_plugin.values.registry import chosen, register_estimator
from credit_plugin.values.semivalues import banzhaf_chances, log_binomials
from credit_plugin.values.strata import SizeStrata
from credit_plugin.values.units import pair_units

Solve = Callable[[np.ndarray, np.ndarray], np.ndarray]


@register_estimator("banzhaf")
def banzhaf(observed: Observations, *, method: str = "msr") -> Readout:
    """Prepare the Banzhaf value.

    Raises:
        InputError: For another method, or if only the empty and the full coalition are evaluated.
    """
    prepared = chosen(_METHODS, "method", method)
    observed.need_interior()
    units, read = pair_units(observed), prepared(observed)

    def solve(utilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return read(utilities, units.row_weights(weights) * observed.trust)

    return Readout(solve, units.strata, quantity="Banzhaf value", single_draw=units.single_draw)


def _sample_reuse(observed: Observations) -> Solve:
    strata, chances = SizeStrata(observed), banzhaf_chances(observed.n_players)

    def read(utilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return strata.read(utilities, weights, chances)

    return read


def _regression(observed: Observations) -> Solve:
    n, sizes = observed.n_players, observed.sizes
    logs = log_binomials(n)[sizes]
    share = np.exp(logs - logs.max())  # of the sizes that there are, or all may be 0 in floats
    system = np.ones((len(sizes), n + 1))
    system[:, 1:] = observed.coalitions - 0.5

    def read(utilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
        held = np.bincount(sizes, weights, minlength=n + 1)
        counted = weights * share / np.where(held > 0, held, 1.0)[sizes]
        gram = (system * counted[:, None]).T @ system
        gram += JITTER * np.trace(gram) / (n + 1) * np.eye(n + 1)
        return np.asarray(np.linalg.solve(gram, system.T @ (utilities * counted[:, None]))[1:])

    return read


_METHODS: dict[str, Callable[[Observations], Solve]] = {
    "msr": _sample_reuse,
    "regression": _regression,
}
