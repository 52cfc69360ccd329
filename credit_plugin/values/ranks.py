"""Ranks: who is above whom, and how sure that is.

What: three readings of the differences of values over the resamples (:mod:`uncertainty`), for
which the errors that contributors share, such as those of v(full) and v(empty), cancel.

* **Pairs.** The chance that i is above j, Phi((phi_i - phi_j) / s_ij), with s_ij the standard
  deviation of the difference over the resamples.
* **Intervals.** A confidence set of each contributor's rank, 1 for the highest value. With

      c_i = quantile over resamples of the max over j of |d_ij - mean d_ij| / s_ij,

  where d_ij is the difference in a resample, all differences of i lie within c_i s_ij of their
  estimates at once, at the confidence asked for. So j is above i for sure if phi_j - phi_i is above
  c_i s_ij, below for sure if it is below -c_i s_ij, and the rank of i is between 1 + #above and
  n - #below. The level holds for each contributor alone, like that of its value's interval: of
  twenty sets at 95 % one may be wrong.
* **Settled ranks.** How many of these sets hold one rank.

Deviations are from the mean of the draws and not from the values: shrinkage makes redrawn values
lie off the estimate on average, which is no spread. Three steps keep c_i honest where little is
known. The quantile is the ceil((r + 1) confidence)-th smallest of r maxima; if r is too small for
it, nothing is sure. It is turned into the quantile of Student's t that has the same tail as c_i
has under the normal law, with the degrees of freedom that the intervals of the values were made
with (the fewer of i's and j's), and at most r - 1. A difference without any spread is known: it is
sure unless it is 0 but for rounding.

Errors: values without draws (those read from JSON) are an error. Measured on 1,800 tables of noisy
saturating games (8 to 20 contributors, 48 to 256 evaluations, equal contributors in a third of
them; nominal .95): a set holds the true rank, with ties all ranks it may have, .998 of the time,
all sets of a table .986, and of 902 settled ranks 4 are wrong. The sets are wider than their level
asks because most contributors are not next to a tie. Where half of the contributors are equal and
the other half nearly so, a set holds them .99 of the time, all sets of a table .92 to 1.00; without
Student's t .90 to .98.

Cost: n r numbers at a time, n times: 1.3 s and 30 MB for 1,000 contributors and 200 resamples.

Source: Mogstad, Romano, Shaikh and Wilhelm, "Inference for ranks with applications to mobility
across neighbourhoods and academic achievement across countries" (Review of Economic Studies, 2024),
the single-step sets for one rank. Departures: the widening by Student's t, the quantile for few
resamples, and no stepwise improvement.
"""

from collections.abc import Iterator
from math import ceil

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.values.result import ContributorValues

# Relative to values and utilities, differences below this are rounding
_ROUNDING = 1e-12

# With more degrees of freedom than these, Student's t is the normal law to six digits
_NORMAL_DEGREES = 1e6


def probability_above(values: ContributorValues) -> np.ndarray:
    """Return the chance that one contributor's value is above another's, by the normal law.

    Args:
        values: Values with their draws.

    Returns:
        float64 [n, n]: entry [i, j] is the chance that i is above j; .5 on the diagonal, and 1, 0
        or .5 (tie) where a difference has no spread.

    Raises:
        InputError: If there are no draws.
    """
    from scipy.special import ndtr

    chances = np.empty((len(values.values),) * 2)
    for player, (gaps, spread, _) in enumerate(_differences(values)):
        chances[player] = ndtr(-_ratio(gaps, spread))
    return chances


def rank_intervals(values: ContributorValues, confidence: float | None = None) -> np.ndarray:
    """Return confidence sets of the ranks.

    Args:
        values: Values with their draws.
        confidence: Level of each set, between 0 and 1; by default that of the values' intervals.

    Returns:
        int64 [n, 2], best and worst rank of each contributor; rank 1 has the highest value.

    Raises:
        InputError: If there are no draws, or the level is out of range.
    """
    level = values.confidence if confidence is None else confidence
    if not 0 < level < 1:
        raise InputError(f"confidence: {level} is not between 0 and 1")
    degrees = _degrees(values)
    n = len(values.values)
    ranks = np.empty((n, 2), dtype=np.int64)
    for player, (gaps, spread, largest) in enumerate(_differences(values)):
        critical = _students(_upper(largest, level), np.minimum(degrees, degrees[player]))
        apart = np.abs(_ratio(gaps, spread)) > critical
        ranks[player] = 1 + (apart & (gaps > 0)).sum(), n - (apart & (gaps < 0)).sum()
    return ranks


