"""Reliability: may anybody be paid by these values?

What: the gate of a payout, two criteria that need no truth.

* **Misallocation**, the part of the payout that goes to somebody else when coalitions and seeds are
  redrawn: the mean over resamples of 1/2 sum_i |share_i of the resample - share_i|. Shares are
  values clipped at 0 and renormalised, in resamples as in the payout. A resample in which nobody is
  above 0 has no shares: all of the payout would go elsewhere, which counts as 1; so does an
  estimate in which nobody is. At most 0.15 passes.
* **Split halves** (:mod:`halves`), the rank correlation of the values of two disjoint halves
  of the coalitions. At least 0.8 passes.

They miss different things: resamples of an estimate that is shrunk to equal shares vary little,
but its halves do not agree; halves agree on two groups although shares within them are noise.
Beside them, without a limit, is how many ranks are settled (:mod:`ranks`).

A table in which nothing was left to chance and nothing was repeated gives resamples that are all
the same. Their misallocation of 0 says nothing, so the gate stays closed until something is
evaluated again. So does it after a single draw (one pair of coalitions, or one chain, that could
have been another): its error is not in the resamples, however much it is.

When the gate is closed, a policy that was declared before, for instance by count, should decide.

Errors: values without draws are an error, and so is a table of other contributors. Measured against
exact values (``python -m tests.benchmarks.gate``: 8 and 12 contributors, 48 to 128 evaluations): of
576 tables with noise of .1 and .3 of the game's standard deviation 107 open the gate, and the
payout by none of these is off by more than .081 of the pool. Of 288 with noise of 1 and 2 standard
deviations (``--repetitions 4 --noises 1 2``), 134 of them off by more than .15, one opens it, and
is off by .171.

The gate is strict: of the tables with less noise all but 2 are right within .15. They fail by their
halves, and always do in the Frechet game: its contributors are worth nearly the same, and its
values rest on the smallest coalitions, of which a half has half.

Source: the two criteria and their limits are this project's own, set on toy games.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.game.table import UtilityTable
from credit_plugin.values.halves import SplitHalf, split_half
from credit_plugin.values.ranks import need_draws, rank_intervals, rounding_error
from credit_plugin.values.result import ContributorValues

MISALLOCATION_LIMIT = 0.15
CORRELATION_LIMIT = 0.8


@dataclass(frozen=True)
class Limits:
    """What opens the gate; a payout policy may state others.

    Attributes:
        misallocation: The largest part of the payout that resampling may move.
        correlation: The smallest rank correlation of two halves.
    """

    misallocation: float = MISALLOCATION_LIMIT
    correlation: float = CORRELATION_LIMIT


LIMITS = Limits()


@dataclass(frozen=True, eq=False)
class Reliability:
    """What speaks for and against paying by values.

    Attributes:
        misallocation: Part of the payout that resampling moves, 0 to 1.
        split_half: How alike two halves of the coalitions rank the contributors.
        rank_low: int64 [n], best rank of each contributor that the data allow; 1 is the highest.
        rank_high: int64 [n], worst one.
        settled_ranks: How many contributors have one possible rank.
        confidence: Level of each contributor's ranks.
        failures: Why the gate is closed, in words, one for each reason; empty if it is open.
        notes: What else a reviewer must know, in words.
        findings: What was found instead, one for each failure.
        misallocation_limit: The largest misallocation that passes.
        correlation_limit: The smallest correlation that passes.
    """

    misallocation: float
    split_half: SplitHalf
    rank_low: np.ndarray
    rank_high: np.ndarray
    settled_ranks: int
    confidence: float
    failures: tuple[str, ...]
    notes: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    misallocation_limit: float = MISALLOCATION_LIMIT
    correlation_limit: float = CORRELATION_LIMIT

    @property
    def passed(self) -> bool:
        """Whether the gate is open."""
        return not self.failures

    @property
    def statement(self) -> str:
        """What was found, in plain words for a reviewer."""
        findings = "; ".join([self._ranks(), self._moved(), self._halves()])
        verdict = (
            "reliable" if self.passed else "not reliable, since " + " and ".join(self.failures)
        )
        notes = "".join(f" {note[0].upper()}{note[1:]}." for note in self.notes)
        return f"{findings}: {verdict}.{notes}"

    def to_json_dict(self) -> dict[str, Any]:
        """Return everything as types that JSON holds exactly, ``passed`` and the statement too."""
        return {
            "passed": self.passed,
            "statement": self.statement,
            "misallocation": self.misallocation,
            "misallocation_limit": self.misallocation_limit,
            "split_half": self.split_half.to_json_dict(),
            "correlation_limit": self.correlation_limit,
            "rank_low": self.rank_low.tolist(),
            "rank_high": self.rank_high.tolist(),
            "settled_ranks": self.settled_ranks,
            "confidence": self.confidence,
            "failures": list(self.failures),
            "notes": list(self.notes),
            "findings": list(self.findings),
        }

    def _ranks(self) -> str:
        verb = "is" if self.settled_ranks == 1 else "are"
        return (
            f"{self.settled_ranks} of {len(self.rank_low)} ranks {verb} settled "
            f"(at {100 * self.confidence:.4g} % each)"
        )

    def _moved(self) -> str:
        return f"resampling moves {100 * self.misallocation:.1f} % of the payout"

    def _halves(self) -> str:
        correlation = self.split_half.correlation
        if correlation is None:
            return "two half-budgets cannot be compared"
        if correlation >= self.correlation_limit:
            return f"two half-budgets rank contributors alike (Spearman {correlation:.2f})"
        shown = _below(correlation, self.correlation_limit)
        return f"two half-budgets rank contributors differently (Spearman {shown})"


def misallocation(values: ContributorValues) -> float:
    """Return the part of the payout that resampling moves, 0 to 1.

    Args:
        values: Values with their draws.

    Raises:
        InputError: If there are no draws.
    """
    positive = np.clip(need_draws(values), 0, None)
    shares = values.shares()
    if not shares.any():
        return 1.0
    totals = positive.sum(axis=1)
    payable = totals > 0
    moved = np.ones(len(positive))
    redrawn = positive[payable] / totals[payable, None]
    moved[payable] = np.abs(redrawn - shares).sum(axis=1) / 2
    return float(moved.mean())


def assess(
    table: UtilityTable,
    values: ContributorValues,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    limits: Limits = LIMITS,
) -> Reliability:
    """Judge whether values are reliable enough to pay by.

    Args:
        table: The table that the values were estimated from; it may hold other properties, too.
        values: Values with their draws.
        seed: Determines how coalitions are dealt into halves.
        options: Settings of the estimator that the values were made with.
        limits: What opens the gate.

    Returns:
        The criteria, the verdict, and a statement in words.

    Raises:
        InputError: If the values have no draws or are not from this table.
    """
    if table.contributors != values.contributors:
        raise InputError(
            "values: their contributors are not the table's; give the table they are of"
        )
    halves = split_half(table, values.estimator, seed, property=values.property, options=options)
    return judge(values, halves, limits)


def judge(values: ContributorValues, halves: SplitHalf, limits: Limits = LIMITS) -> Reliability:
    """Judge values by their draws and by what halves of their coalitions say.

    Args:
        values: Values with their draws.
        halves: How alike two halves rank the contributors.
        limits: What opens the gate.

    Raises:
        InputError: If the values have no draws.
    """
    moved = misallocation(values)
    low, high = rank_intervals(values).T
    failures = _failures(values, moved, halves, limits)
    return Reliability(
        misallocation=moved,
        split_half=halves,
        rank_low=low,
        rank_high=high,
        settled_ranks=int((low == high).sum()),
        confidence=values.confidence,
        failures=tuple(rule for rule, _ in failures),
        findings=tuple(found for _, found in failures),
        notes=_notes(values, halves),
        misallocation_limit=limits.misallocation,
        correlation_limit=limits.correlation,
    )


def _failures(
    values: ContributorValues, moved: float, halves: SplitHalf, limits: Limits
) -> list[tuple[str, str]]:
    """Return each rule that is not kept, and what was found instead."""
    found = []
    if not values.shares().any():
        nobody = "no contributor has a value above 0"
        found.append((nobody, nobody))
    elif moved > limits.misallocation:
        limit = f"{100 * limits.misallocation:g} % at most"
        found.append(
            (
                f"resampling may move {limit}",
                f"with other coalitions and seeds {100 * moved:.1f} % of the payout would go to "
                f"others ({limit})",
            )
        )
    if values.diagnostics.get("single_draw"):
        single = (
            "a single draw of coalitions does not show what others would change; raise game.budget"
        )
        found.append((single, single))
    elif _nothing_known(values):
        unknown = "nothing could be resampled (no coalition was left to chance or repeated)"
        found.append((unknown, unknown))
    if halves.correlation is None:
        found.append((halves.reason, halves.reason))
    elif halves.correlation < limits.correlation:
        limit = f"{limits.correlation:g} at least"
        found.append(
            (
                f"the halves' rank correlation must be {limit}",
                "two halves of the measurements rank contributors differently (rank correlation "
                f"{_below(halves.correlation, limits.correlation)}, {limit})",
            )
        )
    return found


def _below(correlation: float, limit: float) -> str:
    """Return a correlation that fails with so many decimals that it does not look as if not."""
    shown = f"{correlation:.2f}"
    return f"{correlation:.4f}" if float(shown) >= limit else shown


def _notes(values: ContributorValues, halves: SplitHalf) -> tuple[str, ...]:
    found = []
    if not values.diagnostics.get("seed_noise_degrees", 0):
        found.append(
            "no coalition was repeated, so seed noise is in these figures only as far as the "
            "choice of coalitions shows it"
        )
    if halves.correlation is not None and halves.reason:
        found.append(halves.reason)
    return tuple(found)


def _nothing_known(values: ContributorValues) -> bool:
    """Return whether neither the choice of coalitions nor the seeds vary the draws."""
    repeated = values.diagnostics.get("seed_noise_degrees", 0) > 0
    return not repeated and bool((values.standard_errors <= rounding_error(values)).all())
