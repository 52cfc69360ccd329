"""Limits: evaluations, time and money that may be spent.

A limit stops *before* the round that would exceed it, if evaluations of that round cost what those
so far did on average. It cannot stop before the first values: a rule is asked when there are some.

Units: evaluations count repeats and lost ones. Time is the work that was recorded with each
evaluation (training, sampling, measuring), summed over workers: two workers for an hour are two
hours. It is not the time that passed, which depends on how many workers there are today, and would
let a study that was interrupted stop elsewhere. Money is that time at the price of an hour of one
worker; a machine of 8 GPUs for 24 EUR an hour with one worker for each GPU costs 3 EUR.
"""

import math
from dataclasses import dataclass

from credit_plugin.values.stopping import History, Rule, Verdict, need, register_rule

_HOUR = 3600.0


@register_rule("budget")
@dataclass(frozen=True)
class Budget(Rule):
    """Stops when another round would make more evaluations than allowed.

    Attributes:
        evaluations: Most evaluations, repeats included.
    """

    evaluations: int

    def __post_init__(self) -> None:
        whole = isinstance(self.evaluations, int) and self.evaluations > 0
        need(whole, self, "the number of evaluations must be whole and at least 1")

    def check(self, history: History) -> Verdict:
        """Return whether the evaluations are used up."""
        spent, more = history.latest.evaluations, history.upcoming
        return _spent(spent, more, self.evaluations, f"{spent} of {self.evaluations} evaluations")


@register_rule("time")
@dataclass(frozen=True)
class Time(Rule):
    """Stops when another round would take more work than allowed.

    Attributes:
        seconds: Most seconds of work, summed over workers.
    """

    seconds: float

    def __post_init__(self) -> None:
        need(_positive(self.seconds), self, "the seconds must be above 0 and finite")

    def check(self, history: History) -> Verdict:
        """Return whether the time is used up."""
        spent, more = history.latest.seconds, history.upcoming_seconds
        words = f"{_clock(spent)} of {_clock(self.seconds)} of work"
        return _spent(spent, more, self.seconds, words)


@register_rule("money")
@dataclass(frozen=True)
class Money(Rule):
    """Stops when another round would cost more than allowed.

    Attributes:
        amount: Most money, in the currency of ``per_hour``.
        per_hour: Price of an hour of one worker; in study files ``execution.cost_per_hour`` unless
            it is given.
    """

    amount: float
    per_hour: float = 0.0

    def __post_init__(self) -> None:
        need(_positive(self.amount), self, "the amount must be above 0 and finite")
        priced = "set execution.cost_per_hour, or write money(amount, per_hour)"
        need(_positive(self.per_hour), self, f"the price of an hour must be above 0: {priced}")

    def check(self, history: History) -> Verdict:
        """Return whether the money is used up."""
        spent = history.latest.seconds * self.per_hour / _HOUR
        more = history.upcoming_seconds * self.per_hour / _HOUR
        words = f"{spent:,.2f} of {self.amount:,.2f} spent"
        return _spent(spent, more, self.amount, words)


def _spent(spent: float, more: float, limit: float, words: str) -> Verdict:
    if spent >= limit:
        return Verdict(True, words, 1.0)
    if spent + more > limit:
        return Verdict(True, f"{words}, too little left for another round", 1.0)
    return Verdict(False, words, spent / limit)


def _positive(number: float) -> bool:
    return 0 < number < math.inf


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
