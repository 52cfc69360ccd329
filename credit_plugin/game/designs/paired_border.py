"""Design ``paired_border``: the Shapley kernel in complement pairs, its border enumerated.

What: pairs (S, complement of S), spread over the sizes in proportion to the Shapley kernel
p(s) ~ 1/(s(n-s)), without replacement; the sizes of which as many draws are expected as there are
coalitions are taken whole, from the border inwards (:mod:`credit_plugin.game.layers`). When n is
so large that even the sizes 1 and n-1 exceed the budget, it is a sample from the kernel.

When: for Shapley values; the default. Source and departures: see :mod:`credit_plugin.game.layers`.
"""

import numpy as np

from credit_plugin.game.design import register_design
from credit_plugin.game.designs.shapley_iid import kernel_of_sizes
from credit_plugin.game.layers import layered_pairs


@register_design("paired_border")
def paired_border(n_players: int, rows: int, seed: int) -> np.ndarray:
    """Return coalitions bool [rows, n], complements next to each other.

    An odd number of rows ends in a coalition without its complement.
    """
    return layered_pairs(n_players, rows, seed, kernel_of_sizes(n_players))
