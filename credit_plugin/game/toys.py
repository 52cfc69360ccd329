"""Games whose Shapley values are known, to test estimators and to try them out.

Each game is called with coalitions bool [m, n] and returns utilities float64 [m]; ``shapley()``
returns the exact values float64 [n] from a formula, not from enumerating coalitions, so that the
games work as oracles at any n. They are the textbook games (glove, airport, weighted voting,
unanimity on a carrier), an additive one and a saturating one, which is what properties of
generative models look like: more data helps less and less.

Shipping such games in the package for the tests of estimators is pyDVL's habit
(``valuation/games.py``); formulas are from Maschler, Solan and Zamir, "Game Theory" (2013), ch. 18.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import comb
from typing import Protocol

import numpy as np


class Game(Protocol):
    """A cooperative game with known values."""

    @property
    def n_players(self) -> int:
        """Number of players n."""

    def __call__(self, coalitions: np.ndarray) -> np.ndarray:
        """Return the utilities float64 [m] of coalitions bool [m, n]."""

    def shapley(self) -> np.ndarray:
        """Return the exact Shapley values float64 [n]."""


class AdditiveGame:
    """v(S) = base + sum of the members' worths; the values are the worths.

    Args:
        worths: Worth of each player; a null player has 0.
        base: v(empty).
    """

    def __init__(self, worths: Sequence[float], base: float = 0.0) -> None:
        self.worths = np.array(worths, dtype=np.float64)
        self.base = base
        self.n_players = len(self.worths)

    def __call__(self, coalitions: np.ndarray) -> np.ndarray:
        """Return the base and the members' worths."""
        return self.base + np.asarray(coalitions, dtype=np.float64) @ self.worths

    def shapley(self) -> np.ndarray:
        """Return the worths, float64 [n]."""
        return self.worths.copy()


class GloveGame:
    """v(S) = matched pairs: min(left gloves, right gloves) among the members.

    Args:
        left: The first so many players hold a left glove.
        right: The others hold a right one.
    """

    def __init__(self, left: int, right: int) -> None:
        self.left, self.right = left, right
        self.n_players = left + right

    def __call__(self, coalitions: np.ndarray) -> np.ndarray:
        """Return the number of matched pairs."""
        rows = np.asarray(coalitions, dtype=bool)
        held = rows[:, : self.left].sum(axis=1), rows[:, self.left :].sum(axis=1)
        return np.minimum(*held).astype(np.float64)

    def shapley(self) -> np.ndarray:
        """Return the chance of arriving when the other hand is waiting, float64 [n]."""
        values = [_waiting(self.left, self.right)] * self.left
        return np.array(values + [_waiting(self.right, self.left)] * self.right)


def _waiting(same: int, other: int) -> float:
    """Chance that more players of the other hand than of one's own came before, in random order."""
    n = same + other
    return sum(
        comb(same - 1, a) * comb(other, b) / (n * comb(n - 1, a + b))
        for a in range(same)
        for b in range(a + 1, other + 1)
    )


class AirportGame:
    """v(S) = the largest need among the members: one runway serves all who need less.

    Args:
        needs: Length of runway that each player needs, at least 0.
    """

    def __init__(self, needs: Sequence[float]) -> None:
        self.needs = np.array(needs, dtype=np.float64)
        self.n_players = len(self.needs)

    def __call__(self, coalitions: np.ndarray) -> np.ndarray:
        """Return the largest need among the members, 0 for nobody."""
        return (np.asarray(coalitions, dtype=np.float64) * self.needs).max(axis=1)

    def shapley(self) -> np.ndarray:
        """Return shares float64 [n]: all who need a piece of the runway pay it equally."""
        order = np.argsort(self.needs)
        pieces = np.diff(self.needs[order], prepend=0.0)
        values = np.empty(self.n_players)
        values[order] = np.cumsum(pieces / np.arange(self.n_players, 0, -1))
        return values


