"""Estimator ``auto``, the default: ``exact``, or ``regression_adjusted`` with the proxy that pays.

What: if every coalition was evaluated, the definition (``exact``). Otherwise the regression
adjustment is consistent with any proxy, and its variance is that of the residuals in the sizes
that were sampled. So each proxy predicts coalitions that it did not see (five folds of complement
pairs), and is charged what the errors e cost the values,

    cost = sum over sizes s of (1 - m_s / C(n, s)) mean{(e - mean e)^2: |S| = s} / m_s,

with m_s coalitions of size s in the table: errors in a size that was enumerated cost nothing, since
the correction there is exact. The cheapest proxy wins; another than ``ridge`` only if it is cheaper
in every fold, because a cost is itself an estimate. With a single pair nothing can be left out, and
it is ``ridge``.

Which proxies are asked depends on the number of contributors n and coalitions M: ``ridge`` and
``equal`` always; ``trees`` from M = 12 n on, below which they have too little to learn from, and up
to M n = 200,000, above which they take longer than all resamples of the others.

The diagnostics say what was chosen (``chosen``) and why (``why``).

Source: this project's own; choosing a control variate by the variance it leaves is textbook Monte
Carlo.
"""

import numpy as np

from credit_plugin.values.estimators.exact import MAX_PLAYERS, exact
from credit_plugin.values.estimators.regression_adjusted import adjusted_by
from credit_plugin.values.folds import deal_pairs
from credit_plugin.values.observations import Observations
from credit_plugin.values.proxy import Proxy, create_proxy
from credit_plugin.values.readout import Readout
from credit_plugin.values.registry import register_estimator
from credit_plugin.values.semivalues import log_binomials

PREFERRED = "ridge"
TREES_FROM = 12  # coalitions for each contributor
TREES_UP_TO = 200_000  # coalitions times contributors


@register_estimator("auto")
def auto(observed: Observations) -> Readout:
    """Choose and prepare an estimator.

    Raises:
        InputError: If only the empty and the full coalition are evaluated.
    """
    if observed.n_players <= MAX_PLAYERS and len(observed.utilities) == 2**observed.n_players:
        return exact(observed).explained("exact", "every coalition was evaluated")
    observed.need_interior()
    if not deal_pairs(observed.coalitions[observed.interior]).any():
        readout = adjusted_by(observed, create_proxy(PREFERRED, observed))
        why = "a single pair of coalitions leaves none to compare proxies on"
        return readout.explained(f"regression_adjusted, proxy {PREFERRED}", why)
    proxies = {name: create_proxy(name, observed) for name in _candidates(observed)}
    costs = {name: _costs(observed, proxy) for name, proxy in proxies.items()}
    chosen = min(costs, key=lambda name: float(costs[name].sum()))
    if not (costs[chosen] < costs[PREFERRED]).all():
        chosen = PREFERRED
    readout = adjusted_by(observed, proxies[chosen])
    return readout.explained(f"regression_adjusted, proxy {chosen}", _why(chosen, costs))


def _candidates(observed: Observations) -> list[str]:
    m, n = observed.coalitions.shape
    return [PREFERRED, "equal", *(["trees"] if TREES_FROM * n <= m <= TREES_UP_TO / n else [])]


def _costs(observed: Observations, proxy: Proxy) -> np.ndarray:
    """Return what the errors on each left-out fold cost, float64 [folds]."""
    rows, sizes = observed.interior, observed.sizes
    folds = np.full(len(sizes), -1)
    folds[rows] = deal_pairs(observed.coalitions[rows])
    errors = np.zeros(len(sizes))
    for fold in range(folds.max() + 1):
        errors[folds == fold] = _left_out(observed, proxy, folds == fold)
    counts = np.bincount(sizes)
    squares = (errors - (np.bincount(sizes, errors) / np.maximum(counts, 1))[sizes]) ** 2
    possible = log_binomials(observed.n_players)
    price = (1 - np.exp(np.log(np.maximum(counts, 1)) - possible[: len(counts)])) / counts.clip(
        min=1
    ) ** 2
    return np.bincount(folds[rows], (price[sizes] * squares)[rows])


def _left_out(observed: Observations, proxy: Proxy, fold: np.ndarray) -> np.ndarray:
    """Return the proxy's errors on a fold that it did not see."""
    y = observed.utilities[:, None]
    centre = np.array([observed.gap(observed.utilities) / observed.n_players])
    _, residuals = proxy.fit(y, np.where(fold, 0.0, observed.trust), centre)
    return np.asarray(residuals[fold, 0])


def _why(chosen: str, costs: dict[str, np.ndarray]) -> str:
    smallest = float(costs[chosen].sum())
    others = [
        f"{name} {float(cost.sum()) / smallest:.3g}" if smallest > 0 else name
        for name, cost in costs.items()
        if name != chosen
    ]
    return (
        f"errors on left-out coalitions, weighed by what they cost the values: {chosen} 1, "
        + ", ".join(others)
    )
