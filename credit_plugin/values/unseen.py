"""What too few coalitions do not show: the error that no resampling sees.

With few coalitions for each player an estimator draws the players' values together (it shrinks
them) and reads their effects at sizes where hardly anything was evaluated off those at other sizes.
Both move a value by an error that is the same in every resample of the table, so intervals of the
bootstrap alone are too narrow: with 2.4 evaluations a player they contain .1 to .9 of the exact
values at nominal .95 (``python -m tests.benchmarks.few_coalitions``).

So games are drawn that look like the measured one but whose values are known, the estimator is
asked for the values of these, from the same coalitions, and its mean squared error is what the
stated variance must reach at least. In such a game

    v(S) = sum over i in S of c_i(|S|),        phi_i = mean over sizes z = 1..n-1 of c_i(z)

with effects c_i(z) that sum to 0 over players at each size (phi is then exact). Utilities of one
size vary as measured beyond seed noise, as if all of it came from effects of single players. A part
of them is the same at every size: the share of the variance that an additive model predicts of
pairs that it was not fitted to. The rest follows the variance at each size, whose logarithm is
interpolated over log(z / (n - z)), since effects fade by powers of the size, and correlates between
sizes by exp(-distance/length), where the length is such that effects of being alone and of being
missing correlate as measured; 1 where they were not measured.

Source: intervals that count the bias of a smoother by a prior on what is smoothed are Wahba's
(JRSS B 1983) and Nychka's (JASA 1988); drawing games by effects of size and player is this
project's own, as is taking the larger of the two variances (:mod:`interactions` draws games of
pairs for the same reason). Measured (same command, 12 to 50 players and 2.4 to 5 evaluations for
each): intervals contain .84 to 1.00, .95 on average, by the bootstrap alone .12 to 1.00 and .80.
Where no size in the middle was seen they get wide, up to six times the error: nothing says there
that effects are the same. From six coalitions a player on the bootstrap is hardly ever less than
this, and nothing is added.
"""

from typing import Any

import numpy as np

from credit_plugin.game.coalitions import complements
from credit_plugin.seeding import numpy_generator
from credit_plugin.values.observations import Observations
from credit_plugin.values.penalty import left_out_variance
from credit_plugin.values.readout import SHAPLEY, Readout
from credit_plugin.values.units import SMALLEST_STRATUM, pool_small_strata

Groups = list[tuple[np.ndarray, float]]
"""Rows of neighbouring sizes, and the variance of their utilities there."""

FEW = 6
"""Distinct coalitions for each player from which on the bootstrap alone is trusted."""

_GAMES = 100
_LEAST = 0.05  # of a size's variance is never taken for seed noise
_LEAST_ALIKE, _MOST_ALIKE = 0.1, 0.999  # correlation that the two borders may show


def unseen_variance(observed: Observations, readout: Readout, seed: int) -> float:
    """Return the mean squared error of an estimator on games that look like the measured one.

    Args:
        observed: The observations.
        readout: The estimator that was prepared for them.
        seed: Determines the games.

    Returns:
        The mean over players and games; 0 where coalitions are many, where all were evaluated, and
        for other quantities than the Shapley value.
    """
    n, count = observed.n_players, len(observed.utilities)
    if readout.quantity != SHAPLEY or count >= min(FEW * n, 2**n):
        return 0.0
    games, values = games_like(observed, _GAMES, numpy_generator(seed, "", "unseen effects"))
    ones = np.ones(len(readout.strata))
    nothing = readout.solve(np.zeros((count, 1)), ones)
    return float(np.mean((readout.solve(games, ones) - nothing - values) ** 2))


