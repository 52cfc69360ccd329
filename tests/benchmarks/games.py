"""The games that estimators are measured on: three families, any number of players.

Each family is a function (n_players, generator) -> game, a game a function coalitions bool [m, n]
-> utilities float64 [m], in which more is better.

* ``saturating``: a quantity with pairwise interactions that helps less and less.
* ``frechet``: minus the Frechet distance between the digits (scikit-learn's 8 x 8 images, their
  eight principal components) of a coalition's class-skewed shards and all digits. Small coalitions
  blow up.
* ``accuracy``: of a nearest-centroid classifier of the same digits; the last two players' labels
  are shuffled.

The exact Shapley values come from enumerating all coalitions.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from credit_plugin.values.estimators.exact import enumerate_values

Game = Callable[[np.ndarray], np.ndarray]

FEATURES = 8
CLASSES = 10
_BLOCK = 2**14  # coalitions evaluated at once


def all_coalitions(n: int) -> np.ndarray:
    """Return all coalitions, bool [2**n, n]; row c holds the players whose bit is set in c."""
    return (np.arange(2**n)[:, None] >> np.arange(n)) % 2 == 1


def saturating(n: int, generator: np.random.Generator) -> Game:
    """Return a quantity with interactions that helps less and less."""
    amounts = generator.uniform(0.3, 2.0, n)
    pairs = np.triu(generator.normal(0, 0.15, (n, n)), 1)

    def game(coalitions: np.ndarray) -> np.ndarray:
        members = coalitions.astype(np.float64)
        quantity = members @ amounts + ((members @ pairs) * members).sum(axis=1)
        return np.asarray(1 - np.exp(-quantity.clip(min=0) / (0.35 * amounts.sum())))

    return game


def frechet(n: int, generator: np.random.Generator) -> Game:
    """Return minus the Frechet distance of a coalition's digits from all digits."""
    points, labels = _digits()
    owner = _skewed_owners(labels, n, generator)
    held = [points[owner == i] for i in range(n)]
    counts = np.array([len(h) for h in held], dtype=np.float64)
    sums = np.array([h.sum(axis=0) for h in held])
    squares = np.array([h.T @ h for h in held])
    everything = _moments(np.ones((1, n)), counts, sums, squares)
    mean, covariance = everything[0][0], everything[1][0]
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(values) @ vectors.T

    def game(coalitions: np.ndarray) -> np.ndarray:
        means, covariances = _moments(coalitions.astype(np.float64), counts, sums, squares)
        between = np.linalg.eigvalsh(root @ covariances @ root).clip(min=0)
        traces = np.trace(covariances, axis1=1, axis2=2) + np.trace(covariance)
        distance = ((means - mean) ** 2).sum(axis=1) + traces - 2 * np.sqrt(between).sum(axis=1)
        return np.asarray(-distance)

    return game


def accuracy(n: int, generator: np.random.Generator) -> Game:
    """Return the accuracy of a nearest-centroid classifier; the last two players' labels lie."""
    points, labels = _digits()
    order = generator.permutation(len(points))
    tests, trained = order[:400], order[400 : 400 + 25 * n]
    owner = _skewed_owners(labels[trained], n, generator)
    sums, counts = np.zeros((n, CLASSES, FEATURES)), np.zeros((n, CLASSES))
    for i in range(n):
        mine = trained[owner == i]
        told = generator.permutation(labels[mine]) if i >= n - 2 else labels[mine]
        np.add.at(sums[i], told, points[mine])
        np.add.at(counts[i], told, 1)

    def game(coalitions: np.ndarray) -> np.ndarray:
        members = coalitions.astype(np.float64)
        known = members @ counts
        centroids = np.tensordot(members, sums, 1) / known.clip(min=1)[..., None]
        products = np.tensordot(centroids, points[tests], axes=(2, 1))  # [m, classes, tests]
        distance = (centroids**2).sum(axis=-1)[..., None] - 2 * products
        distance[known == 0] = np.inf
        return np.asarray((distance.argmin(axis=1) == labels[tests]).mean(axis=1))

    return game


FAMILIES: dict[str, Callable[[int, np.random.Generator], Game]] = {
    "saturating": saturating,
    "frechet": frechet,
    "accuracy": accuracy,
}


class EnumeratedGame:
    """A game of a family with all its utilities, to draw noisy evaluations from.

    Args:
        family: Name in :data:`FAMILIES`.
        n: Number of players, at most 20.
        instance: Number of the game within its family.
    """

    def __init__(self, family: str, n: int, instance: int) -> None:
        game = FAMILIES[family](n, np.random.default_rng([instance, n]))
        coalitions = all_coalitions(n)
        blocks = range(0, 2**n, _BLOCK)
        self.utilities = np.concatenate([game(coalitions[b : b + _BLOCK]) for b in blocks])
        self.exact = enumerate_values(self.utilities[:, None])[:, 0]
        self.n_players = n

    def noisy(self, rows: np.ndarray, noise: float, seed: int) -> np.ndarray:
        """Return utilities of coalitions [m] with noise in units of the game's deviation."""
        clean = self.utilities[rows @ (1 << np.arange(self.n_players))]
        draws = np.random.default_rng([seed, len(rows)]).standard_normal(len(rows))
        return np.asarray(clean + noise * self.utilities.std() * draws)

    def error(self, values: np.ndarray) -> float:
        """Return the squared error of values relative to the squared exact values."""
        return float(((values - self.exact) ** 2).sum() / (self.exact**2).sum())


def with_repeats(rows: np.ndarray) -> np.ndarray:
    """Return a design and a study's repeats: empty and full twice more, four others once more."""
    return np.concatenate([rows, rows[[0, 0, 1, 1]], rows[5:41:9][:4]])


@lru_cache(maxsize=1)
def _digits() -> tuple[np.ndarray, np.ndarray]:
    images, labels = load_digits(return_X_y=True)
    return PCA(FEATURES, random_state=0).fit_transform(images / 16.0), labels


def _skewed_owners(labels: np.ndarray, n: int, generator: np.random.Generator) -> np.ndarray:
    """Return the owner of each image: every class is spread over the players unevenly."""
    owner = np.empty(len(labels), dtype=np.int64)
    for label in range(CLASSES):
        here = np.flatnonzero(labels == label)
        owner[here] = generator.choice(n, len(here), p=generator.dirichlet(np.full(n, 0.5)))
    return owner


def _moments(
    members: np.ndarray, counts: np.ndarray, sums: np.ndarray, squares: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return means [m, f] and covariances [m, f, f] of the members' images."""
    total = (members @ counts).clip(min=1)[:, None]
    mean = members @ sums / total
    second = np.tensordot(members, squares, 1) / total[..., None]
    covariance = second - mean[:, :, None] * mean[:, None, :]
    return mean, covariance + 1e-6 * np.eye(FEATURES)
