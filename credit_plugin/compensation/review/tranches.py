"""What may be paid now: of the report's payouts, less what waits and what was exported before.

Whoever contests holds their own money and nobody else's. The policy's reserve waits until every
contest is decided, and is then due with the rest; what is doubted waits further, and what the
report carries forward is not paid by it.
Each export takes what is due and was not exported before, so a contest that is dismissed later
leads to a second, smaller export.

All of it follows from the report's rows and the ledger, so anybody can compute it again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from credit_plugin.compensation.review.actions import replay
from credit_plugin.compensation.review.states import Review, begin


@dataclass(frozen=True)
class Payment:
    """One payee's part of an export.

    Attributes:
        payee: Name.
        amount_minor: Minor units of the currency, above 0.
        statement: Number of the payee's statement.
    """

    payee: str
    amount_minor: int
    statement: int


def payments_due(facts: Mapping[str, Any], review: Review) -> list[Payment]:
    """Return what is to be exported next, in the order of the statements.

    Args:
        facts: The report's record.
        review: Where its review stands.
    """
    before = _exported(facts, review)
    due = _due(facts, review)
    return [
        Payment(row["contributor"], due[i] - before[i], i + 1)
        for i, row in enumerate(facts["rows"])
        if due[i] > before[i]
    ]


def payments_of(facts: Mapping[str, Any], review: Review, line: int) -> list[Payment]:
    """Return what was exported by a line of the ledger, computed again.

    Args:
        facts: The report's record.
        review: Its review.
        line: Number of the line.
    """
    before, _ = replay(begin(review.case), list(review.entries[: line - 1]))
    return payments_due(facts, before)


def _exported(facts: Mapping[str, Any], review: Review) -> list[int]:
    """Return what earlier exports hold, by row: what was due at the last of them."""
    last = review.last("export")
    if last is None:
        return [0] * len(facts["rows"])
    then, _ = replay(begin(review.case), list(review.entries[: last.number]))
    return _due(facts, then)


def _due(facts: Mapping[str, Any], review: Review) -> list[int]:
    held, reserve_waits = review.held(), bool(review.undecided())
    return [
        0
        if row["contributor"] in held
        else row["paid_minor"]
        if reserve_waits
        else _with_reserve(row)
        for row in facts["rows"]
    ]


def _with_reserve(row: Mapping[str, Any]) -> int:
    """Return what is due once the reserve does not wait any more; doubts hold what they hold."""
    freed: int = row["held_minor"] - row["doubted_minor"]
    paid: int = row["paid_minor"]
    return paid + freed
