"""Standard errors and intervals: what the choice of coalitions and the seeds leave open.

Three sources of error, drawn apart and added:

* **Choice of coalitions.** The units that the design drew by chance (complement pairs, see
  :mod:`units`) are redrawn within their strata, m - 1 out of m with replacement and weight
  m/(m - 1) each (Rao and Wu's rescaled bootstrap, JASA 1988): redrawing all m, as is common, makes
  the variance too small by (m - 1)/m, which is a lot for strata of three pairs. Where a single unit
  was drawn this part is unknown and left out; ``intervals`` says so, and the gate stays closed.
* **Seeds.** Every mean utility, those of enumerated layers and of the empty and the full coalition
  included, gets normal noise of the variance that repeated evaluations show, divided by the
  coalition's repeats. Without repeats in the table this part is unknown and left out; the
  diagnostic ``intervals`` says so.
* **What too few coalitions do not show**, the same in every resample (:mod:`unseen`): where the
  choice of coalitions moves values by less than an estimator is off on games that look like the
  measured one, the rest is added, the same for everybody.

Each resample is value + (bootstrap - value) + (noisy - value) + what the third adds, so it sums to
its own v(full) - v(empty). The interval is value +- t * standard error with Student's quantile,
because the noise rests on few repeats and the strata on few pairs: the degrees of freedom are
Satterthwaite's for a sum of two estimated variances (for each contributor).

Why so: on three families of games with exact values (``tests/benchmarks/coverage.py``: 8 to 12
contributors, 48 to 256 evaluations) it covers .97 on average at nominal .95, between .91 and 1.00
in single settings; without the third part .95, and .81 at four to six evaluations a contributor,
where shrinkage and sizes that were seen too rarely add an error that no resampling can see. With
fewer evaluations see :mod:`unseen`. Measured beside it, before the third part: percentile intervals
cover .03 less, redrawing all m units .01 to .02 less, and a Bayesian bootstrap .12 less, since it
never leaves a pair out. The noise is also in the redrawn units, so adding it to these too counts
part of it twice; leaving it out there costs .02 of coverage, and an interval that people are paid
by should rather be a little too wide.
"""

from dataclasses import dataclass

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.seeding import numpy_generator
from credit_plugin.values.observations import Observations
from credit_plugin.values.readout import Readout
from credit_plugin.values.unseen import unseen_variance

_UNSEEN = "an allowance for what so few coalitions do not show"
_NUMBERS_AT_ONCE = 2**22  # utilities that are perturbed in one go: 32 MB


@dataclass(frozen=True, eq=False)
class Resamples:
    """Values under other choices of coalitions and other seeds.

    Attributes:
        values: float64 [r, n].
        totals: float64 [r], v(full) - v(empty) of each resample; the sum of its values.
        standard_errors: float64 [n].
        degrees: float64 [n], degrees of freedom of the standard errors; infinite where they are 0.
        sources: What the resamples include, in words.
    """

    values: np.ndarray
    totals: np.ndarray
    standard_errors: np.ndarray
    degrees: np.ndarray
    sources: str


def check_settings(confidence: float, resamples: int) -> None:
    """Refuse levels and numbers of resamples that give no intervals.

    Raises:
        InputError: One line that names the setting.
    """
    if not 0 < confidence < 1:
        raise InputError(f"confidence: {confidence} is not between 0 and 1")
    if (1 + confidence) / 2 == 1:  # by rounding
        raise InputError(
            f"confidence: {confidence} is 1 but for rounding, so intervals would have no ends; "
            "use 0.999"
        )
    if resamples < 2:
        raise InputError(f"resamples: {resamples} is too few; use at least 2")


def resample(observed: Observations, readout: Readout, count: int, seed: int) -> Resamples:
    """Draw ``count`` resamples of an estimate.

    Args:
        observed: The observations.
        readout: The estimator that was prepared for them.
        count: Resamples, at least 2.
        seed: Determines all draws.
    """
    strata = readout.strata
    chosen = _other_choices(observed, readout, count, numpy_generator(seed, "", "bootstrap"))
    noisy, totals = _other_seeds(observed, readout, count, numpy_generator(seed, "", "seed noise"))
    utilities, ones = observed.utilities[:, None], np.ones(len(strata))
    values = readout.solve(utilities, ones)[:, 0]
    parts = [(chosen.var(axis=0, ddof=1), len(strata) - len(np.unique(strata)))]
    parts += [(noisy.var(axis=0, ddof=1), observed.noise_degrees)]
    unseen = max(0.0, unseen_variance(observed, readout, seed) - float(parts[0][0].mean()))
    variance = parts[0][0] + parts[1][0] + unseen
    spread = sum(part**2 / max(degrees, 1) for part, degrees in parts)
    degrees = np.full(len(values), np.inf)
    np.divide(variance**2, spread, out=degrees, where=spread > 0)
    return Resamples(
        values=chosen + noisy - values + _apart(count, len(values), unseen, seed),
        totals=totals,
        standard_errors=np.sqrt(variance),
        degrees=degrees,
        sources=_sources(readout, observed.noise_degrees > 0, unseen > 0),
    )


