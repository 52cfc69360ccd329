"""Forecasts: what evaluations will cost, from what those in the ledger did.

Evaluations of one table do the same work on other images, so the mean of those that are finished is
a good forecast of the next. Three numbers of each:

* time that passes: the time in which any evaluation ran, over their number. It holds for as many
  workers as there were, and includes what they wait for.
* work: the seconds that were recorded with each, summed over workers.
* money: work at ``execution.cost_per_hour``, the price of an hour of one worker, if it is set.

A forecast is shown and decides nothing, except that limits of time and money stop before a round
that would exceed them (:mod:`credit_plugin.values.rules.limits`); they use the recorded work alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from credit_plugin.compensation.wording import duration
from credit_plugin.currency import decimals
from credit_plugin.game.ledger import Evaluation

_HOUR = 3600.0


def work_seconds(evaluations: Sequence[Evaluation]) -> float:
    """Return the work in evaluations; a lost one's is the time of its last try."""
    return sum(sum(e.costs.values()) if e.ok else e.finished - e.started for e in evaluations)


@dataclass(frozen=True)
class Prices:
    """What an evaluation costs.

    Attributes:
        passing: Seconds that pass for each, at as many workers as there were; None if unknown.
        work: Seconds of work in each; None if unknown.
        per_hour: Price of an hour of work; 0 if unknown.
        currency: Of the price.
    """

    passing: float | None
    work: float | None
    per_hour: float
    currency: str

    @classmethod
    def of(cls, evaluations: Sequence[Evaluation], per_hour: float, currency: str) -> "Prices":
        """Return what finished evaluations cost on average.

        Args:
            evaluations: May be none.
            per_hour: Price of an hour of one worker; 0 if unknown.
            currency: ISO 4217 code.
        """
        if not evaluations:
            return cls(None, None, per_hour, currency)
        count = len(evaluations)
        busy, work = busy_seconds(evaluations), work_seconds(evaluations)
        return cls(busy / count, work / count, per_hour, currency)

    @property
    def known(self) -> bool:
        """Whether anything was evaluated yet."""
        return self.work is not None

    def words(self, evaluations: int) -> str:
        """Return what so many evaluations will cost: ``about 2 min 10 s, 0.12 EUR``."""
        if self.passing is None or self.work is None:
            return "time unknown until some are evaluated"
        time = f"about {duration(self.passing * evaluations)}"
        if not self.per_hour:
            return time
        return f"{time}, {self.money(self.work * evaluations)}"

    def money(self, seconds: float) -> str:
        """Return the price of so much work."""
        amount = seconds * self.per_hour / _HOUR
        return f"{amount:,.{decimals(self.currency)}f} {self.currency}"


def busy_seconds(evaluations: Sequence[Evaluation]) -> float:
    """Return how long at least one of the evaluations was running."""
    busy, until = 0.0, float("-inf")
    for e in sorted(evaluations, key=lambda e: e.started):
        busy += max(0.0, e.finished - max(e.started, until))
        until = max(until, e.finished)
    return busy
