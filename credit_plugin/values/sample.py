"""What estimators see: distinct coalitions with their mean utilities."""

from dataclasses import dataclass, replace

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.game.table import UtilityTable


@dataclass(frozen=True, eq=False)
class Sample:
    """Distinct evaluated coalitions of one property.

    Attributes:
        coalitions: bool [m, n]; the empty one is row 0, the full one row 1.
        utilities: float64 [m], mean over repeats.
        repeats: int [m], evaluations behind each utility.
        weights: float64 [m], multiplicity of each row in a resample; ones otherwise.
    """

    coalitions: np.ndarray
    utilities: np.ndarray
    repeats: np.ndarray
    weights: np.ndarray

    @property
    def n_players(self) -> int:
        """Number of contributors."""
        return int(self.coalitions.shape[1])

    @property
    def sizes(self) -> np.ndarray:
        """Int [m], members of each coalition."""
        sizes: np.ndarray = self.coalitions.sum(1)
        return sizes

    @property
    def v_empty(self) -> float:
        """Utility of the empty coalition."""
        return float(self.utilities[0])

    @property
    def v_full(self) -> float:
        """Utility of the full coalition."""
        return float(self.utilities[1])

    def resampled(self, weights: np.ndarray, utilities: np.ndarray) -> "Sample":
        """Return the sample with other multiplicities and utilities."""
        return replace(self, weights=weights, utilities=utilities)


def collapse(table: UtilityTable) -> tuple[Sample, float | None]:
    """Average the repeats of each coalition.

    Args:
        table: Rows of one property.

    Returns:
        The sample, and the standard deviation of a single evaluation pooled over all repeated
        coalitions (None without repeats).

    Raises:
        InputError: If the empty or the full coalition is missing.
    """
    distinct, inverse = np.unique(table.coalitions, axis=0, return_inverse=True)
    inverse = inverse.reshape(-1)
    counts = np.bincount(inverse)
    means = np.bincount(inverse, weights=table.utilities) / counts
    sizes = distinct.sum(1)
    for size, name in ((0, "empty"), (distinct.shape[1], "full")):
        if size not in sizes:
            raise InputError(
                f"the table has no row for the {name} coalition: evaluate it, values are "
                "measured from it"
            )
    # by size from the borders inwards; the order of equal ones is that of their bits
    middle = distinct.shape[1] / 2
    order = np.lexsort((np.arange(len(sizes)), sizes > middle, -np.abs(sizes - middle)))
    spare = int((counts - 1).sum())
    squares = float(((table.utilities - means[inverse]) ** 2).sum())
    noise = (squares / spare) ** 0.5 if spare else None
    sample = Sample(distinct[order], means[order], counts[order], np.ones(len(order)))
    return sample, noise


def spread_gap(values: np.ndarray, sample: Sample) -> np.ndarray:
    """Return values that sum to v(N) - v(empty): what is missing goes to all in equal parts."""
    gap = sample.v_full - sample.v_empty - values.sum()
    return np.asarray(values + gap / sample.n_players)
