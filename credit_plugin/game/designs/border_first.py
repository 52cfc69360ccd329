"""Design ``border_first``: each contributor alone and everybody but one, then ``paired_border``.

What: the pairs of sizes {1, n-1}, all of them as soon as the budget reaches 2n + 2, and whatever
the budget has beyond spread over the other sizes in proportion to the Shapley kernel, in
complement pairs, without replacement (:mod:`credit_plugin.game.layers`). ``paired_border`` takes
all of sizes 1 and n-1 only with several times that budget.

When: for games that saturate, where what somebody adds shows in small coalitions alone, at budgets
of a few coalitions a contributor; for instance to see whether the contributor is at the bottom
whose images are noise. It spends less on how contributors interact: for values of games that do
not saturate ``paired_border`` is better.

Source: the border enumeration of KernelSHAP implementations, taken to its end; see
:mod:`credit_plugin.game.layers`.
"""

import numpy as np

from credit_plugin.game.design import register_design
from credit_plugin.game.designs.shapley_iid import kernel_of_sizes
from credit_plugin.game.layers import layered_pairs

_FIRST = 1e9
"""How many times their weight sizes 1 and n-1 get: enough to come before all others."""


@register_design("border_first")
def border_first(n_players: int, rows: int, seed: int) -> np.ndarray:
    """Return coalitions bool [rows, n], complements next to each other.

    An odd number of rows ends in a coalition without its complement.
    """
    weights = kernel_of_sizes(n_players)
    weights[[0, -1]] *= _FIRST
    return layered_pairs(n_players, rows, seed, weights)
