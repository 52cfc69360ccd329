"""Design ``add_one_in``: each contributor alone.

What: the n coalitions {i}, in a seeded order. A budget of n + 2 holds them all; a smaller one
leaves out the contributors who come last, so that it says nothing about them.

When: for add-one-in values v({i}) - v(empty), what somebody's data is worth on its own. They are
no Shapley values: contributors whose data is the same are each credited with all of it.
"""

import numpy as np

from credit_plugin.game.design import register_design
from credit_plugin.seeding import numpy_generator


@register_design("add_one_in")
def add_one_in(n_players: int, rows: int, seed: int) -> np.ndarray:
    """Return coalitions bool [rows, n] of one member, all n of them if ``rows`` is more."""
    order = numpy_generator(seed, "", "design add one in").permutation(n_players)[:rows]
    return order[:, None] == np.arange(n_players)
