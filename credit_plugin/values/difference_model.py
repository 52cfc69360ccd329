"""A Gaussian model of two games: the exact one is beta times the cheap one plus a difference.

What: the odd parts (:mod:`half_differences`) of the cheap game c and of the difference d are
independent draws from that module's prior, each with weights of its own, and

    half differences of the cheap table  =  c + noise,
    half differences of the exact table  =  beta c + d + noise.

The weights, beta and the two noises are those of the greatest posterior density given both tables.
Priors are wide: logarithms of weights have standard deviation 2; beta, which mends the scale of the
cheap game, is 1 +- 0.5; the variance of a noise is known as well as the table's repeats tell. The
difference may be as large as the exact game, so a cheap game that hardly varies cannot silence it.
Given these, everything is linear: the conditional mean and covariance of the values of beta c + d.

So the difference is shrunk as far as both tables together ask (marginal likelihood): with few exact
evaluations its weights stay small and the values are the proxy's; the more there are, the more of
it is believed; and where the cheap game says nothing, beta is small and d is the exact game.

Errors: values and standard errors in the unit of the property. Cost: some 50 inversions of a matrix
with as many rows as there are half differences, at most 400 of each table; then one with all.

Source: autoregressive cokriging, Kennedy and O'Hagan, "Predicting the output from a complex
computer code when fast approximations are available" (Biometrika 2000). Departure: a prior over odd
games, of which only Shapley values are asked.
"""

from dataclasses import dataclass, replace

import numpy as np

from credit_plugin.values.half_differences import (
    WEIGHTS,
    HalfDifferences,
    covariances,
    value_covariances,
    value_variances,
)
from credit_plugin.values.observations import Observations

# the middle of the prior of a, b, c, e: of the cheap game in units of its half differences' mean
# square, of the difference in units of the larger one of both tables' mean squares
_CHEAP = np.array([3.0, 1.0, 0.1, 1.0])
_DIFFERENCE = np.array([0.03, 0.1, 0.03, 0.1])
_WEIGHTS_SD = 2.0  # of their logarithms
_SCALE_SD = 0.5
_FARTHEST = 4.0  # standard deviations from the middle

# the noise where nothing was repeated, and the least that is taken for more than rounding
_UNKNOWN_NOISE, _UNKNOWN_NOISE_SD = 1e-2, 3.0
_LEAST_NOISE = 1e-8

_FITTED = 400  # half differences of each table that choose the weights


@dataclass(frozen=True, eq=False)
class TwoGames:
    """Half differences of both tables, one below the other, in a common unit.

    Attributes:
        signs: float64 [p, n].
        values: float64 [p].
        noise: float64 [p], in units of one evaluation's.
        lone: bool [p].
        is_exact: bool [p], which table.
        larger: How many times the exact values' mean square is the cheap ones', at least 1.
        unit: What a value of 1 is in the unit of the property.
        noise_logs: float64 [2], logarithm of the variance of one evaluation, cheap and exact.
        noise_sds: float64 [2], how well these are known.
    """

    signs: np.ndarray
    values: np.ndarray
    noise: np.ndarray
    lone: np.ndarray
    is_exact: np.ndarray
    larger: float
    unit: float
    noise_logs: np.ndarray
    noise_sds: np.ndarray

    def beginning(self) -> "TwoGames":
        """Return as many half differences of each table as choose the weights."""
        x = self.is_exact
        keep = np.where(x, np.cumsum(x), np.cumsum(~x)) <= _FITTED
        return replace(
            self,
            signs=self.signs[keep],
            values=self.values[keep],
            noise=self.noise[keep],
            lone=self.lone[keep],
            is_exact=x[keep],
        )


def two_games(
    cheap: tuple[Observations, HalfDifferences], exact: tuple[Observations, HalfDifferences]
) -> TwoGames:
    """Put the half differences of two tables together."""
    both = (cheap[1], exact[1])
    squares = [float((h.values**2).mean()) for h in both]
    square = squares[0] or squares[1] or 1.0
    larger = max(1.0, squares[1] / square)
    noises = [_known_noise(cheap[0], square, 1.0), _known_noise(exact[0], square, larger)]
    return TwoGames(
        signs=np.concatenate([h.signs for h in both]),
        values=np.concatenate([h.values for h in both]) / square**0.5,
        noise=np.concatenate([h.noise for h in both]),
        lone=np.concatenate([h.lone for h in both]),
        is_exact=np.repeat([False, True], [len(h.values) for h in both]),
        larger=larger,
        unit=square**0.5,
        noise_logs=np.array([log for log, _ in noises]),
        noise_sds=np.array([sd for _, sd in noises]),
    )


def _known_noise(observed: Observations, square: float, size: float) -> tuple[float, float]:
    """Return the logarithm of the noise's variance in a unit, for values of a mean square."""
    if not observed.noise_degrees:
        return float(np.log(_UNKNOWN_NOISE * size)), _UNKNOWN_NOISE_SD
    variance = observed.noise_sd**2 / square
    return float(np.log(max(variance, _LEAST_NOISE * size))), (2 / observed.noise_degrees) ** 0.5


@dataclass(frozen=True, eq=False)
class Settings:
    """What the model takes as known.

    Attributes:
        cheap: float64 [4], weights of the cheap game's prior.
        difference: float64 [4], weights of the difference's.
        scale: beta.
        noises: float64 [2], variance of one evaluation, cheap and exact, in the common unit.
    """

    cheap: np.ndarray
    difference: np.ndarray
    scale: float
    noises: np.ndarray

    @classmethod
    def from_vector(cls, vector: np.ndarray) -> "Settings":
        """Take apart logarithms of weights, beta, and logarithms of noises."""
        cheap, difference = np.exp(vector[: 2 * WEIGHTS]).reshape(2, WEIGHTS)
        return cls(cheap, difference, float(vector[2 * WEIGHTS]), np.exp(vector[-2:]))


