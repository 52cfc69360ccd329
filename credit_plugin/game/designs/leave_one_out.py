"""Design ``leave_one_out``: the full coalition without each contributor.

What: the n coalitions N - i, in a seeded order. A budget of n + 2 holds them all; a smaller one
leaves out the contributors who come last, so that it says nothing about them.

When: for leave-one-out values v(N) - v(N - i), the usual baseline. They are no Shapley values:
contributors whose data can replace each other's all get nothing.
"""

import numpy as np

from credit_plugin.game.design import register_design
from credit_plugin.seeding import numpy_generator


@register_design("leave_one_out")
def leave_one_out(n_players: int, rows: int, seed: int) -> np.ndarray:
    """Return coalitions bool [rows, n] of n - 1 members, all n of them if ``rows`` is more."""
    order = numpy_generator(seed, "", "design leave one out").permutation(n_players)[:rows]
    return order[:, None] != np.arange(n_players)
