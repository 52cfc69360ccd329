"""What can be done in a review, by whom, in which states, and what follows.

Each action is a row of a table: the states that it can be done in, what its signature means, what
it needs beside a comment, the actions whose authors may not do it, and its effect. The same
function, :func:`apply`, admits a new entry and replays an old ledger, so a ledger with an entry
that would not have been admitted is found.

Separation of duties: who prepared a report does not review it; who signed does not decide contests
or pay; nobody approves twice. People are told apart by their names, folded for case, width and
spaces. A team that is too small for three people states a compensating control in its policy: then
the payer may be somebody who signed, and every page prints the control. Preparer and reviewer are
two people always.

Source: the table of sources, target and conditions is the form of django-fsm; the roles are those
of four-eyes approval in payments. The rules are those of this project's governance notes.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from credit_plugin.compensation.review.entries import LONGEST_LINE, Entry
from credit_plugin.compensation.review.signing import attestation_holds, signature_holds
from credit_plugin.compensation.review.states import (
    ConflictError,
    Contest,
    ForbiddenError,
    RefusedError,
    Review,
    State,
    folded,
    is_verified,
    key_of,
)

SCOPE = "report, summary and all statements"
LONGEST_TEXT = 1500

CHECKLIST = {
    "read": "I have read the reviewer's dossier, not only the summary.",
    "verified": "The report was computed again from its measurements, and everything matched.",
    "gate": "I know whether values or the declared rule pay, and why.",
    "doubts": "I have looked at every warning, hold and outlier.",
    "policy": "The policy was written down before the first measurement, and it is the agreed one.",
    "independent": "I took no part in preparing this report, and I am not paid by it.",
}

GROUNDS = {
    "images": "images are missing, or are not the payee's",
    "copies": "who registered a picture first",
    "consent": "licence or consent",
    "measurement": "how the value was measured",
    "arithmetic": "how the payout was computed",
    "other": "something else",
}


class _Details(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class NoDetails(_Details):
    """An action that needs nothing beside a comment."""


class SubmitDetails(_Details):
    """What a submission replaces."""

    replaces: str = Field("", max_length=20)


class ApproveDetails(_Details):
    """What was looked at before approving: every point of the checklist."""

    checklist: list[str]


class ContestDetails(_Details):
    """Whose payout is contested, on which ground, and what shows it."""

    payee: str = Field(min_length=1, max_length=300)
    ground: str
    evidence: str = Field("", max_length=LONGEST_TEXT)


class DecideDetails(_Details):
    """Which contest is decided, and how."""

    contest: str
    outcome: Literal["upheld", "dismissed"]


class FinalizeDetails(_Details):
    """That the report was computed again at this moment, and how many files matched."""

    files: int = Field(ge=1)


class ExportDetails(_Details):
    """The file of payments."""

    format: Literal["csv"]
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    payments: int = Field(ge=0)
    total_minor: int = Field(ge=0)


class PayDetails(_Details):
    """How the payment can be found again."""

    reference: str = Field(min_length=1, max_length=200)


class SupersedeDetails(_Details):
    """The version that takes the place of this one."""

    by: str = Field(min_length=1, max_length=20)


Effect = Callable[[Review, Entry, Any], dict[str, Any]]


@dataclass(frozen=True)
class Action:
    """One thing that can be done.

    Attributes:
        sources: States in which it can be.
        meaning: What its signature means.
        role: What whoever does it is called.
        details: What it needs.
        barred: Actions whose authors may not do it.
        effect: Returns what changes in the review.
        lenient: Whether a compensating control lifts the bar.
    """

    sources: frozenset[State]
    meaning: str
    role: str
    details: type[_Details]
    barred: frozenset[str]
    effect: Effect
    lenient: bool = False


def apply(review: Review, entry: Entry) -> Review:
    """Return the review after an entry.

    Raises:
        RefusedError: With the reason, if the entry is not allowed; nothing has changed then.
    """
    action = ACTIONS.get(entry.action)
    if action is None:
        raise RefusedError(f"action: there is no {entry.action!r}; there are {', '.join(ACTIONS)}")
    _check_place(review, entry)
    if review.state not in action.sources:
        raise ConflictError(
            f"{review.case.subject} is {review.state}: {_CAN[entry.action]} only what is "
            f"{_either(action.sources)}"
        )
    details = _read_details(action, entry)
    _check_words(action, entry)
    _check_signature(review, entry)
    _check_person(review, entry, action)
    changes = action.effect(review, entry, details)
    return replace(review, entries=(*review.entries, entry), **changes)


def replay(review: Review, entries: list[Entry]) -> tuple[Review, list[str]]:
    """Return where a ledger leads, and a sentence for each entry that would not be admitted."""
    faults = []
    for entry in entries:
        try:
            review = apply(review, entry)
        except RefusedError as refusal:
            faults.append(f"line {entry.number} of the ledger would not be admitted: {refusal}")
            break
    return review, faults


def _check_place(review: Review, entry: Entry) -> None:
    if entry.subject != review.case.subject:
        raise ConflictError(
            f"it is about {entry.subject}, another record than {review.case.subject}"
        )
    if (entry.number, entry.previous) != (len(review.entries) + 1, review.head):
        raise ConflictError(
            "somebody else has acted since this was looked at; look again, then decide anew"
        )
    if review.entries and entry.at < review.entries[-1].at:
        raise ConflictError(f"it is dated {entry.at}, before what was done last; check the clock")
    if len(entry.line) > LONGEST_LINE:
        raise RefusedError(f"comment: too long; {LONGEST_TEXT} characters at most")


def _check_words(action: Action, entry: Entry) -> None:
    if not folded(entry.actor):
        raise RefusedError("actor: a name is needed")
    if len(entry.actor) > 200:
        raise RefusedError("actor: 200 characters at most")
    if not entry.comment.strip():
        raise RefusedError("comment: say why, in your own words; it stands beside the signature")
    if len(entry.comment) > LONGEST_TEXT:
        raise RefusedError(f"comment: {LONGEST_TEXT} characters at most")
    if (entry.meaning, entry.scope) != (action.meaning, SCOPE):
        raise RefusedError(f"meaning: {entry.action} means {action.meaning!r}, of the {SCOPE}")


def _read_details(action: Action, entry: Entry) -> _Details:
    try:
        return action.details.model_validate(entry.details)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "details"
        raise RefusedError(f"{where}: {first['msg'].lower()}") from None


def _check_signature(review: Review, entry: Entry) -> None:
    listed = key_of(review, entry.actor)
    if listed and entry.key != listed:
        raise ForbiddenError(
            f"the policy lists a key of {entry.actor!r}: sign with it, credit review "
            f"{entry.action.replace('_', '-')} --key FILE"
        )
    if bool(entry.key) != bool(entry.signature) or (entry.key and not signature_holds(entry)):
        raise ForbiddenError("signature: it is not of this entry by the key that it names")
    attested = bool(entry.attestation)
    if {bool(entry.identity), bool(entry.server)} != {attested} or (
        attested and not attestation_holds(entry)
    ):
        raise ForbiddenError("identity: no server attests that this name was verified")


def barring(review: Review, action: Action, name: str) -> Entry | None:
    """Return what somebody has done that keeps them from an action; None if nothing does."""
    if action.lenient and review.case.rules.compensating_control.strip():
        return None
    return review.done_by(name, action.barred)


def _check_person(review: Review, entry: Entry, action: Action) -> None:
    before = barring(review, action, entry.actor)
    if before is None:
        return
    raise ForbiddenError(
        f"{entry.actor} has {_DONE[before.action]} this report (line {before.number}); "
        f"the {action.role} is somebody else"
    )


def _submit(review: Review, entry: Entry, details: SubmitDetails) -> dict[str, Any]:
    return {"state": State.IN_REVIEW, "approvals": (), "contest_until": None}


def _approve(review: Review, entry: Entry, details: ApproveDetails) -> dict[str, Any]:
    missing = [point for point in CHECKLIST if point not in details.checklist]
    if missing:
        raise RefusedError(f"checklist: {missing[0]!r} is not confirmed: {CHECKLIST[missing[0]]}")
    if folded(entry.actor) in map(folded, review.approvals):
        raise ForbiddenError(
            f"{entry.actor} has approved already; the second reviewer is somebody else"
        )
    approvals = (*review.approvals, entry.actor)
    if len(approvals) < review.case.rules.approvals:
        return {"approvals": approvals}
    until = entry.time + timedelta(days=review.case.contest_days)
    return {"state": State.APPROVED, "approvals": approvals, "contest_until": until}


def _request_changes(review: Review, entry: Entry, details: NoDetails) -> dict[str, Any]:
    return {"state": State.CHANGES_REQUESTED, "approvals": (), "contest_until": None}


def _reject(review: Review, entry: Entry, details: NoDetails) -> dict[str, Any]:
    return {"state": State.REJECTED, "contest_until": None}


def _contest(review: Review, entry: Entry, details: ContestDetails) -> dict[str, Any]:
    if details.payee not in review.case.payees:
        raise RefusedError(f"payee: nobody of the name {details.payee!r} is paid by this report")
    if details.ground not in GROUNDS:
        raise RefusedError(f"ground: choose one of {', '.join(GROUNDS)}")
    for known in review.undecided():
        if (known.payee, known.ground) == (details.payee, details.ground):
            raise ConflictError(
                f"{known.number} contests the same on the same ground, and is undecided; "
                "wait for its decision"
            )
    contest = Contest(
        number=f"C{len(review.contests) + 1}",
        payee=details.payee,
        ground=details.ground,
        reason=entry.comment,
        evidence=details.evidence,
        by=entry.actor,
        at=entry.at,
        late=review.contest_until is not None and entry.time >= review.contest_until,
    )
    return {"contests": (*review.contests, contest)}


def _decide(review: Review, entry: Entry, details: DecideDetails) -> dict[str, Any]:
    known = {contest.number: contest for contest in review.contests}
    contest = known.get(details.contest)
    if contest is None:
        raise RefusedError(f"contest: there is no {details.contest!r}")
    if contest.outcome:
        raise ConflictError(
            f"{contest.number} was {contest.outcome} by {contest.decided_by} already"
        )
    if folded(entry.actor) == folded(contest.by):
        raise ForbiddenError(f"{entry.actor} filed {contest.number}; somebody else decides it")
    return {"contests": review.decided(contest.number, details.outcome, entry)}


def _finalize(review: Review, entry: Entry, details: FinalizeDetails) -> dict[str, Any]:
    check_window(review, entry.time)
    _check_verified(review, entry)
    return {"state": State.FINAL}


def check_window(review: Review, now: datetime) -> None:
    """Refuse to release while payouts can be contested.

    Raises:
        ConflictError: With the time until when.
    """
    if review.contest_until is not None and now < review.contest_until:
        raise ConflictError(
            f"contests are possible until {review.contest_until.isoformat()}; finalize after that"
        )


def _export(review: Review, entry: Entry, details: ExportDetails) -> dict[str, Any]:
    _check_verified(review, entry)
    return {}


def _pay(review: Review, entry: Entry, details: PayDetails) -> dict[str, Any]:
    _check_verified(review, entry)
    if review.last("export") is None:
        raise ConflictError("nothing was exported yet: export the payments first")
    return {"state": State.PAID}


def _supersede(review: Review, entry: Entry, details: SupersedeDetails) -> dict[str, Any]:
    if details.by == review.case.subject.version:
        raise RefusedError("by: a version cannot take its own place")
    return {"state": State.SUPERSEDED, "superseded_by": details.by, "contest_until": None}


def _check_verified(review: Review, entry: Entry) -> None:
    """Refuse to go on where money would rest on a name that nothing but its bearer vouches for."""
    if review.case.rules.unverified:
        return
    submitted = review.last("submit")
    since = submitted.number if submitted else 1
    signed = [e for e in review.entries if e.number >= since and e.action in _COUNTED]
    for one in (*signed, entry):
        if not is_verified(review, one):
            where = "this entry" if one is entry else f"line {one.number}"
            raise ForbiddenError(f"nothing verifies that {where} is by {one.actor}: {_mend(one)}")


def _mend(entry: Entry) -> str:
    if entry.attestation:
        return (
            f"the server with key {entry.server} says so, and is not known here; if it is yours, "
            "set CREDIT_SERVER_KEYS to that key, or list it in compensation.review.servers"
        )
    return (
        "sign in at a server with app name credit-auth, sign with a key that the policy lists, or "
        "let the policy say compensation.review.unverified"
    )


def _action(
    sources: tuple[State, ...],
    role: str,
    meaning: str,
    effect: Effect,
    details: type[_Details] = NoDetails,
    barred: tuple[str, ...] = (),
    lenient: bool = False,
) -> Action:
    return Action(frozenset(sources), meaning, role, details, frozenset(barred), effect, lenient)


_UNDER_REVIEW = (State.IN_REVIEW, State.APPROVED)
_OPEN = (State.SEALED, State.CHANGES_REQUESTED, *_UNDER_REVIEW)
_REVIEWED = ("approve", "request_changes", "reject")
_SIGNED = ("submit", *_REVIEWED, "finalize")
_COUNTED = frozenset({"submit", "approve", "decide", "finalize"})

ACTIONS: dict[str, Action] = {
    "submit": _action(
        (State.SEALED, State.CHANGES_REQUESTED), "preparer",
        "I prepared this report and answer for it", _submit, SubmitDetails, _REVIEWED,
    ),
    "approve": _action(
        (State.IN_REVIEW,), "reviewer",
        "I reviewed this report and approve it", _approve, ApproveDetails, ("submit", "decide"),
    ),
    "request_changes": _action(
        _UNDER_REVIEW, "reviewer",
        "I reviewed this report and ask for changes", _request_changes, barred=("submit",),
    ),
    "reject": _action(
        _UNDER_REVIEW, "reviewer",
        "I reviewed this report and reject it", _reject, barred=("submit",),
    ),
    "contest": _action(
        _UNDER_REVIEW, "payee",
        "I contest this payout", _contest, ContestDetails,
    ),
    "decide": _action(
        (*_UNDER_REVIEW, State.FINAL, State.PAID), "decider",
        "I decided this contest and did not sign the report", _decide, DecideDetails, _SIGNED,
    ),
    "finalize": _action(
        (State.APPROVED,), "reviewer",
        "I release this report for payment", _finalize, FinalizeDetails,
        ("submit", "decide", "export", "pay"),
    ),
    "export": _action(
        (State.FINAL, State.PAID), "payer",
        "I took the list of payments", _export, ExportDetails, _SIGNED, lenient=True,
    ),
    "pay": _action(
        (State.FINAL, State.PAID), "payer",
        "I paid what was exported", _pay, PayDetails, _SIGNED, lenient=True,
    ),
    "supersede": _action(
        _OPEN, "preparer",
        "I put another report in the place of this one", _supersede, SupersedeDetails, _REVIEWED,
    ),
}  # fmt: skip
"""Every action by its name."""

_CAN = {
    "submit": "one submits",
    "approve": "one approves",
    "request_changes": "one asks for changes of",
    "reject": "one rejects",
    "contest": "one contests",
    "decide": "one decides contests of",
    "finalize": "one releases",
    "export": "one exports payments of",
    "pay": "one pays",
    "supersede": "one supersedes",
}
_DONE = {
    "submit": "prepared",
    "approve": "approved",
    "request_changes": "asked for changes of",
    "reject": "rejected",
    "contest": "contested",
    "decide": "decided a contest of",
    "finalize": "released",
    "export": "exported payments of",
    "pay": "paid",
    "supersede": "superseded",
}


def _either(states: frozenset[State]) -> str:
    return " or ".join(state.value for state in State if state in states)
