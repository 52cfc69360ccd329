"""Design ``permutation``: chains of random arrival orders, each followed by its reverse.

What: for a random order of the contributors, the coalitions of the first 1, 2, ..., n-1 to arrive;
then those of the same order backwards, which are their complements; then the next order. A
coalition that is on an earlier chain is left out, so a chain costs at most n - 1 evaluations, and
few contributors' chains soon consist of coalitions that are already there. Chains are completed
one after the other: a budget of k (n - 1) + 2 holds k of them or more.

When: for the estimator ``permutation``. ``paired_border`` needs fewer evaluations for the same
error.

Source: Castro, Gomez and Tejada, "Polynomial calculation of the Shapley value based on sampling"
(2009); antithetic orders: Mitchell et al., "Sampling permutations for Shapley value estimation"
(JMLR 2022). Departure: a repeated coalition is not evaluated again.
"""

import numpy as np

from credit_plugin.game.design import register_design
from credit_plugin.game.subsets import first_distinct
from credit_plugin.seeding import numpy_generator


@register_design("permutation")
def permutation(n_players: int, rows: int, seed: int) -> np.ndarray:
    """Return distinct coalitions bool [rows, n], chain after chain, each from the smallest on."""
    generator = numpy_generator(seed, "", "design permutations")
    sizes = np.arange(1, n_players)[:, None]

    def draw(count: int) -> np.ndarray:
        orders = -(-count // (2 * (n_players - 1)))
        arrival = generator.random((orders, n_players)).argsort(axis=1)[:, None]
        chains = np.stack([arrival < sizes, arrival >= n_players - sizes], axis=1)
        return chains.reshape(-1, n_players)

    return first_distinct(draw, rows)
