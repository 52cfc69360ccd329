"""Design ``leverage``: every size equally often, in complement pairs.

What: in the least squares whose solution is the Shapley value, the leverage of a coalition of size
s is 1 / C(n, s), so all sizes weigh the same together. The design takes a coalition of size s with
chance

    q(s) = min(1, c / C(n, s)),  c such that the chances sum to the number of coalitions,

in pairs (S, complement of S), without replacement: sizes with at most c coalitions are taken whole,
the others share the rest equally (:mod:`credit_plugin.game.layers`). Compared with
``paired_border`` it takes fewer coalitions near the border and more in the middle.

When: for the estimator ``leverage_shap``, whose weights are those of these chances.

Source: Musco and Witter, "Provably accurate Shapley value estimation via leverage score sampling"
(ICLR 2025). Departure: each size gets its expected number of coalitions, rounded to whole pairs,
where the source draws every pair independently. Designs are nested that way, and random counts
would only add variance.
"""

import numpy as np

from credit_plugin.game.design import register_design
from credit_plugin.game.layers import layered_pairs


@register_design("leverage")
def leverage(n_players: int, rows: int, seed: int) -> np.ndarray:
    """Return coalitions bool [rows, n], complements next to each other.

    An odd number of rows ends in a coalition without its complement.
    """
    return layered_pairs(n_players, rows, seed, np.ones(n_players - 1))
