"""Complete chains among the evaluated coalitions: empty, one member, two, ..., full.

A chain is an order in which the contributors arrive, every step of which was evaluated. How many
of a table's chains pass through a step S -> S + i is found without listing them: the number of ways
from the empty coalition to S times the number of ways from S + i to the full one. Every chain
takes exactly one step from each size to the next, so these products, normalised within a size,
are the chance that a random chain takes the step. The counts are rescaled at each size: with
hundreds of contributors they exceed any floating-point number.
"""

from dataclasses import dataclass

import numpy as np

from credit_plugin.game.coalitions import row_keys


@dataclass(frozen=True, eq=False)
class Chains:
    """All complete chains of a table.

    Attributes:
        source: int64 [e], row of S in each step S -> S + i.
        target: int64 [e], row of S + i.
        player: int64 [e], i.
        chance: float64 [e], share of the chains that take the step; sums to 1 in each size.
        n_players: Number of contributors n.
        full: Row of the full coalition.
    """

    source: np.ndarray
    target: np.ndarray
    player: np.ndarray
    chance: np.ndarray
    n_players: int
    full: int

    def draw(self, generator: np.random.Generator) -> np.ndarray:
        """Draw a chain, all equally likely: the rows from empty to full, int64 [n + 1]."""
        rows = np.empty(self.n_players + 1, dtype=np.int64)
        rows[-1] = self.full
        for size in range(self.n_players - 1, -1, -1):
            steps = np.flatnonzero(self.target == rows[size + 1])
            chances = self.chance[steps]
            rows[size] = self.source[generator.choice(steps, p=chances / chances.sum())]
        return rows


def find_chains(coalitions: np.ndarray, empty: int, full: int) -> Chains | None:
    """Find the complete chains among distinct coalitions.

    Args:
        coalitions: bool [d, n].
        empty: Row of the empty coalition.
        full: Row of the full coalition.

    Returns:
        The chains, or None if there is no complete one.
    """
    n = coalitions.shape[1]
    levels = _steps(coalitions, empty)
    if len(levels) < n:
        return None
    upward = _ways(levels, len(coalitions), empty, forward=True)
    downward = _ways(levels[::-1], len(coalitions), full, forward=False)
    kept, chances = [], []
    for level in levels:
        ways = upward[level[:, 0]] * downward[level[:, 1]]
        kept.append(level[ways > 0])
        chances.append(ways[ways > 0] / ways.sum())
    source, target, player = np.concatenate(kept).T
    return Chains(source, target, player, np.concatenate(chances), n, full)


def _steps(coalitions: np.ndarray, empty: int) -> list[np.ndarray]:
    """Return for each size the steps from what can be reached from empty, int64 [e, 3]."""
    row_of = {key.tobytes(): row for row, key in enumerate(row_keys(coalitions))}
    levels = []
    reached = [empty]
    while reached:
        steps = []
        for row in reached:
            absent = np.flatnonzero(~coalitions[row])
            grown = np.repeat(coalitions[row][None], len(absent), axis=0)
            grown[np.arange(len(absent)), absent] = True
            targets = (row_of.get(key.tobytes()) for key in row_keys(grown))
            steps += [(row, t, i) for t, i in zip(targets, absent, strict=True) if t is not None]
        reached = sorted({target for _, target, _ in steps})
        if steps:
            levels.append(np.array(steps, dtype=np.int64))
    return levels


def _ways(levels: list[np.ndarray], rows: int, start: int, forward: bool) -> np.ndarray:
    """Return the number of ways between ``start`` and each row, up to a factor for each size."""
    ways = np.zeros(rows)
    ways[start] = 1.0
    near, far = (0, 1) if forward else (1, 0)
    for level in levels:
        arrived = np.bincount(level[:, far], ways[level[:, near]], minlength=rows)
        ways = np.where(arrived > 0, arrived / max(arrived.max(), 1e-300), ways)
    return ways