class CarrierGame:
    """v(S) = 1 if S contains the whole carrier (unanimity), else 0.

    Args:
        n_players: Number of players.
        carrier: Indices of the carrier; the others are null players.
    """

    def __init__(self, n_players: int, carrier: Sequence[int]) -> None:
        self.n_players = n_players
        self.carrier = list(carrier)

    def __call__(self, coalitions: np.ndarray) -> np.ndarray:
        """Return 1 where the carrier is complete."""
        missing = ~np.asarray(coalitions, dtype=bool)[:, self.carrier]
        return np.where(missing.any(axis=1), 0.0, 1.0)

    def shapley(self) -> np.ndarray:
        """Return 1 / |carrier| for its players and 0 for the others, float64 [n]."""
        values = np.zeros(self.n_players)
        values[self.carrier] = 1 / len(self.carrier)
        return values


class WeightGame(ABC):
    """v(S) = f(total weight of S), for whole weights.

    The values count coalitions by size and total weight (dynamic programming), which takes
    n^3 times the total weight operations instead of 2^n.

    Args:
        weights: Whole weight of each player, at least 0.
    """

    def __init__(self, weights: Sequence[int]) -> None:
        self.weights = np.array(weights, dtype=np.int64)
        self.n_players = len(self.weights)

    @abstractmethod
    def of_weight(self, weight: np.ndarray) -> np.ndarray:
        """Return f, float64 [...], of total weights int64 [...]."""

    def __call__(self, coalitions: np.ndarray) -> np.ndarray:
        """Return f of the members' total weight."""
        return self.of_weight(np.asarray(coalitions, dtype=np.int64) @ self.weights)

    def shapley(self) -> np.ndarray:
        """Return the values by counting, float64 [n]."""
        n, total = self.n_players, int(self.weights.sum())
        totals = np.arange(total + 1)
        chance = np.array([1 / (n * comb(n - 1, size)) for size in range(n)])
        values = np.empty(n)
        for player, weight in enumerate(self.weights):
            counts = self._counts_without(player)
            gain = self.of_weight(totals + weight) - self.of_weight(totals)
            values[player] = chance @ counts @ gain
        return values

    def _counts_without(self, player: int) -> np.ndarray:
        """Count the coalitions of the others by size and weight, float64 [n, total + 1]."""
        counts = np.zeros((self.n_players, int(self.weights.sum()) + 1))
        counts[0, 0] = 1
        for other, weight in enumerate(self.weights):
            if other != player:
                counts[1:, weight:] += counts[:-1, : counts.shape[1] - weight].copy()
        return counts


class VotingGame(WeightGame):
    """v(S) = 1 if the members' votes reach the quota, else 0.

    Args:
        weights: Votes of each player.
        quota: Votes that are needed.
    """

    def __init__(self, weights: Sequence[int], quota: int) -> None:
        super().__init__(weights)
        self.quota = quota

    @classmethod
    def majority(cls, n_players: int) -> "VotingGame":
        """Return the game in which more than half of the heads are needed."""
        return cls([1] * n_players, n_players // 2 + 1)

    def of_weight(self, weight: np.ndarray) -> np.ndarray:
        """Return 1 where weights [...] reach the quota, else 0."""
        return (weight >= self.quota).astype(np.float64)


class SaturatingGame(WeightGame):
    """v(S) = 1 - exp(-weight of S / scale): more data helps less and less.

    Args:
        weights: Amount of data of each player.
        scale: Amount after which two thirds of all that can be gained is gained.
    """

    def __init__(self, weights: Sequence[int], scale: float) -> None:
        super().__init__(weights)
        self.scale = scale

    def of_weight(self, weight: np.ndarray) -> np.ndarray:
        """Return the saturating quality, 0..1, of amounts [...]."""
        return 1 - np.exp(-weight / self.scale)


class NoisyGame:
    """Another game with independent normal noise on every evaluation.

    Args:
        game: The game whose values these are.
        sd: Standard deviation of the noise.
        seed: Start of the noise; calling twice gives different noise, as repeated trainings do.
    """

    def __init__(self, game: Game, sd: float, seed: int = 0) -> None:
        self.game, self.sd = game, sd
        self.n_players = game.n_players
        self._generator = np.random.default_rng(seed)

    def __call__(self, coalitions: np.ndarray) -> np.ndarray:
        """Return the game's utilities with fresh noise."""
        utilities = self.game(coalitions)
        return utilities + self.sd * self._generator.standard_normal(len(utilities))

    def shapley(self) -> np.ndarray:
        """Return the values of the game without noise, float64 [n]."""
        return self.game.shapley()
