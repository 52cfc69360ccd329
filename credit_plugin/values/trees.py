"""Proxy ``trees``: gradient-boosted regression trees, whose Shapley values are sums over leaves.

What: boosted trees (scikit-learn's ``GradientBoostingRegressor``) on memberships, fitted to the
utilities minus equal shares for every member. A leaf is reached by the
coalitions that hold all players of a set A and none of a set B, so a tree is a sum of games
value * 1[A in S, B apart from S], and such a game has the Shapley values

    + value (|A| - 1)! |B|! / (|A| + |B|)!   for players in A,
    - value |A|! (|B| - 1)! / (|A| + |B|)!   for players in B.

Residuals are out of fold: complement pairs are dealt into folds, each fold is predicted by trees
that never saw it, and the values are those of the mean of the folds' models. Trees fit their
training data so closely that residuals in sample would be next to nothing, and the correction with
them. In sizes of which every coalition was evaluated nothing is left to chance; there the residuals
are those of the mean model itself, which makes the correction exact.
For other utilities (resamples, seed noise) the trees stay as they are and the residuals move: what
the correction makes up for does not depend on the proxy, to first order.

When: games with strong thresholds and several hundred evaluations. With few evaluations the
additive proxy is better; estimator ``auto`` asks the left-out coalitions.

The deal into folds follows the order of the table's coalitions, so unlike other estimators this one
may change a little when rows are shuffled.

Source: tree games as sums over leaves: interventional TreeSHAP (Lundberg et al. 2020), here with
the empty coalition as the only background; trees as a proxy: "regression MSR" of Witter, Liu and
Musco (2025). Departure: out-of-fold residuals.
"""

from dataclasses import dataclass, field
from math import factorial
from typing import Any

import numpy as np

from credit_plugin.values.folds import deal_pairs
from credit_plugin.values.observations import Observations

TREES = 60
DEPTH = 3
LEARNING_RATE = 0.15


@dataclass(frozen=True, eq=False)
class TreeProxy:
    """Trees that were fitted once, and what they say about the table's coalitions.

    Attributes:
        values: float64 [n], Shapley values of the mean of the folds' models.
        predictions: float64 [d], out of fold for the fitted coalitions.
        facts: For the diagnostics.
    """

    values: np.ndarray
    predictions: np.ndarray
    facts: dict[str, float | int | str] = field(default_factory=dict)

    def fit(
        self, utilities: np.ndarray, weights: np.ndarray, centre: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the trees' values and each column's residuals."""
        values = np.repeat(self.values[:, None], utilities.shape[1], axis=1)
        return values, utilities - self.predictions[:, None]


def tree_proxy(observed: Observations) -> TreeProxy:
    """Fit the trees of every fold."""
    rows = observed.interior
    memberships = observed.coalitions.astype(np.float64)
    share = observed.gap(observed.utilities) / observed.n_players
    floor = observed.utilities[observed.empty]
    target = _without_rounding(observed.utilities - floor - share * observed.sizes)
    folds = deal_pairs(observed.coalitions[rows])
    count = int(folds.max()) + 1
    values = np.full(observed.n_players, share)
    guesses = np.empty((count, len(target)))
    for fold in range(count):
        fitted = rows[folds != fold] if count > 1 else rows
        model = _boosted(memberships[fitted], target[fitted], observed.trust[fitted])
        guesses[fold] = model.predict(memberships)
        values += shapley_of_trees(model, observed.n_players) / count
    predictions = guesses.mean(axis=0)
    sampled = rows[~observed.enumerated[rows]]
    predictions[sampled] = guesses[folds[~observed.enumerated[rows]], sampled]
    predictions += floor + share * observed.sizes
    return TreeProxy(values, predictions, {"proxy": "trees", "proxy_folds": count})


def shapley_of_trees(model: Any, n: int) -> np.ndarray:
    """Return the exact Shapley values [n] of a fitted ``GradientBoostingRegressor`` as a game."""
    values = np.zeros(n)
    for tree in model.estimators_[:, 0]:
        _add_leaves(tree.tree_, 0, (), (), values)
    return values * float(model.learning_rate)


def _add_leaves(
    tree: Any, node: int, inside: tuple[int, ...], outside: tuple[int, ...], values: np.ndarray
) -> None:
    """Add the values of the leaves below a node that coalitions reach with and without players."""
    if tree.children_left[node] < 0:
        a, b = len(inside), len(outside)
        leaf = float(tree.value[node, 0, 0])
        for player in inside:
            values[player] += leaf * factorial(a - 1) * factorial(b) / factorial(a + b)
        for player in outside:
            values[player] -= leaf * factorial(a) * factorial(b - 1) / factorial(a + b)
        return
    player = int(tree.feature[node])
    _add_leaves(tree, tree.children_left[node], inside, (*outside, player), values)
    _add_leaves(tree, tree.children_right[node], (*inside, player), outside, values)


def _without_rounding(target: np.ndarray) -> np.ndarray:
    """Return targets whose rounding errors cannot decide between splits that are equally good."""
    scale = float(np.abs(target).max()) or 1.0
    return np.asarray(np.round(target / scale, 10) * scale)


def _boosted(memberships: np.ndarray, target: np.ndarray, weights: np.ndarray) -> Any:
    from sklearn.ensemble import GradientBoostingRegressor

    model = GradientBoostingRegressor(
        n_estimators=TREES,
        max_depth=DEPTH,
        learning_rate=LEARNING_RATE,
        random_state=0,
    )
    return model.fit(memberships, target, sample_weight=weights)
