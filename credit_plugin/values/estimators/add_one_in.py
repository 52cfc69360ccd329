"""Estimator ``add_one_in``: what a contributor gives on its own.

What: v({i}) - v(empty), for every i. The values do not sum to v(full) - v(empty): what contributors
do for each other is not in them, and what two of them cover both get in full.

When: to compare, and for the plain question "what is this one good for alone". Needs the n
coalitions of one contributor (design ``add_one_in``, or a ``paired_border`` whose budget reaches
them). Nothing is left to chance, so the only uncertainty is seed noise.

Source: Lu et al. (ICLR 2025) use it as a baseline. Departures: none.
"""

import numpy as np

from credit_plugin.values.observations import Observations
from credit_plugin.values.readout import Readout
from credit_plugin.values.registry import register_estimator


@register_estimator("add_one_in")
def add_one_in(observed: Observations) -> Readout:
    """Prepare the differences.

    Raises:
        InputError: If a coalition of one contributor is missing.
    """
    rows = observed.single_rows("add_one_in", absent=False)

    def solve(utilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return np.asarray(utilities[rows] - utilities[observed.empty])

    return Readout(solve, np.empty(0, dtype=np.int64), quantity="add-one-in difference")
