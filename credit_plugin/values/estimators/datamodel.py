"""Estimator ``datamodel``: slopes of a linear model that predicts the utilities.

What: v(S) ~ a + sum over i in S of b_i, fitted to all evaluated coalitions alike and shrunk to
zero: option ``penalty`` is ``ridge`` or ``lasso`` (l1, which sets slopes of contributors that
hardly matter to exactly 0). How far is chosen by predicting coalitions that were left out,
complement pairs together: ridge as in :mod:`credit_plugin.values.penalty`, lasso by five-fold
cross-validation (scikit-learn's ``LassoCV``).

The slopes do not sum to v(full) - v(empty), and depend on the design: they predict best where
coalitions were drawn. Design ``fixed_size`` with half of the contributors is the literature's.
For resamples, the lasso keeps its selection and signs and solves for the slopes again.

Source: Ilyas, Park, Engstrom, Leclerc and Madry, "Datamodels: predicting predictions from training
data" (ICML 2022). Departure: ridge as an alternative, which is better at a few evaluations for each
contributor.
"""

from collections.abc import Callable

import numpy as np

from credit_plugin.game.coalitions import complements
from credit_plugin.values.folds import deal_pairs
from credit_plugin.values.observations import Observations
from credit_plugin.values.penalty import JITTER, choose_penalty
from credit_plugin.values.readout import Readout
from credit_plugin.values.registry import chosen, register_estimator
from credit_plugin.values.units import pair_units

Solve = Callable[[np.ndarray, np.ndarray], np.ndarray]


@register_estimator("datamodel")
def datamodel(observed: Observations, *, penalty: str = "ridge") -> Readout:
    """Prepare the linear model.

    Raises:
        InputError: For another penalty, or if only the empty and the full coalition are evaluated.
    """
    prepared = chosen(_FITS, "penalty", penalty)
    observed.need_interior()
    units = pair_units(observed)
    fit, facts = prepared(observed)

    def solve(utilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return fit(utilities, units.row_weights(weights) * observed.trust)

    return Readout(
        solve, units.strata, facts, quantity="datamodel slope", single_draw=units.single_draw
    )


def _ridge(observed: Observations) -> tuple[Solve, dict[str, float | int | str]]:
    members = observed.coalitions - 0.5
    penalty = choose_penalty(members, observed.utilities, complements(observed.coalitions))
    zeros = np.zeros(members.shape[1])

    def fit(utilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return _slopes(members, utilities, weights, penalty, zeros)

    return fit, {"penalty": penalty}


def _lasso(observed: Observations) -> tuple[Solve, dict[str, float | int | str]]:
    from sklearn.linear_model import LassoCV

    members, y = observed.coalitions - 0.5, observed.utilities
    folds = deal_pairs(observed.coalitions)
    splits = [(np.flatnonzero(folds != f), np.flatnonzero(folds == f)) for f in np.unique(folds)]
    spread = float(y.std()) or 1.0  # coordinate descent stops by absolute changes
    model = LassoCV(cv=splits, max_iter=20_000).fit(members, y / spread, observed.trust)
    active = np.flatnonzero(model.coef_)
    # soft thresholding: the gradient that the l1 norm holds against
    pull = float(model.alpha_) * spread * observed.trust.sum() * np.sign(model.coef_[active])

    def fit(utilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
        slopes = np.zeros((members.shape[1], utilities.shape[1]))
        slopes[active] = _slopes(members[:, active], utilities, weights, 0.0, pull)
        return slopes

    return fit, {"penalty": float(model.alpha_) * spread, "selected": len(active)}


def _slopes(
    members: np.ndarray,
    utilities: np.ndarray,
    weights: np.ndarray,
    penalty: float,
    pull: np.ndarray,
) -> np.ndarray:
    """Return least-squares slopes [n, k] with a ridge penalty and a constant pull."""
    counted = weights / weights.sum()
    rows = members - counted @ members
    weighted = rows * weights[:, None]
    gram = weighted.T @ rows
    gram += (penalty + JITTER * np.trace(gram) / max(len(gram), 1)) * np.eye(len(gram))
    return np.asarray(np.linalg.solve(gram, weighted.T @ utilities - pull[:, None]))


_FITS: dict[str, Callable[[Observations], tuple[Solve, dict[str, float | int | str]]]] = {
    "ridge": _ridge,
    "lasso": _lasso,
}
