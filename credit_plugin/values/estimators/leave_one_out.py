"""Estimator ``leave_one_out``: what is lost when a contributor leaves all others.

What: v(N) - v(N without i), for every i. The values do not sum to v(full) - v(empty): when two
contributors cover the same, neither loses anything by leaving, and both get 0.

When: to compare, and for the plain question "what if this one leaves". Needs the n coalitions
without one contributor (design ``leave_one_out``, or a ``paired_border`` whose budget reaches
them). Nothing is left to chance, so the only uncertainty is seed noise.

Source: Cook's distance and its many descendants; Koh and Liang, "Understanding black-box
predictions via influence functions" (2017) approximate it. Departures: none.
"""

import numpy as np

from credit_plugin.values.observations import Observations
from credit_plugin.values.readout import Readout
from credit_plugin.values.registry import register_estimator


@register_estimator("leave_one_out")
def leave_one_out(observed: Observations) -> Readout:
    """Prepare the differences.

    Raises:
        InputError: If a coalition without one contributor is missing.
    """
    rows = observed.single_rows("leave_one_out", absent=True)

    def solve(utilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return np.asarray(utilities[observed.full] - utilities[rows])

    return Readout(solve, np.empty(0, dtype=np.int64), quantity="leave-one-out difference")
