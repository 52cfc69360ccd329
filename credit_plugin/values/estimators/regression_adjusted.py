"""Estimator ``regression_adjusted``: a proxy, corrected by its residuals.

What: the Shapley value is linear in the game, so phi(v) = phi(proxy) + phi(v - proxy).

1. Fit a proxy (option ``proxy``: ``ridge``, ``ols``, ``trees`` or ``equal``, see
   :mod:`credit_plugin.values.proxy`); its Shapley values are known in closed form.
2. For the residual e and each size s, player i gets
   mean{e(S): |S| = s, i in S} / n - mean{e(S): |S| = s, i not in S} / n
   over the evaluated coalitions; where no coalition is in a mean, the mean of the size stands in.
3. What is then missing from v(full) - v(empty) is shared evenly.

Step 2 makes the estimate exact when all coalitions are evaluated and consistent before
(:mod:`adjusted`). For any number of evaluations and contributors; the estimator that needs the
fewest evaluations of all that are here (README, table of estimators).

Source: proxy plus stratified residual is the regression adjustment of Witter, Liu and Musco
("Regression-adjusted Monte Carlo estimators for Shapley values", 2025), here with the stratified
read-out of Castro et al. (2017) and SVARM (Kolpaczki et al., 2024). Departures, each measured:
the additive proxy is shrunk as far as left-out pairs ask, it leaves the empty and the full
coalition to efficiency, and a mean over no coalition is that of its size instead of 0.
"""

import numpy as np

from credit_plugin.values.adjusted import adjusted_readout
from credit_plugin.values.observations import Observations
from credit_plugin.values.proxy import Proxy, create_proxy
from credit_plugin.values.readout import SHAPLEY, Readout
from credit_plugin.values.registry import register_estimator


@register_estimator("regression_adjusted")
def regression_adjusted(observed: Observations, *, proxy: str = "ridge") -> Readout:
    """Prepare the regression-adjusted read-out.

    Raises:
        InputError: If only the empty and the full coalition are evaluated.
    """
    observed.need_interior()
    return adjusted_by(observed, create_proxy(proxy, observed))


def adjusted_by(observed: Observations, proxy: Proxy) -> Readout:
    """Prepare the Shapley value with a proxy that was made for the observations."""
    chances = np.full(observed.n_players, 1 / observed.n_players)
    return adjusted_readout(observed, proxy, chances, SHAPLEY, True)
