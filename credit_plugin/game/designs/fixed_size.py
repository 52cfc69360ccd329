"""Design ``fixed_size``: uniform subsets of one size, without replacement.

What: the test coalitions of a linear datamodeling score, or of a comparison with retraining. With
a single size, the number of contributors in a coalition explains nothing, so a score cannot be
high for that reason alone. The rows after the first two (the empty and the full coalition) are the
test set.
"""

from math import comb

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.game.design import register_design
from credit_plugin.game.subsets import distinct_subsets
from credit_plugin.seeding import numpy_generator


@register_design("fixed_size")
def fixed_size(n_players: int, rows: int, seed: int, *, size: int | None = None) -> np.ndarray:
    """Return distinct coalitions bool [rows, n] of ``size`` members, fewer if there are no more.

    Args:
        n_players: Number of contributors.
        rows: How many.
        seed: Determines every draw.
        size: Members of each; by default half of the players.

    Raises:
        InputError: If the size is out of range.
    """
    size = n_players // 2 if size is None else size
    if not 1 <= size < n_players:
        raise InputError(f"size: {size} is outside 1..{n_players - 1}")
    generator = numpy_generator(seed, str(size), "design fixed size")
    return distinct_subsets(generator, n_players, size, min(rows, comb(n_players, size)))
