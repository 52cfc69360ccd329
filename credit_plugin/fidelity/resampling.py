"""Numbers with intervals, and the resamples behind them: coalitions and seeds, both redrawn.

The test coalitions are a sample of all of their size, and the seeds a sample of all trainings. An
interval that redraws seeds alone (as the literature's tables do) says how the score varies on these
very coalitions and is several times too narrow for any statement about the method. Here every
resample draws coalitions and seeds with replacement, the same ones for all methods, so that
differences between methods keep what they have in common.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from credit_plugin.seeding import numpy_generator


@dataclass(frozen=True)
class Interval:
    """A number and where it lies with the stated confidence.

    Attributes:
        value: The estimate.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float
    high: float

    def to_json(self) -> list[float]:
        """Return [value, low, high]."""
        return [self.value, self.low, self.high]


Statistic = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(rows int [r, m], seeds int [r, s]) -> float [r, k]: from these coalitions and seeds."""


@dataclass(frozen=True, eq=False)
class Resampled:
    """Statistics of the data and of its resamples.

    Attributes:
        values: float64 [k].
        draws: float64 [r, k].
        confidence: Level of the intervals.
    """

    values: np.ndarray
    draws: np.ndarray
    confidence: float

    def interval(self, k: int) -> Interval:
        """Return statistic ``k`` with its percentile interval."""
        return self._between(float(self.values[k]), self.draws[:, k])

    def difference(self, k: int, other: int) -> Interval:
        """Return by how much statistic ``k`` exceeds another, resample by resample."""
        return self._between(
            float(self.values[k] - self.values[other]), self.draws[:, k] - self.draws[:, other]
        )

    def _between(self, value: float, draws: np.ndarray) -> Interval:
        tail = 50 * (1 - self.confidence)
        low, high = np.percentile(draws, [tail, 100 - tail])
        return Interval(value, float(low), float(high))


def resample_both(
    statistic: Statistic,
    coalitions: int,
    seeds: int,
    resamples: int,
    seed: int,
    confidence: float,
) -> Resampled:
    """Evaluate a statistic on the data and on resamples of coalitions and seeds.

    Args:
        statistic: What is computed.
        coalitions: Number of test coalitions m.
        seeds: Number of seeds s.
        resamples: Number of resamples r.
        seed: The study's seed; the resamples depend on it and on m and s alone.
        confidence: Level of the intervals.
    """
    generator = numpy_generator(seed, f"{coalitions}/{seeds}", "resamples of fidelity")
    rows = generator.integers(coalitions, size=(resamples, coalitions))
    columns = generator.integers(seeds, size=(resamples, seeds))
    whole = statistic(np.arange(coalitions)[None], np.arange(seeds)[None])
    return Resampled(whole[0], statistic(rows, columns), confidence)


def correlate(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Return Pearson correlations along the last axis, which the arrays share by broadcasting.

    Arrays [..., k] give correlations [...] in -1..1. What does not vary predicts nothing: its
    correlation is 0.
    """
    return np.asarray((_standardised(one) * _standardised(two)).sum(axis=-1))


def _standardised(rows: np.ndarray) -> np.ndarray:
    centred = rows - rows.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(centred, axis=-1, keepdims=True)
    rounding = 1e-12 * np.abs(rows).max(axis=-1, keepdims=True) * np.sqrt(rows.shape[-1])
    return np.where(length > rounding, centred / np.where(length > rounding, length, 1.0), 0.0)
