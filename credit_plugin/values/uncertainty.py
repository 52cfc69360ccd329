"""Standard errors: bootstrap of complement pairs within size strata, plus seed noise.

Two things make values uncertain: which coalitions were drawn, and the luck of each evaluation.

* Drawn coalitions are resampled in pairs {S, complement of S} (or alone, where the complement was
  not evaluated) within strata of equal size {s, n - s}. A stratum that was evaluated completely
  has no luck of the draw and is not resampled; strata with a single unit are pooled.
* A completely evaluated stratum, the empty and the full coalition still carry seed noise, which
  repeats of coalitions measure: its pooled variance divided by the number of repeats is added
  to their utilities in every resample. In the strata that are resampled it is in the data already.

Intervals are value +- z * standard error; the bootstrap of u units is widened by u / (u - 1).
Coverage was measured by simulation (``python -m tests.benchmarks.coverage``).
"""

from math import comb

import numpy as np

from credit_plugin.values.registry import Estimator
from credit_plugin.values.sample import Sample


def standard_errors(
    sample: Sample,
    estimator: Estimator,
    noise: float | None,
    resamples: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """Return the standard error [n] of an estimator's values.

    Args:
        sample: What the values were estimated from.
        estimator: Called once for each resample.
        noise: Standard deviation of a single evaluation; None if it was not measured.
        resamples: Number of bootstrap resamples.
        generator: Source of all draws.
    """
    strata, settled = _strata(sample)
    spread = np.where(settled, (noise or 0.0) / np.sqrt(sample.repeats), 0.0)
    units = sum(len(stratum) for stratum in strata)
    values = np.empty((resamples, sample.n_players))
    for k in range(resamples):
        weights = settled.astype(np.float64)
        for stratum in strata:
            drawn = generator.integers(len(stratum), size=len(stratum))
            for unit, times in zip(*np.unique(drawn, return_counts=True), strict=True):
                weights[stratum[unit]] += times
        utilities = sample.utilities + spread * generator.standard_normal(len(spread))
        values[k] = estimator(sample.resampled(weights, utilities))
    widening = units / (units - len(strata)) if units > len(strata) else 1.0
    return np.asarray(values.std(0, ddof=1) * np.sqrt(widening))


def _strata(sample: Sample) -> tuple[list[list[list[int]]], np.ndarray]:
    """Return units of rows by stratum, and which rows are never resampled."""
    n = sample.n_players
    settled = np.zeros(len(sample.utilities), bool)
    strata: list[list[list[int]]] = []
    single: list[list[int]] = []
    for size in range(n // 2 + 1):
        rows = np.flatnonzero((sample.sizes == size) | (sample.sizes == n - size))
        complete = comb(n, size) * (1 if 2 * size == n else 2)
        if len(rows) == complete:
            settled[rows] = True
            continue
        units = _pairs(sample.coalitions, rows)
        if len(units) == 1:
            single += units
        elif units:
            strata.append(units)
    if len(single) > 1:
        strata.append(single)
    elif single:
        settled[single[0]] = True
    return strata, settled


def _pairs(coalitions: np.ndarray, rows: np.ndarray) -> list[list[int]]:
    units: dict[bytes, list[int]] = {}
    for row in rows:
        mask = coalitions[row]
        canonical = mask if mask[0] else ~mask
        units.setdefault(canonical.tobytes(), []).append(int(row))
    return list(units.values())
