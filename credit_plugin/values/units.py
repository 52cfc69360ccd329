"""What the bootstrap redraws: complement pairs, within size strata.

A design draws pairs (S, complement of S) from layers (sizes {k, n-k}). Redrawing pairs keeps what
makes them valuable, that their errors cancel; redrawing within layers keeps the counts that the
design fixed. A layer of which all coalitions were evaluated was not left to chance, so its rows
are never redrawn; neither are the empty and the full coalition. Their only uncertainty is seed
noise (see :mod:`uncertainty`).

A layer with fewer than three units cannot say how much its units differ, so it is pooled with its
neighbour. A table with a single unit cannot say it at all: nothing is redrawn, and this is kept.
"""

from dataclasses import dataclass
from math import comb

import numpy as np

from credit_plugin.game.coalitions import complements
from credit_plugin.values.observations import Observations

SMALLEST_STRATUM = 3


@dataclass(frozen=True, eq=False)
class PairUnits:
    """Which rows are redrawn together.

    Attributes:
        unit: int64 [d], the unit of each row, or -1 for a row that is never redrawn.
        strata: int64 [u], stratum of each unit.
        single_draw: Whether one unit alone was drawn, so that its error cannot be estimated.
    """

    unit: np.ndarray
    strata: np.ndarray
    single_draw: bool = False

    def row_weights(self, weights: np.ndarray) -> np.ndarray:
        """Return the weight of each row, float64 [d], from those of the units, float64 [u]."""
        if not len(weights):
            return np.ones(len(self.unit))
        return np.where(self.unit >= 0, weights[self.unit], 1.0)

    def total(self, numbers: np.ndarray) -> np.ndarray:
        """Return for each row the sum over its unit, float64 [d], of numbers [d].

        A row that is never redrawn is a unit of its own.
        """
        drawn = self.unit >= 0
        sums = np.bincount(self.unit[drawn], numbers[drawn], minlength=1)
        return np.where(drawn, sums[self.unit], numbers)


def pair_units(observed: Observations) -> PairUnits:
    """Group the rows of a table into the units that its design could have drawn otherwise."""
    n, sizes = observed.n_players, observed.sizes
    layers = np.minimum(sizes, n - sizes)
    partner = complements(observed.coalitions)
    drawn = np.zeros(len(sizes), dtype=bool)
    for layer in range(1, n // 2 + 1):
        rows = layers == layer
        drawn |= rows & (rows.sum() < comb(n, layer) * (1 if 2 * layer == n else 2))
    # the smaller row index stands for the pair
    leader = np.where(
        partner >= 0, np.minimum(partner, np.arange(len(sizes))), np.arange(len(sizes))
    )
    leaders, position = np.unique(leader[drawn], return_inverse=True)
    unit = np.full(len(sizes), -1)
    unit[drawn] = position.ravel()
    if len(leaders) < 2:
        nothing = np.empty(0, dtype=np.int64)
        return PairUnits(np.full(len(sizes), -1), nothing, single_draw=len(leaders) == 1)
    return PairUnits(unit, pool_small_strata(layers[leaders]))


def pool_small_strata(strata: np.ndarray) -> np.ndarray:
    """Join strata with too few units to the neighbouring stratum, smallest first.

    Args:
        strata: int64 [u], ordered labels.

    Returns:
        int64 [u], labels of strata with at least three units each, if there are three in all.
    """
    strata = strata.copy()
    while True:
        labels, counts = np.unique(strata, return_counts=True)
        smallest = int(counts.argmin())
        if counts[smallest] >= SMALLEST_STRATUM or len(labels) == 1:
            return strata
        neighbour = labels[smallest - 1] if smallest else labels[1]
        strata[strata == labels[smallest]] = neighbour
