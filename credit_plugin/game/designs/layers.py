"""Coalitions of one size, without replacement, in a random order that does not depend on how many
are asked for.
"""

from collections.abc import Iterator
from itertools import combinations
from math import comb

import numpy as np

from credit_plugin.seeding import numpy_generator

LARGEST_LISTED = 50_000


def draw_layer(n_players: int, size: int, seed: int) -> Iterator[np.ndarray]:
    """Yield every coalition of ``size`` players once, in random order, as bool [n].

    Layers of up to 50,000 coalitions are listed and shuffled; larger ones are drawn with
    rejection of what was drawn before, which is quick as long as few of them are needed.
    """
    generator = numpy_generator(seed, f"size {size}", "design")
    if comb(n_players, size) <= LARGEST_LISTED:
        listed = list(combinations(range(n_players), size))
        for index in generator.permutation(len(listed)):
            yield _mask(n_players, listed[index])
        return
    seen: set[tuple[int, ...]] = set()
    while True:
        members = tuple(sorted(generator.permutation(n_players)[:size].tolist()))
        if members not in seen:
            seen.add(members)
            yield _mask(n_players, members)


def _mask(n_players: int, members: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(n_players, bool)
    mask[list(members)] = True
    return mask
