"""How well trials follow retraining, and whether one of them is clearly worse than another.

For reference coalitions of one size, with utilities said by t trials, float [t, m], and retrained
ones, float [m, s], the fidelity of a trial is the Pearson or Spearman correlation of what it says
with the mean over seeds, in [-1, 1]. Resamples redraw coalitions and seeds, the same ones for all
trials, so that differences keep what trials have in common; the standard error of a fidelity is
the standard deviation over its resamples.

A trial is *clearly worse* than another if it is so in all but ``DOUBT`` of the resamples.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from credit_plugin.fidelity.resampling import Interval, Resampled, correlate, resample_both

DOUBT = 0.05
RESAMPLES = 1000


@dataclass(frozen=True)
class Fidelity:
    """How well a trial follows retraining.

    Attributes:
        value: Correlation.
        error: Its standard error over coalitions and seeds.
        low: Lower end of its interval.
        high: Upper end.
    """

    value: float
    error: float
    low: float
    high: float


def fidelity(
    said: np.ndarray, retrained: np.ndarray, kind: str, seed: int, confidence: float = 0.95
) -> Fidelity:
    """Return the fidelity of one trial.

    Args:
        said: float [m], oriented.
        retrained: float [m, s], oriented.
        kind: ``pearson`` or ``spearman``.
        seed: Of the resamples.
        confidence: Level of the interval.
    """
    found = _resampled(said[None], retrained, kind, seed, confidence)
    interval = found.interval(0)
    return Fidelity(interval.value, float(found.draws[:, 0].std()), interval.low, interval.high)


def clearly_worse(
    said: np.ndarray, rival: np.ndarray, retrained: np.ndarray, kind: str, seed: int
) -> bool:
    """Return whether a trial follows retraining clearly less well than a rival.

    Args:
        said: float [m], oriented.
        rival: float [m], of the same coalitions.
        retrained: float [m, s].
        kind: ``pearson`` or ``spearman``.
        seed: Of the resamples.
    """
    found = _resampled(np.stack([said, rival]), retrained, kind, seed, 0.95)
    return bool((found.draws[:, 0] >= found.draws[:, 1]).mean() < DOUBT)


def lead(
    said: np.ndarray, rival: np.ndarray, retrained: np.ndarray, kind: str, seed: int
) -> Interval:
    """Return by how much a trial follows retraining better than a rival, at 95 % confidence.

    What makes coalitions easy or hard for both is not part of the interval.

    Args:
        said: float [m], oriented.
        rival: float [m], of the same coalitions.
        retrained: float [m, s].
        kind: ``pearson`` or ``spearman``.
        seed: Of the resamples.
    """
    return _resampled(np.stack([said, rival]), retrained, kind, seed, 0.95).difference(0, 1)


def _resampled(
    said: np.ndarray, retrained: np.ndarray, kind: str, seed: int, confidence: float
) -> Resampled:
    def statistic(rows: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        true = retrained[rows[:, :, None], seeds[:, None, :]].mean(axis=-1)  # [r, m]
        heard = said[:, rows]  # [t, r, m]
        if kind == "spearman":
            true, heard = rankdata(true, axis=-1), rankdata(heard, axis=-1)
        return correlate(heard, true).T

    m, s = retrained.shape
    return resample_both(statistic, m, s, RESAMPLES, seed, confidence)
