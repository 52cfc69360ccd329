"""Does a cheap utility say what retraining says? Correlation and error of v(S) on test coalitions.

For test coalitions of one size, with cheap utilities c_j and the mean u_j of s retrainings:

* Pearson and Spearman of c and u, in [-1, 1];
* mean absolute error, mean |c_j - u_j|, in the unit of the property. A constant offset between the
  two games is part of it, although it moves no value by more than its even share; ``bias``, the
  mean of c_j - u_j, tells how much of the error it is.

Intervals redraw coalitions and seeds. The noise of the retrainings is in all of them: with few
seeds a perfect proxy would not reach 1 either.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from credit_plugin.fidelity.resampling import Interval, correlate, resample_both


@dataclass(frozen=True)
class Agreement:
    """How well a cheap utility follows retraining.

    Attributes:
        pearson: Correlation of utilities.
        spearman: Correlation of their ranks.
        error: Mean absolute error, in the unit of the property.
        bias: Mean of cheap minus retrained, in the unit of the property.
        spread: Standard deviation of the retrained utilities over coalitions, to read errors by.
    """

    pearson: Interval
    spearman: Interval
    error: Interval
    bias: Interval
    spread: float


def agreement(
    cheap: np.ndarray,
    retrained: np.ndarray,
    *,
    resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Agreement:
    """Compare cheap utilities with retrained ones.

    Args:
        cheap: float [m], of test coalitions of one size.
        retrained: float [m, s].
        resamples: Behind the intervals, of coalitions and of seeds.
        seed: Of the resamples.
        confidence: Level of the intervals.
    """

    def statistic(rows: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        said, true = cheap[rows], retrained[rows[:, :, None], seeds[:, None, :]].mean(axis=-1)
        pearson = correlate(said, true)
        spearman = correlate(rankdata(said, axis=-1), rankdata(true, axis=-1))
        miss = said - true
        return np.column_stack([pearson, spearman, np.abs(miss).mean(-1), miss.mean(-1)])

    m, s = retrained.shape
    found = resample_both(statistic, m, s, resamples, seed, confidence)
    pearson, spearman, error, bias = (found.interval(k) for k in range(4))
    spread = float(retrained.mean(axis=1).std(ddof=1))
    return Agreement(pearson, spearman, error, bias, spread)
