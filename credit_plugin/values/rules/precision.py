"""Precision: how sure, and how settled, the values must be.

The unit of both the interval rule and the change rule is the mean of |phi_i|, the value of an
average contributor. Its alternative, the equal share (v(full) - v(empty)) / n, is smaller where
some values are negative and 0 where they cancel, and is nothing for semivalues without efficiency;
where all values are positive the two are the same.

None of these rules believes values without evidence (:mod:`credit_plugin.values.rules.evidence`).
"""

import math
from dataclasses import dataclass

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.values.ranks import rounding_error, settled_ranks
from credit_plugin.values.result import ContributorValues
from credit_plugin.values.rules.evidence import no_evidence, unknown_errors
from credit_plugin.values.stopping import FIELD, History, Round, Rule, Verdict, need, register_rule

NEW_EVIDENCE = 0.2
"""Least part of the evaluations that must be newer than the oldest values compared."""


@register_rule("interval_width")
@dataclass(frozen=True)
class IntervalWidth(Rule):
    """Stops when every contributor's interval is narrow.

    What: max_i (ci_high_i - ci_low_i) / 2 <= share * mean_i |phi_i|. The largest half-width and not
    the mean one, because each contributor is paid by their own value: a mean lets nineteen who are
    sure hide one who is not.

    It must hold for two different estimates in a row: intervals are narrow by luck, too, and a rule
    that looks often enough finds them so. Measured in :mod:`credit_plugin.values.stopping`.

    Attributes:
        share: Largest half-width, as a share of the average contributor's value.
    """

    share: float

    def __post_init__(self) -> None:
        need(0 < self.share < math.inf, self, "the share must be above 0 and finite")

    def check(self, history: History) -> Verdict:
        """Return whether all intervals are narrow enough, for the second time."""
        now = self._of(history.latest.values)
        if not now.stop:
            return now
        earlier = _estimates(history)[:-1]
        if earlier and self._of(earlier[-1].values).stop:
            return now
        return Verdict(False, f"{now.reason}, but not twice yet", _BELOW_ONE)

    def _of(self, values: ContributorValues) -> Verdict:
        reason = no_evidence(values)
        if reason:
            return Verdict(False, reason, 0.0)
        half = float((values.ci_high - values.ci_low).max()) / 2
        width = half / _average(values)
        words = f"the widest interval reaches {width:.0%} of an average value to each side"
        return _at_most(width, self.share, f"{words} ({self.share:.0%} asked)")


@register_rule("settled_ranks")
@dataclass(frozen=True)
class SettledRanks(Rule):
    """Stops when enough contributors have one possible rank.

    What: the number of contributors whose confidence set of ranks holds one rank, at the level of
    the values' intervals (:mod:`credit_plugin.values.ranks`). Differences without spread would
    count as sure there, so the standard errors must be known; contributors who are not told apart
    have no settled ranks in any case.

    Attributes:
        least: How many: a whole number is a number of contributors, a decimal between 0 and 1 a
            share of them (``settled_ranks(1)`` is one of them, ``settled_ranks(1.0)`` all).
    """

    least: float

    def __post_init__(self) -> None:
        number = isinstance(self.least, int) and self.least >= 1
        share = isinstance(self.least, float) and 0 < self.least <= 1
        need(number or share, self, "use a whole number of ranks, or a share of them up to 1.0")

    def check(self, history: History) -> Verdict:
        """Return whether enough ranks are settled."""
        values = history.latest.values
        reason = unknown_errors(values)
        if reason:
            return Verdict(False, reason, 0.0)
        n, asked = len(values.values), self._asked(len(values.values))
        settled = settled_ranks(values)
        words = f"{settled} of {n} ranks settled ({asked} asked)"
        return Verdict(settled >= asked, words, min(1.0, settled / asked))

    def suits(self, n_contributors: int) -> None:
        """Refuse more settled ranks than contributors."""
        if self._asked(n_contributors) > n_contributors:
            raise InputError(f"{FIELD}: {self}: there are {n_contributors} contributors only")

    def _asked(self, n_contributors: int) -> int:
        if isinstance(self.least, int):
            return self.least
        # rounding must not turn a third of three into two
        return max(1, math.ceil(self.least * n_contributors - 1e-9))


