"""Design ``uniform``: every coalition equally likely, without replacement.

What: a random order of all coalitions other than the empty and the full one. Half of the
contributors are in a coalition on average, so this is the design of Banzhaf values, and for
Shapley values a poor one: small and large coalitions are never seen when n is large.
"""

import numpy as np

from credit_plugin.game.design import register_design
from credit_plugin.game.subsets import LISTABLE, first_distinct
from credit_plugin.seeding import numpy_generator


@register_design("uniform")
def uniform(n_players: int, rows: int, seed: int) -> np.ndarray:
    """Return distinct coalitions bool [rows, n], none of them empty or full."""
    generator = numpy_generator(seed, "", "design uniform")
    if 2**n_players <= LISTABLE:
        codes = 1 + generator.permutation(2**n_players - 2)[:rows]
        return (codes[:, None] >> np.arange(n_players)) % 2 == 1

    def draw(count: int) -> np.ndarray:
        drawn = generator.random((count, n_players)) < 0.5
        return drawn[drawn.any(axis=1) & ~drawn.all(axis=1)]

    return first_distinct(draw, rows)
