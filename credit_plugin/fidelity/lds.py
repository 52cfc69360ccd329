"""The linear datamodeling score (LDS), and how high it could be.

For test coalitions S_1..S_m of one size, each retrained with seeds 1..s:

    LDS(scores) = mean over seeds of  Spearman( sum over i in S_j of scores_i ,  v_seed(S_j) ).

It asks whether sums of scores order coalitions as retraining does (Park et al. 2023; Lu et al. 2025
for global properties). Range [-1, 1]; scores that are all equal get 0. Beside it stand

* the *noise ceiling*. Two retrainings of the same coalitions agree with each other at Spearman r,
  the mean over pairs of seeds (``cross_seed``). If the noise of both is alike, a perfect prediction
  of the expected utility correlates at sqrt(r) with either (attenuation, Spearman 1904).
* the *additive ceiling*: the LDS of the additive function of membership that fits the mean
  utilities of these very coalitions best in least squares. No sum of scores can do much better
  (least squares aims at Pearson, not Spearman). With m coalitions and n contributors it fits noise
  as well: its expected excess grows with n / m, so it is an upper bound, and meaningless from n = m
  on, where it is left out. ``additive_left_out`` predicts each coalition from a fit to the others,
  which is what an additive fit of as many retrainings would really give.

An LDS rewards what predicts coalitions of the tested size, which is not what Shapley values weigh:
exact Shapley values score less than exact Banzhaf values on games that are not additive. So an LDS
is read against its ceilings, and beside counterfactuals.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.stats import rankdata

from credit_plugin.fidelity.resampling import Interval, Resampled, correlate, resample_both

ADDITIVE, LEFT_OUT = "additive ceiling", "additive fit, left out"


@dataclass(frozen=True, eq=False)
class LdsResult:
    """LDS of several methods on one test set.

    Attributes:
        scores: By method.
        lead: By method, by how much the first method's LDS exceeds its.
        cross_seed: Spearman of two retrainings of the same coalitions, mean over pairs of seeds.
        noise_ceiling: Square root of it; 0 if it is negative.
        additive: LDS of the best additive fit; None if there are no more coalitions than
            contributors.
        additive_left_out: LDS of additive fits to the other coalitions; None likewise.
    """

    scores: Mapping[str, Interval]
    lead: Mapping[str, Interval]
    cross_seed: Interval
    noise_ceiling: Interval
    additive: Interval | None
    additive_left_out: Interval | None

    @property
    def possible(self) -> float:
        """The lower one of the two ceilings."""
        ceilings = [c.value for c in (self.noise_ceiling, self.additive) if c is not None]
        return min(ceilings)


def linear_datamodeling_score(
    scores: Mapping[str, np.ndarray],
    members: np.ndarray,
    utilities: np.ndarray,
    *,
    resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> LdsResult:
    """Score methods on one test set.

    Args:
        scores: float [n] by method; the first is the one that the others are compared with.
        members: bool [m, n], test coalitions of one size.
        utilities: float [m, s], retrained, higher is better.
        resamples: Behind the intervals, of coalitions and of seeds.
        seed: Of the resamples.
        confidence: Level of the intervals.
    """
    predictions = {name: members @ np.asarray(own, float) for name, own in scores.items()}
    predictions |= _additive_fits(members, utilities.mean(axis=1))
    names, rows = list(predictions), np.array([_tied(p) for p in predictions.values()])
    found = _resampled(rows, utilities, resamples, seed, confidence)
    where = {name: k for k, name in enumerate(names)}
    cross = len(names)
    return LdsResult(
        scores={name: found.interval(where[name]) for name in scores},
        lead={name: found.difference(0, where[name]) for name in scores},
        cross_seed=found.interval(cross),
        noise_ceiling=_root(found.interval(cross)),
        additive=found.interval(where[ADDITIVE]) if ADDITIVE in where else None,
        additive_left_out=found.interval(where[LEFT_OUT]) if LEFT_OUT in where else None,
    )


def _resampled(
    predictions: np.ndarray, utilities: np.ndarray, resamples: int, seed: int, confidence: float
) -> Resampled:
    """Resample the LDS of each row of predictions [k, m], and last the cross-seed correlation."""
    m, s = utilities.shape
    pairs = list(combinations(range(s), 2))

    def statistic(rows: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        measured = rankdata(utilities.T[:, rows], axis=-1)  # [s, r, m]
        agreement = [correlate(measured[a], measured[b]) for a, b in pairs]
        # pairs of different seeds: a seed drawn twice agrees with itself and says nothing
        cross = np.mean(agreement, axis=0)
        drawn = np.arange(len(rows))
        columns = []
        for predicted in predictions:
            said = rankdata(predicted[rows], axis=-1)
            by_seed = correlate(said, measured)  # [s, r]
            columns.append(np.mean([by_seed[own, drawn] for own in seeds.T], axis=0))
        return np.column_stack([*columns, cross])

    return resample_both(statistic, m, s, resamples, seed, confidence)


def _additive_fits(members: np.ndarray, target: np.ndarray) -> dict[str, np.ndarray]:
    """Return what additive fits to all coalitions, and to all others, say of each one."""
    m, n = members.shape
    if m <= n:
        return {}
    system = np.column_stack([np.ones(m), members])
    hat = system @ np.linalg.pinv(system)
    fitted, leverage = hat @ target, np.diag(hat)
    # the closed form of leaving one out; a coalition that its fit passes through predicts nothing
    free = np.maximum(1 - leverage, 1e-9)
    left_out = target - (target - fitted) / free
    return {ADDITIVE: fitted, LEFT_OUT: left_out}


def _tied(predictions: np.ndarray) -> np.ndarray:
    """Make predictions equal that differ by rounding alone, so that they share a rank."""
    spread = float(np.ptp(predictions))
    return np.round((predictions - predictions.min()) / spread, 9) if spread else predictions


def _root(interval: Interval) -> Interval:
    ends = [float(np.sqrt(max(x, 0.0))) for x in (interval.value, interval.low, interval.high)]
    return Interval(*ends)