@register_rule("values_change")
@dataclass(frozen=True)
class ValuesChange(Rule):
    """Stops when the values have not changed for a while and are known to be sure.

    What: sum_i |phi_i - earlier phi_i| <= tolerance * sum_i |phi_i| for each of the last ``rounds``
    earlier estimates, that is for the whole way and not for each step of it, so that a slow drift
    is a change; and mean_i standard error_i <= tolerance * mean_i |phi_i|.

    Both are needed. Standard errors see no bias, for instance of shrinkage that relaxes as
    coalitions come in; changes do. Changes see no noise when rounds are small; standard errors do.

    How it is not fooled by a run of equal values:

    * Only estimates between which evaluations were added are compared.
    * Values that are the same as the last ones but for rounding are not another estimate: the
      coalitions in between have not been read. Such a run counts as one estimate, its first; it
      neither adds to nor breaks what was seen before.
    * At least a fifth of the evaluations must be newer than the oldest estimate that is compared;
      tiny rounds are therefore compared over more than ``rounds`` of them.
    * Standard errors must be known, above 0, small, and contributors be told apart (see
      :mod:`credit_plugin.values.rules.evidence`), which constant utilities and estimates that are
      shrunk to equal shares never are.

    Attributes:
        tolerance: Largest change, and largest mean standard error, as shares of the values.
        rounds: How many earlier estimates to compare with.
    """

    tolerance: float
    rounds: int = 3

    def __post_init__(self) -> None:
        need(0 < self.tolerance < math.inf, self, "the tolerance must be above 0 and finite")
        whole = isinstance(self.rounds, int) and self.rounds >= 1
        need(whole, self, "the number of rounds must be whole and at least 1")

    def check(self, history: History) -> Verdict:
        """Return whether the values have settled."""
        values = history.latest.values
        reason = no_evidence(values)
        if reason:
            return Verdict(False, reason, 0.0)
        compared, missing = self._compared(history)
        if missing:
            return Verdict(False, missing, 0.0)
        change = max(
            float(np.abs(values.values - earlier).mean()) / _average(values) for earlier in compared
        )
        error = float(values.standard_errors.mean()) / _average(values)
        words = f"values changed by {change:.1%}, standard errors are {error:.1%} of them"
        return _at_most(max(change, error), self.tolerance, f"{words} ({self.tolerance:.1%} asked)")

    def _compared(self, history: History) -> tuple[list[np.ndarray], str]:
        """Return earlier values to compare with, and in words what is missing of them."""
        *earlier, present = _estimates(history)
        now = present.evaluations
        compared: list[np.ndarray] = []
        for estimate in reversed(earlier):
            compared.append(estimate.values.values)
            if len(compared) >= self.rounds and now - estimate.evaluations >= NEW_EVIDENCE * now:
                return compared, ""
        if len(compared) < self.rounds:
            return compared, f"{len(compared)} earlier estimates to compare ({self.rounds} asked)"
        return compared, "the estimates to compare rest on nearly the same evaluations"


_BELOW_ONE = 0.999  # progress of a rule that does not hold


def _estimates(history: History) -> list[Round]:
    """Return the rounds that gave an estimate of their own.

    A run of values that are equal but for rounding is one estimate, its first: what was evaluated
    since has not been read.
    """
    estimates: list[Round] = []
    for made in history.rounds:
        if estimates:
            before = estimates[-1]
            moved = np.abs(made.values.values - before.values.values).max()
            same = moved <= rounding_error(made.values)
            if same or made.evaluations <= before.evaluations:
                continue
        estimates.append(made)
    return estimates


def _average(values: ContributorValues) -> float:
    return float(np.abs(values.values).mean())


def _at_most(number: float, limit: float, words: str) -> Verdict:
    stop = number <= limit
    return Verdict(stop, words, 1.0 if stop else min(limit / number, _BELOW_ONE))