def settled_ranks(values: ContributorValues, confidence: float | None = None) -> int:
    """Return how many contributors' confidence sets hold one rank.

    Raises:
        InputError: As :func:`rank_intervals`.
    """
    best, worst = rank_intervals(values, confidence).T
    return int((best == worst).sum())


def need_draws(values: ContributorValues) -> np.ndarray:
    """Return the draws of values, float64 [r, n].

    Raises:
        InputError: If there are fewer than two.
    """
    if len(values.draws) < 2:
        raise InputError(
            f"values: {len(values.draws)} draws are too few for ranks and shares (values read from "
            "JSON hold none); estimate them again from the utility table"
        )
    return values.draws


def rounding_error(values: ContributorValues) -> float:
    """Return what values may differ by without differing."""
    numbers = (values.v_empty, values.v_full, *values.values)
    return _ROUNDING * float(np.abs(numbers).max())


def _differences(
    values: ContributorValues,
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield for each player how far the others are above it.

    Yields:
        gaps: float64 [n], value of each other minus the player's; 0 if that is rounding.
        spread: float64 [n], standard deviation of the gap; 0 if that is rounding.
        largest: float64 [r], the largest studentised deviation of a gap in each draw.
    """
    draws = need_draws(values)
    deviations = draws - draws.mean(axis=0)
    rounding = rounding_error(values)
    for player, value in enumerate(values.values):
        gaps = values.values - value
        moves = deviations - deviations[:, [player]]
        spread = np.sqrt((moves**2).sum(axis=0) / (len(draws) - 1))
        gaps[np.abs(gaps) <= rounding] = 0.0
        spread[spread <= rounding] = 0.0
        moving = np.flatnonzero(spread)
        studentised = np.abs(moves[:, moving]) / spread[moving]
        yield gaps, spread, studentised.max(axis=1, initial=0.0)


def _ratio(gaps: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Return gaps in units of their spread, [n]; without spread 0 for a tie, else infinite."""
    ratio = np.where(gaps == 0, 0.0, np.copysign(np.inf, gaps))
    np.divide(gaps, spread, out=ratio, where=spread > 0)
    return ratio


def _upper(sample: np.ndarray, level: float) -> float:
    """Return an upper bound of a quantile; infinite if the sample [r] is too small for it."""
    position = ceil((len(sample) + 1) * level)
    return float(np.sort(sample)[position - 1]) if position <= len(sample) else np.inf


def _students(critical: float, degrees: np.ndarray) -> np.ndarray:
    """Return what is as rare under Student's t as ``critical`` is under the normal law, [n]."""
    from scipy.special import ndtr, stdtrit

    if critical == 0 or np.isinf(critical):
        return np.full(len(degrees), critical)
    return np.asarray(-stdtrit(degrees, ndtr(-critical)))


def _degrees(values: ContributorValues) -> np.ndarray:
    """Return the degrees of freedom behind the values' intervals, [n], from their widths."""
    from scipy.special import ndtri, stdtridf

    level = (1 + values.confidence) / 2
    known = values.standard_errors > rounding_error(values)
    quantiles = np.full(len(known), ndtri(level))
    half = values.ci_high - values.values
    np.divide(half, values.standard_errors, out=quantiles, where=known)
    few = quantiles > -ndtri(1 - level) * (1 + 1 / _NORMAL_DEGREES)
    degrees = np.full(len(known), _NORMAL_DEGREES)
    degrees[few] = stdtridf(level, quantiles[few])
    return np.minimum(degrees, len(need_draws(values)) - 1)