def games_like(
    observed: Observations, count: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw games of players' effects that vary as much as the measured utilities do.

    Args:
        observed: The observations.
        count: Games.
        generator: Source of randomness.

    Returns:
        Utilities of the observed coalitions float64 [d, count], and the exact Shapley values
        float64 [n, count].
    """
    n, sizes = observed.n_players, observed.sizes
    groups = [
        (rows, _variance_around_line(sizes[rows], observed.utilities[rows]))
        for rows in _alike_in_size(observed)
    ]
    variance, whole = _variance_by_size(observed, groups)
    share, memory = _predicted_share(observed, groups), np.exp(-1 / (n * _length(observed)))
    same = np.sqrt(share * whole) * generator.standard_normal((n, count))
    varying, state = np.sqrt((1 - share) * variance), generator.standard_normal((n, count))
    utilities, values = np.zeros((len(sizes), count)), np.zeros((n, count))
    for size in range(1, n):
        effects = same + varying[size - 1] * state
        effects -= effects.mean(axis=0)
        values += effects / (n - 1)
        rows = np.flatnonzero(sizes == size)
        utilities[rows] = observed.coalitions[rows].astype(np.float64) @ effects
        fresh = generator.standard_normal((n, count))
        state = memory * state + np.sqrt(1 - memory**2) * fresh
    return utilities, values


def _variance_by_size(observed: Observations, groups: Groups) -> tuple[np.ndarray, float]:
    """Return the variance over players of effects at sizes 1..n-1, float64 [n-1], and over all."""
    n = observed.n_players
    centres, logs, sums = [], [], np.zeros(2)
    for rows, variance in groups:
        own = observed.sizes[rows]
        variance = max(variance - observed.noise_variance[rows].mean(), _LEAST * variance)
        # n effects of variance 1 make sums over z of them vary by z (n - z) / n
        scale = float((own * (n - own) / n).mean())
        sums += len(rows) * variance, len(rows) * scale
        centres.append(_odds(own.mean(), n))
        logs.append(np.log(max(variance / scale, np.finfo(float).tiny)))
    order = np.argsort(centres)
    every = np.interp(_odds(np.arange(1, n), n), np.array(centres)[order], np.array(logs)[order])
    return np.exp(every), float(sums[0] / sums[1])


def _odds(size: Any, n: int) -> Any:
    """Return the logarithm of size / (n - size)."""
    return np.log(size / (n - size))


def _predicted_share(observed: Observations, groups: Groups) -> float:
    """Return the share of the variance at a size that effects predict which no size changes."""
    inner = observed.interior
    members, target = observed.coalitions[inner] - 0.5, observed.utilities[inner]
    noise = float(observed.noise_variance[inner].mean())
    error = left_out_variance(members, target, complements(observed.coalitions[inner])) - noise
    around, counts = [found for _, found in groups], [len(rows) for rows, _ in groups]
    whole = float(np.average(around, weights=counts)) - noise
    return float(np.clip(1 - max(error, 0.0) / whole, 0.0, 1.0)) if whole > 0 else 0.0


def _alike_in_size(observed: Observations) -> list[np.ndarray]:
    """Return the rows of each size that has three, and of neighbouring sizes that have fewer.

    A size of many rows is not joined with its neighbours: of single players all may be known, and
    they differ more than larger coalitions do.
    """
    rows = observed.interior[np.argsort(observed.sizes[observed.interior], kind="stable")]
    sizes = observed.sizes[rows]
    many = np.bincount(sizes)[sizes] >= SMALLEST_STRATUM
    if (~many).sum() < SMALLEST_STRATUM and many.any():
        rows, sizes, many = rows[many], sizes[many], many[many]  # a few more say nothing
    label = sizes.copy()
    if not many.all():
        label[~many] = observed.n_players + pool_small_strata(sizes[~many])
    return [rows[label == own] for own in np.unique(label)]


def _variance_around_line(sizes: np.ndarray, utilities: np.ndarray) -> float:
    """Return the variance of utilities beside what their sizes explain linearly."""
    known = np.unique(sizes)
    system = np.stack([np.ones(len(sizes)), sizes - sizes.mean()], axis=1)[:, : len(known)]
    rest = utilities - system @ np.linalg.lstsq(system, utilities, rcond=None)[0]
    return float(rest @ rest) / max(len(sizes) - system.shape[1], 1)


def _length(observed: Observations) -> float:
    """Return over which part of all sizes effects of a player stay alike."""
    n, alone = observed.n_players, np.full(observed.n_players, np.nan)
    missing = alone.copy()
    for row in np.flatnonzero(observed.sizes == 1):
        alone[observed.coalitions[row].argmax()] = observed.utilities[row]
    for row in np.flatnonzero(observed.sizes == n - 1):
        missing[observed.coalitions[row].argmin()] = -observed.utilities[row]
    both = np.isfinite(alone) & np.isfinite(missing)
    if both.sum() < 8 or np.ptp(alone[both]) == 0 or np.ptp(missing[both]) == 0:
        return 1.0
    correlation = np.corrcoef(alone[both], missing[both])[0, 1]
    return float(-1 / np.log(np.clip(correlation, _LEAST_ALIKE, _MOST_ALIKE)))
