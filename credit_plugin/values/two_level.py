"""Two-level values: cheap utilities everywhere, exact ones (retraining) where they count.

What: :func:`two_level` estimates the Shapley values of the *exact* game from a large table of a
cheap one, for instance sparsified fine-tuning, and a small table of the exact one, for instance
retraining. The exact game is modelled as beta times the cheap one plus a difference
(:mod:`difference_model`); the difference is shrunk as far as both tables ask, so the values are the
proxy's when there is little exact evidence and those of retraining alone when there is much. They
sum to the exact game's v(full) - v(empty).

Coalitions need not be in both tables: an exact evaluation of a coalition that is not in the cheap
table says what the cheap game is there, too, though less than a pair would. What counts are
complement pairs, of which only the half difference matters (:mod:`half_differences`). The beginning
of the cheap table's ``paired_border`` design is a good choice.

Intervals: the conditional covariance, given both tables, of all that the values rest on: seeds of
both, coalitions that neither evaluated, and the difference where it was shrunk, which is what
resampling cannot see. With Student's quantile, because noise and weights are themselves estimates:
Satterthwaite's degrees of freedom, those of the repeats for the noise and as many as exact half
differences for the rest. ``draws`` are from the same distribution.

Measured (``tests/benchmarks/two_level.py``): nine pairs of games of 8 to 10 contributors, utilities
correlated at .965, Shapley values that differ by a relative squared error of .04, 128 cheap
evaluations, normal noise on all. Relative squared error with R exact evaluations, repeats included,
and coverage of nominal .95:

    R                            2n     3n     4n     6n     8n
    noise .1   proxy alone      .042
               retraining alone .130   .055   .021   .0066  .0040
               two-level        .0093  .0063  .0042  .0023  .0016
               coverage         .98    .96    .93    .96    .96
    noise .3   proxy alone      .046
               retraining alone .142   .070   .038   .016   .011
               two-level        .014   .012   .010   .0080  .0064
               coverage         .99    .97    .94    .94    .96

In single pairs coverage is .88 or more, and none had it worse than the better of both. What it
saves depends on how hard retraining alone has it: at 6n it leaves .35 (noise .1) and .48 (noise .3)
of the error; in the six games of digits .24 and .40, in the saturating ones, which are nearly
additive, .6 to .8. Even cheap utilities of all coalitions without noise would leave .24 and .41. A
cheap game that has nothing to do with the exact one costs little from 4n on; at 2n the error is up
to twice that of retraining alone.

Tried beside it at 6n, noise .1 and .3, as parts of the error of retraining alone: plain difference
(``regression_adjusted`` of the cheap table and of the paired differences) .56 and 1.01; the same
without the stratified residual .74 and .98; with beta and the weight of cheap residuals chosen by
likelihood and half of the stratified residual .60 and .69; a Gaussian model of whole utilities
instead of half differences .47 and .57, with twice as many weights.

Source: two levels of fidelity as in Kennedy and O'Hagan (Biometrika 2000); see the two modules for
departures.
"""

from typing import Any, overload

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.game.coalitions import row_keys
from credit_plugin.game.table import UtilityTable
from credit_plugin.seeding import numpy_generator
from credit_plugin.values.difference_model import (
    Posterior,
    Settings,
    TwoGames,
    left_out_errors,
    most_likely,
    posterior,
    two_games,
)
from credit_plugin.values.half_differences import half_differences
from credit_plugin.values.observations import Observations, observe
from credit_plugin.values.result import ContributorValues
from credit_plugin.values.uncertainty import check_settings

NAME = "two_level"


@overload
def two_level(
    cheap: UtilityTable,
    exact: UtilityTable,
    seed: int = ...,
    *,
    property: str,
    confidence: float = ...,
    resamples: int = ...,
) -> ContributorValues: ...


@overload
def two_level(
    cheap: UtilityTable,
    exact: UtilityTable,
    seed: int = ...,
    *,
    property: None = ...,
    confidence: float = ...,
    resamples: int = ...,
) -> Any: ...


def two_level(
    cheap: UtilityTable,
    exact: UtilityTable,
    seed: int = 0,
    *,
    property: str | None = None,
    confidence: float = 0.95,
    resamples: int = 400,
) -> ContributorValues | dict[str, ContributorValues]:
    """Estimate the Shapley values of an exact game with the help of a cheap one.

    Args:
        cheap: Utilities of the cheap game, in the same unit; the more coalitions the better.
        exact: Utilities of the exact game for the same contributors, some of the same coalitions.
            Both tables hold the empty and the full coalition and some other, and repeats of a few,
            which tell how large the seed noise is.
        seed: Determines the draws; values, standard errors and intervals do not depend on it.
        property: Which property; by default each that the exact table holds.
        confidence: Level of the intervals, between 0 and 1.
        resamples: How many draws, at least 2.

    Returns:
        The values; a dict of them by property if ``property`` is None and the exact table holds
        several. They sum to the exact v(full) - v(empty). The diagnostics hold ``evaluations``
        (both tables), ``exact_evaluations``, ``coalitions`` (distinct ones of both), ``paired``
        (of the exact table's, those that the cheap one holds), ``seed_noise`` and
        ``seed_noise_degrees`` of the exact table and ``cheap_seed_noise``; ``scale`` (beta) and
        ``difference_weight`` (0: the difference between the games rests on the prior alone, the
        values are the proxy's; 1: it is measured); ``left_out_error`` of ``_two_level``,
        ``_exact_alone`` and ``_proxy_alone`` (root mean squared error of predicting the half
        differences of the exact table without the pair itself); ``standard_error_cheap_seeds``,
        ``_exact_seeds`` and ``_coalitions`` (the rest: coalitions that were not evaluated), root
        means of squares over contributors; ``intervals`` (what they include, in words).

    Raises:
        InputError: If the contributors differ, a table lacks the property, the empty, the full or
            any other coalition, or an argument is out of range.
    """
    check_settings(confidence, resamples)
    if cheap.contributors != exact.contributors:
        raise InputError(
            "exact: its contributors differ from the cheap table's; both need the same ones in the "
            "same order"
        )
    names = exact.property_names if property is None else (property,)
    found = {
        name: _one_property(cheap.select(name), exact.select(name), seed, confidence, resamples)
        for name in names
    }
    return found if len(found) > 1 else found[names[0]]


