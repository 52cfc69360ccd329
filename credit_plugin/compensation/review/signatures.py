"""What a rendering says of its review: the state in words, and everything that was signed.

A sealed report cannot hold its own signatures: they come after it and name its hash. So the file
says "not signed", and whoever renders it again (a server, ``credit statement``) says what the
ledger holds by then: printed name, time, meaning, scope, comment, and the line's hash.
"""

from dataclasses import dataclass
from datetime import datetime

from credit_plugin.compensation.review.entries import Entry
from credit_plugin.compensation.review.states import Review, State, is_verified
from credit_plugin.compensation.wording import moment

_SHOWN = frozenset({"submit", "approve", "request_changes", "reject", "finalize", "pay"})
_WORDS = {
    State.DRAFT: "Nobody has reviewed this; it is no promise to pay.",
    State.SEALED: "Nobody has reviewed this; it is no promise to pay.",
    State.IN_REVIEW: "It was submitted for review, and is no promise to pay yet.",
    State.CHANGES_REQUESTED: "A reviewer asks for changes; it is no promise to pay.",
    State.REJECTED: "A reviewer has rejected it; nothing is paid by it.",
    State.APPROVED: "It was approved, and is not released for payment yet.",
    State.FINAL: "It was approved and released for payment.",
    State.PAID: "It was approved, released and paid.",
    State.SUPERSEDED: "Another report takes its place; nothing is paid by this one.",
}


@dataclass(frozen=True)
class Signature:
    """One signature, as it is printed.

    Attributes:
        action: What was done.
        name: Of who did it.
        verified: What vouches for the name, in words.
        at: ISO time in UTC.
        meaning: What it means.
        scope: What it covers.
        comment: Why.
        sha256: Of its line in the ledger.
    """

    action: str
    name: str
    verified: str
    at: str
    meaning: str
    scope: str
    comment: str
    sha256: str


@dataclass(frozen=True)
class Signed:
    """Where a report stands.

    Attributes:
        state: In words.
        words: What that means for whoever waits for money.
        signatures: Oldest first.
    """

    state: str
    words: str
    signatures: tuple[Signature, ...]


def signed_of(review: Review, now: datetime) -> Signed | None:
    """Return what a rendering says of a review; None if nobody has acted in it."""
    if not review.entries:
        return None
    words = _WORDS[review.state]
    if review.window_open(now) and review.contest_until is not None:
        words += f" Payouts can be contested until {moment(review.contest_until.isoformat())}."
    shown = tuple(_printed(review, e) for e in review.entries if e.action in _SHOWN)
    return Signed(review.label(now), words, shown)


def _printed(review: Review, entry: Entry) -> Signature:
    by = f"verified by {entry.identity or 'key'}" if is_verified(review, entry) else "not verified"
    return Signature(
        action=entry.action.replace("_", " "),
        name=entry.actor,
        verified=by,
        at=entry.at,
        meaning=entry.meaning,
        scope=entry.scope,
        comment=entry.comment,
        sha256=entry.sha256,
    )