def most_likely(games: TwoGames) -> Settings:
    """Return the settings of the greatest posterior density."""
    from scipy.optimize import minimize  # a tenth of a second that tables alone need not pay

    games = games.beginning()
    # a cheap game that hardly varies must not make the exact one's difference unlikely
    weights = np.log([*_CHEAP, *(_DIFFERENCE * games.larger)])
    centre = np.array([*weights, 1.0, *games.noise_logs])
    spread = np.array([*[_WEIGHTS_SD] * len(weights), _SCALE_SD, *games.noise_sds])
    basis = covariances(games.signs, games.lone)

    def loss(moved: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = _deviance(games, basis, centre + spread * moved)
        return value + float(moved @ moved) / 2, slope * spread + moved

    bounds = [(-_FARTHEST, _FARTHEST)] * len(centre)
    found = minimize(loss, np.zeros(len(centre)), jac=True, method="L-BFGS-B", bounds=bounds)
    return Settings.from_vector(centre + spread * found.x)


def _deviance(games: TwoGames, basis: np.ndarray, vector: np.ndarray) -> tuple[float, np.ndarray]:
    """Return minus the log-likelihood and its derivative by the settings."""
    settings, x = Settings.from_vector(vector), games.is_exact
    factor = np.where(x, settings.scale, 1.0)
    covariance = covariance_of(games, basis, settings)
    lower = np.linalg.cholesky(covariance)
    inverse = np.linalg.inv(covariance)
    explained = inverse @ games.values
    value = float(games.values @ explained) / 2 + float(np.log(np.diag(lower)).sum())
    slack = (inverse - np.outer(explained, explained)) / 2
    scaled = slack * np.outer(factor, factor)
    by_cheap = settings.cheap * (basis * scaled).sum(axis=(1, 2))
    by_difference = settings.difference * (basis[:, x][:, :, x] * slack[x][:, x]).sum(axis=(1, 2))
    cheap = np.tensordot(settings.cheap, basis, 1)
    by_scale = 2 * float((cheap * slack * factor)[x].sum())
    noise = np.diag(slack) * games.noise
    by_noise = settings.noises * [noise[~x].sum(), noise[x].sum()]
    return value, np.concatenate([by_cheap, by_difference, [by_scale], by_noise])


def covariance_of(games: TwoGames, basis: np.ndarray, settings: Settings) -> np.ndarray:
    """Return the covariance of all half differences, noise included, float64 [p, p]."""
    x = games.is_exact
    factor = np.where(x, settings.scale, 1.0)
    covariance = np.tensordot(settings.cheap, basis, 1) * np.outer(factor, factor)
    covariance += np.tensordot(settings.difference, basis, 1) * np.outer(x, x)
    noise = games.noise * settings.noises[x.astype(np.int64)]
    rounding = np.where(x, games.larger, 1.0) * _LEAST_NOISE
    return np.asarray(covariance + np.diag(noise + rounding))


@dataclass(frozen=True, eq=False)
class Posterior:
    """What the model says of the exact game's values, in the unit of the property.

    Attributes:
        deviations: float64 [n], of the values from their mean.
        covariance: float64 [n, n].
        seeds: float64 [2, n, n], what of it comes from the noise of the cheap and exact table.
        weight: How much of the difference the exact table decides, 0 to 1.
    """

    deviations: np.ndarray
    covariance: np.ndarray
    seeds: np.ndarray
    weight: float


def posterior(games: TwoGames, settings: Settings) -> Posterior:
    """Condition the exact game's values on both tables."""
    x, n = games.is_exact, games.signs.shape[1]
    inverse = np.linalg.inv(covariance_of(games, covariances(games.signs, games.lone), settings))
    basis, spread = value_covariances(games.signs), value_variances(n)
    centring = np.eye(n) - 1 / n
    factor = np.where(x, settings.scale, 1.0) * settings.scale
    of_difference = np.tensordot(settings.difference, basis, 1) * x
    towards = np.tensordot(settings.cheap, basis, 1) * factor + of_difference
    solution = towards @ inverse
    unknown = float(settings.difference @ spread)
    prior = settings.scale**2 * float(settings.cheap @ spread) + unknown
    noise = games.noise * settings.noises[x.astype(np.int64)]
    decided = np.trace(of_difference @ inverse @ of_difference.T) / (unknown * (n - 1))
    square = games.unit**2
    return Posterior(
        deviations=solution @ games.values * games.unit,
        covariance=(prior * centring - solution @ towards.T) * square,
        seeds=np.array([(solution[:, y] * noise[y]) @ solution[:, y].T for y in (~x, x)]) * square,
        weight=float(decided),
    )


def left_out_errors(games: TwoGames, settings: Settings) -> dict[str, np.ndarray]:
    """Return how far off each exact half difference is predicted without it.

    Returns:
        By ``two_level``, ``exact_alone`` and ``proxy_alone`` (the cheap game as it is), in the unit
        of the property, one for each half difference of the exact table.
    """
    x, y = games.is_exact, games.values
    basis = covariances(games.signs, games.lone)
    covariance = covariance_of(games, basis, settings)
    inverse, alone = np.linalg.inv(covariance), np.linalg.inv(covariance[x][:, x])
    across = np.tensordot(settings.cheap, basis, 1)[x][:, ~x]
    errors = {
        "two_level": (inverse @ y / np.diag(inverse))[x],
        "exact_alone": alone @ y[x] / np.diag(alone),
        "proxy_alone": y[x] - across @ np.linalg.solve(covariance[~x][:, ~x], y[~x]),
    }
    return {name: error * games.unit for name, error in errors.items()}
