"""Streams of random subsets whose beginning does not depend on how many are asked for.

Designs are nested in their budget: what is drawn for 48 evaluations must be the beginning of what
is drawn for 96. The functions below therefore read their generator strictly row by row, and the
first ``a`` subsets of a request for ``b > a`` are those of a request for ``a``.

Drawing without replacement is a shuffle of ranks where all subsets can be listed, and rejection
of duplicates where there are too many of them for a duplicate to be likely.
"""

from collections.abc import Callable
from math import comb

import numpy as np

from credit_plugin.game.coalitions import distinct_rows

LISTABLE = 2**20
"""Up to so many subsets are drawn by shuffling their ranks."""

_BLOCK = 1024  # rows drawn at once: 8 MB of random keys for a thousand players


def random_subsets(generator: np.random.Generator, n: int, sizes: np.ndarray) -> np.ndarray:
    """Draw independent uniform subsets of given sizes.

    Args:
        generator: Source of randomness, read row by row.
        n: Number of players.
        sizes: int [m], each in 1..n.

    Returns:
        bool [m, n].
    """
    subsets = np.empty((len(sizes), n), dtype=bool)
    for start in range(0, len(sizes), _BLOCK):
        wanted = sizes[start : start + _BLOCK]
        keys = generator.random((len(wanted), n))
        last = np.sort(keys, axis=1)[np.arange(len(wanted)), wanted - 1]
        subsets[start : start + len(wanted)] = keys <= last[:, None]
    return subsets


def distinct_subsets(generator: np.random.Generator, n: int, size: int, count: int) -> np.ndarray:
    """Draw uniform subsets of one size without replacement.

    Args:
        generator: Source of randomness.
        n: Number of players.
        size: Members of each subset, 0..n.
        count: How many, at most C(n, size).

    Returns:
        bool [count, n].
    """
    total = comb(n, size)
    if total <= LISTABLE:
        return _unrank(generator.permutation(total)[:count], n, size)
    return first_distinct(lambda rows: random_subsets(generator, n, np.full(rows, size)), count)


def first_distinct(draw: Callable[[int], np.ndarray], count: int) -> np.ndarray:
    """Return the first distinct rows of a stream, bool [count, n].

    Args:
        draw: Returns the stream's next rows, bool [k, n], about as many as it is asked for: fewer
            if it rejects some, more if they come in blocks.
        count: How many distinct rows are wanted; the stream must contain so many.
    """
    rows = draw(count)
    while True:
        rows = rows[distinct_rows(rows)[0]]
        if len(rows) >= count:
            return rows[:count]
        # the last missing rows of a nearly exhausted stream need many more draws than rows
        rows = np.concatenate([rows, draw(max(count - len(rows), len(rows) // 4))])


def _unrank(ranks: np.ndarray, n: int, size: int) -> np.ndarray:
    """Return the subsets with the given ranks in lexicographic order, [len(ranks), n]."""
    subsets = np.zeros((len(ranks), n), dtype=bool)
    rest = ranks.astype(np.int64)
    missing = np.full(len(ranks), size)
    for player in range(n):
        after = n - player - 1
        with_player = np.array([comb(after, k - 1) if k else 0 for k in range(size + 1)])[missing]
        chosen = rest < with_player
        subsets[:, player] = chosen
        rest = np.where(chosen, rest, rest - with_player)
        missing = missing - chosen
    return subsets
