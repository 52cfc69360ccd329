"""Complement pairs spread over the sizes by a weight, the fullest sizes enumerated.

What: coalitions in pairs (S, complement of S), spread over the sizes in proportion to a weight
w(s), without replacement. Where the expected number of draws of a size reaches the number of
coalitions of that size, all of them are taken and the excess goes to the sizes that remain. The
border sizes 1 and n-1 have the fewest coalitions and fill up first, then 2 and n-2, and so
inwards.

How it is nested: the rule above is solved for all budgets at once. Let layer k hold the C_k pairs
of sizes {k, n-k} and have the weight w_k of its sizes together. At "time" t the layer has received
min(C_k, t w_k) pairs, and the time at which a design of a given budget stops is the one at which
the layers together hold as many pairs as it needs. So layer k gets its j-th pair (j = 0, 1, ...) at
time (j + u_k) / w_k and the design is all pairs in the order of their times. Each prefix of this
sequence is the enumerate-the-border design of its length. The offsets u_k in [0, 1) make the
expected count of an unfinished layer exactly t w_k; they are a randomly shifted golden-ratio
sequence, so that with hundreds of contributors, where most layers get no pair at all, those that
get one are spread evenly over the sizes. Within a layer the order of the pairs is a shuffle, which
depends on the seed alone: two designs of one seed with different weights take the same pairs of a
layer, and a study that changes from one to the other finds many of its coalitions evaluated.

When n is so large that even sizes 1 and n-1 exceed the budget, no layer is ever finished and the
same sequence is a sample without replacement by the weights, stratified by size.

Source: the border enumeration is that of KernelSHAP implementations (Covert and Lee, "Improving
KernelSHAP", AISTATS 2021, for the pairing; shapiq's coalition sampler for the border idea). The
nested sequence, and counts by apportionment instead of by draws, are this project's own: random
counts would only add variance.
"""

import heapq
from collections.abc import Sequence
from math import comb

import numpy as np

from credit_plugin.game.subsets import distinct_subsets
from credit_plugin.seeding import numpy_generator

GOLDEN_RATIO = (1 + 5**0.5) / 2


def layered_pairs(n_players: int, rows: int, seed: int, weights: np.ndarray) -> np.ndarray:
    """Return coalitions in the order of the design, complements next to each other.

    Args:
        n_players: Number of contributors.
        rows: How many, at most 2**n_players - 2; an odd number ends in a coalition without its
            complement.
        seed: Determines every draw.
        weights: float64 [n - 1], w(s) > 0 of the sizes 1..n-1, up to a factor; w(s) = w(n-s).

    Returns:
        bool [rows, n].
    """
    pairs = (rows + 1) // 2
    layer_of_pair = _layers(n_players, pairs, seed, weights)
    chosen = np.empty((pairs, 2, n_players), dtype=bool)
    for layer in np.unique(layer_of_pair):
        here = layer_of_pair == layer
        smaller = _smaller_halves(n_players, int(layer), int(here.sum()), seed)
        chosen[here, 0], chosen[here, 1] = smaller, ~smaller
    return chosen.reshape(2 * pairs, n_players)[:rows]


def _layers(n: int, pairs: int, seed: int, weights: np.ndarray) -> np.ndarray:
    """Return the layer (the smaller size) of each pair, in the order of the design."""
    shift = numpy_generator(seed, "", "design offsets").random()
    layers = range(1, n // 2 + 1)
    together = [float(weights[k - 1]) * (1 if 2 * k == n else 2) for k in layers]
    return 1 + nested_order(
        together, [_pairs_in(n, k) for k in layers], pairs, shift + GOLDEN_RATIO
    )


def nested_order(
    weights: Sequence[float], capacities: Sequence[int], count: int, shift: float
) -> np.ndarray:
    """Take turns by weight until each place is full, every beginning in proportion.

    Args:
        weights: Above 0, of each place.
        capacities: How often each place can be taken, at least once.
        count: Turns, at most the sum of the capacities.
        shift: Where the golden-ratio sequence of the places' offsets starts.

    Returns:
        int64 [count], the place of each turn.
    """
    queue = []
    for place, weight in enumerate(weights):
        offset = (shift + place * GOLDEN_RATIO) % 1
        queue.append((offset / weight, place, 0, offset))
    heapq.heapify(queue)
    order = np.empty(count, dtype=np.int64)
    for turn in range(count):
        _, place, taken, offset = queue[0]
        order[turn] = place
        if taken + 1 < capacities[place]:
            time = (taken + 1 + offset) / weights[place]
            heapq.heapreplace(queue, (time, place, taken + 1, offset))
        else:
            heapq.heappop(queue)
    return order


def _pairs_in(n: int, layer: int) -> int:
    return comb(n, layer) // 2 if 2 * layer == n else comb(n, layer)


def _smaller_halves(n: int, layer: int, count: int, seed: int) -> np.ndarray:
    """Return one coalition of each of the layer's first ``count`` pairs, [count, n]."""
    generator = numpy_generator(seed, str(layer), "design layer")
    if 2 * layer < n:
        return distinct_subsets(generator, n, layer, count)
    # both halves have the same size: the one with the first player stands for the pair
    others = distinct_subsets(generator, n - 1, layer - 1, count)
    return np.column_stack([np.ones(count, dtype=bool), others])