def _one_property(
    cheap: UtilityTable, exact: UtilityTable, seed: int, confidence: float, draws: int
) -> ContributorValues:
    tables = (_observe(cheap, "cheap"), _observe(exact, "exact"))
    games = two_games(*((observed, half_differences(observed)) for observed in tables))
    settings = most_likely(games)
    found = posterior(games, settings)
    observed, n = tables[1], exact.n_contributors
    total_variance = float(observed.noise_variance[[observed.empty, observed.full]].sum())
    values = observed.gap(observed.utilities) / n + found.deviations
    variances = _variances(found, total_variance / n**2)
    half = _margins(variances, tables, int(games.is_exact.sum()), confidence)
    return ContributorValues(
        contributors=exact.contributors,
        values=values,
        standard_errors=np.sqrt(variances.sum(axis=0)),
        ci_low=values - half,
        ci_high=values + half,
        v_empty=float(observed.utilities[observed.empty]),
        v_full=float(observed.utilities[observed.full]),
        estimator=NAME,
        property=exact.properties[0],
        confidence=confidence,
        draws=values + _draw(found.covariance, total_variance, draws, seed),
        diagnostics={
            **_describe(cheap, exact, tables),
            "scale": settings.scale,
            "difference_weight": found.weight,
            **_left_out(games, settings),
            **_parts(variances),
        },
    )


def _observe(table: UtilityTable, which: str) -> Observations:
    try:
        observed = observe(table)
        observed.need_interior()
    except InputError as error:
        raise InputError(f"{which} {error}") from None
    return observed


def _variances(found: Posterior, of_total: float) -> np.ndarray:
    """Return each value's variance by cheap seeds, exact seeds and the rest, float64 [3, n]."""
    cheap, exact = (np.diag(part) for part in found.seeds)
    rest = np.diag(found.covariance) - cheap - exact
    return np.array([cheap, exact + of_total, rest.clip(min=0)])


def _margins(
    variances: np.ndarray,
    tables: tuple[Observations, Observations],
    evidence: int,
    confidence: float,
) -> np.ndarray:
    """Return the half-widths of the intervals, float64 [n]."""
    from scipy.special import stdtrit  # half a second that tables alone need not pay

    known = [table.noise_degrees or evidence for table in tables]
    degrees = np.array([*known, evidence], dtype=np.float64)[:, None]
    variance = variances.sum(axis=0)
    spread = (variances**2 / degrees).sum(axis=0)
    freedom = np.divide(variance**2, spread, out=np.full(len(spread), np.inf), where=spread > 0)
    return np.asarray(stdtrit(freedom, (1 + confidence) / 2) * np.sqrt(variance))


def _draw(covariance: np.ndarray, total_variance: float, count: int, seed: int) -> np.ndarray:
    """Return draws of the values about their mean, float64 [count, n]."""
    generator = numpy_generator(seed, "", "two-level draws")
    n = len(covariance)
    eigenvalues, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(eigenvalues.clip(min=0))
    totals = total_variance**0.5 * generator.standard_normal((count, 1))
    return np.asarray(generator.standard_normal((count, n)) @ root.T + totals / n)


def _describe(
    cheap: UtilityTable, exact: UtilityTable, tables: tuple[Observations, Observations]
) -> dict[str, float | int | str]:
    keys = [{key.tobytes() for key in row_keys(table.coalitions)} for table in tables]
    noisy = all(table.noise_degrees for table in tables)
    return {
        "evaluations": len(cheap) + len(exact),
        "exact_evaluations": len(exact),
        "coalitions": len(keys[0] | keys[1]),
        "paired": len(keys[0] & keys[1]),
        "seed_noise": tables[1].noise_sd,
        "seed_noise_degrees": tables[1].noise_degrees,
        "cheap_seed_noise": tables[0].noise_sd,
        "intervals": "choice of coalitions, seed noise of both tables and shrinkage"
        + ("" if noisy else "; a table has no repeats, so its seed noise is a guess"),
    }


def _left_out(games: TwoGames, settings: Settings) -> dict[str, float]:
    errors = left_out_errors(games, settings)
    return {f"left_out_error_{name}": float((e**2).mean() ** 0.5) for name, e in errors.items()}


def _parts(variances: np.ndarray) -> dict[str, float]:
    names = ("cheap_seeds", "exact_seeds", "coalitions")
    sizes = np.sqrt(variances.mean(axis=1))
    return {f"standard_error_{name}": float(s) for name, s in zip(names, sizes, strict=True)}
