"""Steps among the evaluated coalitions: which of them differ by one contributor alone."""

import numpy as np

from credit_plugin.game.coalitions import row_keys
from credit_plugin.seeding import numpy_generator


def find_steps(coalitions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find all steps S -> S + i of which both coalitions are there.

    Rows are matched by the XOR of random 64-bit words of their members, so that all candidates
    S + i are found in one sorted search; matches are checked row by row after that.

    Args:
        coalitions: bool [d, n], distinct.

    Returns:
        source, target, player: int64 [e] each, rows of S and of S + i, and i.
    """
    d, n = coalitions.shape
    generator = numpy_generator(0, "", "steps")
    words = np.asarray(generator.integers(0, 2**63, n, dtype=np.uint64))
    codes = np.asarray(np.bitwise_xor.reduce(np.where(coalitions, words, np.uint64(0)), axis=1))
    order = np.argsort(codes)
    source, player = np.nonzero(~coalitions)
    wanted = codes[source] ^ words[player]
    position = np.searchsorted(codes, wanted, sorter=order)
    target = order[np.minimum(position, d - 1)]
    found = codes[target] == wanted
    source, target, player = source[found], target[found], player[found]
    grown = coalitions[source]
    grown[np.arange(len(player)), player] = True
    same = row_keys(grown) == row_keys(coalitions[target])
    return source[same], target[same], player[same]
