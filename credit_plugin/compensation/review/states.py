"""Where a review stands: everything that follows from the entries of its ledger, and no more.

::

    sealed -> in review -> provisionally approved (contest window) -> final -> paid
                 |   ^                |
                 v   |                v
          changes requested    changes requested | rejected | superseded

A draft cannot enter. Nothing happens by itself: when the contest window ends, somebody still has
to sign. ``rejected``, ``final``, ``paid`` and ``superseded`` end the review of this report; another
report is another version with a ledger of its own. After ``final`` only undecided contests are
decided and money is paid.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from credit_plugin.compensation.review.case import Case
from credit_plugin.compensation.review.entries import Entry
from credit_plugin.compensation.review.signing import attestation_holds, signature_holds
from credit_plugin.errors import InputError


class State(StrEnum):
    """A state of a review."""

    DRAFT = "draft"
    SEALED = "sealed"
    IN_REVIEW = "in review"
    CHANGES_REQUESTED = "changes requested"
    REJECTED = "rejected"
    APPROVED = "provisionally approved"
    FINAL = "final"
    PAID = "paid"
    SUPERSEDED = "superseded"


class RefusedError(InputError):
    """Something that a review does not allow.

    Attributes:
        status: The HTTP status that says so.
    """

    status = 422


class ForbiddenError(RefusedError):
    """This person may not do it."""

    status = 403


class ConflictError(RefusedError):
    """It cannot be done as things stand now."""

    status = 409


@dataclass(frozen=True)
class Contest:
    """A payee's objection.

    Attributes:
        number: ``C1``, ``C2`` and so on.
        payee: Whose money waits.
        ground: One of the grounds.
        reason: In words.
        evidence: What shows it.
        by: Who filed it.
        at: When.
        late: Whether the window had ended.
        outcome: ``upheld`` or ``dismissed``; empty while nobody has decided.
        decision: The reason that was given.
        decided_by: Who decided.
    """

    number: str
    payee: str
    ground: str
    reason: str
    evidence: str
    by: str
    at: str
    late: bool
    outcome: str = ""
    decision: str = ""
    decided_by: str = ""

    @property
    def holds_money(self) -> bool:
        """Whether the payee's money waits: it does until the contest is dismissed."""
        return self.outcome != "dismissed"


@dataclass(frozen=True)
class Review:
    """Where a review stands.

    Attributes:
        case: What it is about.
        state: Its state.
        entries: The ledger.
        approvals: Who has approved since the last submission.
        contest_until: When the contest window ends, once there is one.
        contests: All of them.
        superseded_by: The version that takes the place of this one; empty if none does.
    """

    case: Case
    state: State
    entries: tuple[Entry, ...] = ()
    approvals: tuple[str, ...] = ()
    contest_until: datetime | None = None
    contests: tuple[Contest, ...] = ()
    superseded_by: str = ""

    @property
    def head(self) -> str:
        """What the next line follows."""
        return self.entries[-1].sha256 if self.entries else self.case.subject.sha256

    def label(self, now: datetime) -> str:
        """Return the state in words for people: the contest window is one of its own."""
        return "contest window" if self.window_open(now) else self.state.value

    def window_open(self, now: datetime) -> bool:
        """Return whether contests are still in time."""
        return (
            self.state is State.APPROVED
            and self.contest_until is not None
            and now < self.contest_until
        )

    def undecided(self) -> list[Contest]:
        """Return the contests that nobody has decided."""
        return [contest for contest in self.contests if not contest.outcome]

    def held(self) -> set[str]:
        """Return the payees whose money waits for a contest."""
        return {contest.payee for contest in self.contests if contest.holds_money}

    def done_by(self, name: str, actions: Iterable[str]) -> Entry | None:
        """Return an entry by which somebody has done one of some actions, if there is one."""
        wanted, who = frozenset(actions), folded(name)
        return next(
            (e for e in self.entries if e.action in wanted and folded(e.actor) == who), None
        )

    def last(self, *actions: str) -> Entry | None:
        """Return the last entry of one of some actions, if there is one."""
        return next((e for e in reversed(self.entries) if e.action in actions), None)

    def decided(self, number: str, outcome: str, entry: Entry) -> tuple[Contest, ...]:
        """Return the contests with one of them decided."""
        return tuple(
            replace(c, outcome=outcome, decision=entry.comment, decided_by=entry.actor)
            if c.number == number
            else c
            for c in self.contests
        )


def begin(case: Case) -> Review:
    """Return a review in which nothing has happened."""
    return Review(case, State.SEALED if case.sealed else State.DRAFT)


def folded(name: str) -> str:
    """Return a name so that the same person is not two for capitals, spaces or look-alike codes."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def key_of(review: Review, name: str) -> str:
    """Return the key that the policy lists for somebody; empty if it lists none."""
    keys = {folded(who): key for who, key in review.case.rules.keys.items()}
    return keys.get(folded(name), "")


def is_verified(review: Review, entry: Entry) -> bool:
    """Return whether anything but their own word says who made an entry."""
    listed = key_of(review, entry.actor)
    if listed != "" and listed == entry.key and signature_holds(entry):
        return True
    known = entry.server in review.case.servers
    return bool(entry.identity) and known and attestation_holds(entry)
