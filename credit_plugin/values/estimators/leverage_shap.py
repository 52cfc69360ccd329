"""Estimator ``leverage_shap``: least squares for coalitions drawn by their leverage.

What: in the least squares of :mod:`credit_plugin.values.least_squares` a coalition's leverage
depends on its size alone and is the same for every size in total. Drawing by it (design
``leverage``) takes a coalition of size s with chance

    q(s) = min(1, c / C(n, s)),  c such that the chances sum to the number of coalitions,

and the row's weight is the kernel's k(S) ~ 1 / (C(n, s) s (n - s)) divided by q(s). The weights are
those of the design; on a table of another design this is still a least-squares estimate, with
unfitting weights. Exact when all coalitions are evaluated, where every chance is 1.

When: to compare; it is the regression with the best known guarantee.

Source: Musco and Witter, "Provably accurate Shapley value estimation via leverage score sampling"
(ICLR 2025). Departure: the constant c is found for the number of coalitions in the table.
"""

import numpy as np

from credit_plugin.values.least_squares import least_squares_readout
from credit_plugin.values.observations import Observations
from credit_plugin.values.readout import Readout
from credit_plugin.values.registry import register_estimator
from credit_plugin.values.semivalues import log_binomials


@register_estimator("leverage_shap")
def leverage_shap(observed: Observations) -> Readout:
    """Prepare the leverage-weighted least squares.

    Raises:
        InputError: If only the empty and the full coalition are evaluated.
    """
    observed.need_interior()
    n, sizes = observed.n_players, observed.sizes[observed.interior]
    counts = log_binomials(n)[1:n]  # of the sizes 1..n-1
    log_chance = np.minimum(0.0, _log_constant(counts, len(sizes)) - counts)
    inner = np.arange(1, n)
    log_weights = -counts - np.log(inner * (n - inner)) - log_chance
    weights = np.exp(log_weights - log_weights.max())[sizes - 1]
    return least_squares_readout(observed, weights * observed.trust[observed.interior], {})


def _log_constant(counts: np.ndarray, rows: int) -> float:
    """Return log c for which min(C(n, s), c) over all sizes sum to the number of rows.

    Args:
        counts: float64 [n - 1], logarithms of C(n, s).
        rows: Number of coalitions, at most the sum of all C(n, s).
    """
    ordered = np.exp(np.minimum(np.sort(counts), np.log(rows) + 1))
    filled = np.append(0.0, np.cumsum(ordered))
    for full, smaller in enumerate(filled[:-1]):
        constant = (rows - smaller) / (len(ordered) - full)
        if constant <= ordered[full]:
            return float(np.log(constant))
    return float(np.log(ordered[-1]))