def margins(resamples: Resamples, confidence: float) -> np.ndarray:
    """Return the half-widths of the intervals at a level between 0 and 1, float64 [n]."""
    from scipy.special import ndtri, stdtrit  # half a second that tables alone need not pay

    level = (1 + confidence) / 2
    known = np.isfinite(resamples.degrees)
    quantiles = np.full(len(known), ndtri(level))
    quantiles[known] = stdtrit(resamples.degrees[known], level)
    return np.asarray(quantiles * resamples.standard_errors)


def draw_weights(strata: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """Redraw units within strata, one fewer than there are, rescaled.

    Args:
        strata: int64 [u]; a stratum with a single unit keeps it.
        count: Number of redraws.
        generator: Source of randomness.

    Returns:
        float64 [count, u], mean 1 in each stratum.
    """
    weights = np.ones((count, len(strata)))
    for label in np.unique(strata):
        units = np.flatnonzero(strata == label)
        m = len(units)
        if m > 1:
            drawn = generator.multinomial(m - 1, np.full(m, 1 / m), size=count)
            weights[:, units] = drawn * (m / (m - 1))
    return weights


def _other_choices(
    observed: Observations, readout: Readout, count: int, generator: np.random.Generator
) -> np.ndarray:
    utilities = observed.utilities[:, None]
    if not len(readout.strata):
        return np.tile(readout.solve(utilities, np.empty(0))[:, 0], (count, 1))
    weights = draw_weights(readout.strata, count, generator)
    if readout.influence is not None:
        values = readout.solve(utilities, np.ones(len(readout.strata)))[:, 0]
        return np.asarray(values + (weights - 1) @ readout.influence(observed.utilities))
    return np.array([readout.solve(utilities, row)[:, 0] for row in weights])


def _other_seeds(
    observed: Observations, readout: Readout, count: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return values [count, n] and totals [count] under other seeds."""
    ones = np.ones(len(readout.strata))
    sd = np.sqrt(observed.noise_variance)
    values, totals = [], []
    block = max(1, _NUMBERS_AT_ONCE // len(sd))
    for start in range(0, count, block):
        noise = sd * generator.standard_normal((min(block, count - start), len(sd)))
        utilities = (observed.utilities + noise).T
        values.append(readout.solve(utilities, ones).T)
        totals.append(utilities[observed.full] - utilities[observed.empty])
    return np.concatenate(values), np.concatenate(totals)


def _apart(count: int, players: int, variance: float, seed: int) -> np.ndarray:
    """Return draws [count, players] of a variance that sum to 0 over the players."""
    if not variance or players < 2:
        return np.zeros((count, players))
    drawn = numpy_generator(seed, "", "unseen part").standard_normal((count, players))
    drawn -= drawn.mean(axis=1, keepdims=True)
    return np.asarray(np.sqrt(variance * players / (players - 1)) * drawn)


def _sources(readout: Readout, noise: bool, unseen: bool) -> str:
    if readout.single_draw:
        chance = "what other coalitions would change is unknown after a single draw"
        known = ["seed noise"] * noise + [_UNSEEN] * unseen
        only = f"{known[0]} only" if len(known) == 1 else " and ".join(known) or "none"
        unrepeated = "" if noise else ", and none was repeated, so seed noise is unknown too"
        return f"{only}: {chance}{unrepeated}"
    drawn = ["choice of coalitions"] * (len(readout.strata) > 0)
    unrepeated = "no coalition was repeated, so seed noise is unknown"
    if unseen:
        included = "; ".join([" and ".join(drawn + ["seed noise"] * noise), _UNSEEN]).lstrip("; ")
        return included if noise else f"{included}; {unrepeated}"
    return {
        (True, True): "choice of coalitions and seed noise",
        (True, False): f"choice of coalitions only: {unrepeated}",
        (False, True): "seed noise only: no coalition was left to chance",
        (False, False): "none: no coalition was left to chance and none was repeated, so seed "
        "noise is unknown",
    }[bool(drawn), noise]
