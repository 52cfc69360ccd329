"""Reviews of registered reports: looked at, acted on, paid by.

One way for the command line and for the pages in the MLflow server: read the ledger, draft the next
line, admit it by the rules, write it where exactly one of two people at once can write, mirror it.
"""

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from credit_plugin.compensation.review.actions import ACTIONS, LONGEST_TEXT, apply, check_window
from credit_plugin.compensation.review.case import case_of
from credit_plugin.compensation.review.checking import PAYABLE, check_ledger
from credit_plugin.compensation.review.drafting import draft_entry
from credit_plugin.compensation.review.entries import Entry
from credit_plugin.compensation.review.export import payments_csv
from credit_plugin.compensation.review.states import (
    ConflictError,
    Review,
    is_verified,
)
from credit_plugin.compensation.review.tranches import Payment, payments_due, payments_of
from credit_plugin.compensation.verification import verify_report
from credit_plugin.contributors.findings import printable
from credit_plugin.errors import InputError

if TYPE_CHECKING:
    from credit_plugin.tracking.reviews import ModelVersion, ReviewStore

_PATIENCE = 200
"""How often somebody who was overtaken looks again; only where no decision depends on it."""

DOCKET_SCHEMA = 1
"""Version of what :func:`describe_docket` returns; a command and a server may be of two ages."""

_ROOM = LONGEST_TEXT - 100
Signer = Callable[[Entry], Entry]


@dataclass(frozen=True)
class Request:
    """What somebody wants to do.

    Attributes:
        action: One of :data:`credit_plugin.compensation.review.actions.ACTIONS`.
        actor: Name of who does it.
        comment: Why.
        details: What the action needs beside that.
        identity: What verified the name; empty if nothing did.
        head: Hash of the last line that they saw; empty if whatever stands now is meant.
        signer: Signs the entry; None without a key.
        attester: Attests the identity, as a server; None if nothing verified the name.
    """

    action: str
    actor: str
    comment: str
    details: Mapping[str, Any]
    identity: str = ""
    head: str = ""
    signer: Signer | None = None
    attester: Signer | None = None


@dataclass(frozen=True)
class Docket:
    """One report and its review.

    Attributes:
        version: As it is registered.
        facts: The report's record.
        review: Where its review stands.
        faults: What does not fit in the ledger and its mirrors, one sentence each.
    """

    version: "ModelVersion"
    facts: Mapping[str, Any]
    review: Review
    faults: tuple[str, ...]


@dataclass(frozen=True)
class Acted:
    """What came of a request.

    Attributes:
        docket: The review after it.
        entry: The line that was written.
        payments: What was exported, if anything was.
    """

    docket: Docket
    entry: Entry
    payments: tuple[Payment, ...] = ()

    @property
    def csv(self) -> bytes:
        """The list of payments."""
        subject = str(self.entry.subject)
        return payments_csv(self.payments, self.docket.facts["currency"], subject)


def open_docket(
    store: "ReviewStore",
    name: str,
    version: str,
    mirrors: bool = True,
    record: Callable[["ModelVersion"], tuple[Mapping[str, Any], str]] | None = None,
) -> Docket:
    """Return a report's review as the ledger has it.

    Args:
        store: Where reviews are.
        name: Registered model.
        version: Number, ``latest`` or an alias.
        mirrors: Whether to compare copy, tags and alias with the ledger.
        record: Returns a version's record and its sha256; read from the store if left out.

    Raises:
        InputError: If there is no such version, or its record cannot be read.
    """
    found = store.version(name, version)
    facts, sha256 = (record or store.record)(found)
    case = case_of(facts, found.name, str(found.version), sha256, store.servers)
    lines = store.lines(found)
    review, faults = check_ledger(case, lines)
    faults = [*faults, *_policy_faults(store.committed(found), facts)]
    if mirrors and not faults:
        faults = store.faults(found, review, lines)
    return Docket(found, facts, review, tuple(map(printable, faults)))


def _policy_faults(known: str | None, facts: Mapping[str, Any]) -> Iterator[str]:
    """Compare the policy that a report calls the first with what the study's run says."""
    stated = facts.get("commitment")
    if known and stated and stated["committed_sha256"] != known:
        yield (
            f"the report says that the policy {stated['committed_sha256'][:12]} was written down "
            f"first; the study's run, where nobody can change it, says {known[:12]}"
        )


def act(store: "ReviewStore", name: str, version: str, request: Request) -> Acted:
    """Do something in a review.

    Args:
        store: Where reviews are.
        name: Registered model.
        version: Number, ``latest`` or an alias.
        request: What, and by whom.

    Raises:
        RefusedError: If the review does not allow it; nothing has changed then.
        InputError: If there is no such version, or it does not match its hashes.
    """
    for _ in range(_PATIENCE):
        docket, entry, payments = _drafted(store, name, version, request)
        apply(docket.review, entry)
        try:
            store.append(docket.version, entry)
        except ConflictError:
            # whoever looked at a certain state decides anew; others are only in a queue
            if request.head:
                raise
            continue
        return Acted(_after(store, docket, request), entry, payments)
    raise ConflictError("too many people act at once; try again")


def draft(store: "ReviewStore", name: str, version: str, request: Request) -> Entry:
    """Return the entry that a request would write, for its actor to sign; nothing is written.

    Raises:
        RefusedError: If the ledger has changed or does not check.
    """
    return _drafted(store, name, version, request)[1]


def _drafted(
    store: "ReviewStore", name: str, version: str, request: Request
) -> tuple[Docket, Entry, tuple[Payment, ...]]:
    docket = open_docket(store, name, version, mirrors=False)
    if docket.faults:
        raise ConflictError(f"the ledger does not check, so nothing is added: {docket.faults[0]}")
    if request.head and request.head != docket.review.head:
        raise ConflictError(
            "somebody else has acted since this was looked at; look again, then decide anew"
        )
    details, payments = _details(store, docket, request)
    drafted = draft_entry(
        docket.review, request.action, request.actor, request.comment, details, request.identity
    )
    for mark in (request.signer, request.attester):
        drafted = mark(drafted) if mark else drafted
    return docket, drafted, payments


def admit(
    store: "ReviewStore", name: str, version: str, entry: Entry, attester: Signer | None = None
) -> Acted:
    """Write an entry that somebody has drafted and signed elsewhere.

    Args:
        store: Where reviews are.
        name: Registered model.
        version: Number, ``latest`` or an alias.
        entry: With its actor's signature, and with the identity that the server has verified.
        attester: Attests that identity; None if nothing verified the name.

    Raises:
        RefusedError: If the review does not allow it.
    """
    docket = open_docket(store, name, version, mirrors=False)
    request = Request(
        entry.action, entry.actor, entry.comment, entry.details, entry.identity, attester=attester
    )
    details, payments = _details(store, docket, request)
    if dict(details) != dict(entry.details):
        raise ConflictError("the entry states other files or payments than there are")
    entry = attester(entry) if attester else entry
    apply(docket.review, entry)
    store.append(docket.version, entry)
    return Acted(_after(store, docket, request), entry, payments)


def replaceable(store: "ReviewStore", docket: Docket) -> list[str]:
    """Return earlier versions whose review is open, so that this one would take their place."""
    own = int(docket.version.version)
    return [
        str(earlier.version)
        for earlier in store.versions(docket.version.name)
        if int(earlier.version) < own and store.lines(earlier) and _is_open(store, earlier)
    ]


def _is_open(store: "ReviewStore", version: "ModelVersion") -> bool:
    docket = open_docket(store, version.name, str(version.version), mirrors=False)
    return docket.review.state in ACTIONS["supersede"].sources


def _after(store: "ReviewStore", docket: Docket, request: Request) -> Docket:
    """Mirror what was written, and supersede what a submission replaces."""
    case = docket.review.case
    review = store.mirror(docket.version, lambda lines: check_ledger(case, lines)[0])
    if request.action == "submit" and request.details.get("replaces"):
        act(store, docket.version.name, request.details["replaces"], _following(docket, request))
    return replace(docket, review=review)


def _following(docket: Docket, submission: Request) -> Request:
    """Return what a submission does to the version that it replaces."""
    number = docket.review.case.subject.version
    comment = f"Version {number} takes its place: {submission.comment[:_ROOM]}"
    return replace(submission, action="supersede", comment=comment, details={"by": number}, head="")


def _details(
    store: "ReviewStore", docket: Docket, request: Request
) -> tuple[Mapping[str, Any], tuple[Payment, ...]]:
    """Return what an action needs, the parts that are computed and not claimed among it."""
    computed = _COMPUTED.get(request.action)
    # what is refused anyhow is not computed first
    if computed is None or docket.review.state not in ACTIONS[request.action].sources:
        return request.details, ()
    return computed(store, docket, request)


def _replacing(
    store: "ReviewStore", docket: Docket, request: Request
) -> tuple[Mapping[str, Any], tuple[Payment, ...]]:
    """See that this person can supersede what their submission replaces, before it is written."""
    replaced = request.details.get("replaces")
    if replaced:
        follow = _following(docket, request)
        earlier, entry, _ = _drafted(store, docket.version.name, str(replaced), follow)
        apply(earlier.review, entry)
    return request.details, ()


def _superseded(
    store: "ReviewStore", docket: Docket, request: Request
) -> tuple[Mapping[str, Any], tuple[Payment, ...]]:
    by = store.version(docket.version.name, str(request.details.get("by", "")))
    return {**request.details, "by": str(by.version)}, ()


def _checked(
    store: "ReviewStore", docket: Docket, request: Request
) -> tuple[Mapping[str, Any], tuple[Payment, ...]]:
    check_window(docket.review, datetime.now(UTC))  # sooner than what takes long
    _check_released_once(store, docket)
    return {"files": _verified_files(store, docket)}, ()


def _exported(
    store: "ReviewStore", docket: Docket, request: Request
) -> tuple[Mapping[str, Any], tuple[Payment, ...]]:
    _check_released_once(store, docket)
    _verified_files(store, docket)
    payments = tuple(payments_due(docket.facts, docket.review))
    if not payments:
        raise ConflictError("nothing is due: everything was exported, or waits for contests")
    subject = str(docket.review.case.subject)
    text = payments_csv(payments, docket.facts["currency"], subject)
    details = {
        "format": "csv",
        "sha256": hashlib.sha256(text).hexdigest(),
        "payments": len(payments),
        "total_minor": sum(one.amount_minor for one in payments),
    }
    return details, payments


_COMPUTED: dict[str, Callable[..., tuple[Mapping[str, Any], tuple[Payment, ...]]]] = {
    "submit": _replacing,
    "supersede": _superseded,
    "finalize": _checked,
    "export": _exported,
}
"""Actions that rest on something computed at that moment."""


def _check_released_once(store: "ReviewStore", docket: Docket) -> None:
    """See that no other version of these values pays the same pool.

    A pool is told by the period that the policy names for it; without one, by the data.

    Raises:
        ConflictError: If one was released.
    """
    for other in store.versions(docket.version.name):
        if other.version == docket.version.version or not store.lines(other):
            continue
        known = open_docket(store, other.name, str(other.version), mirrors=False)
        if known.review.state in PAYABLE and _pool(known.facts) == _pool(docket.facts):
            raise ConflictError(
                f"version {other.version} pays the same pool and is {known.review.state}; if this "
                "is another pool, name its period (compensation.period) and report again"
            )


def _pool(facts: Mapping[str, Any]) -> str:
    period = str(facts["settings"]["compensation"]["period"]).strip()
    return f"period {period.casefold()}" if period else f"data {facts['dataset_digest']}"


def _verified_files(store: "ReviewStore", docket: Docket) -> int:
    """Compute the whole report again, and return how many files matched.

    Raises:
        ConflictError: If something does not match.
    """
    with tempfile.TemporaryDirectory(prefix="credit-report-") as folder:
        content = store.fetch(docket.version, Path(folder))
        complaints = verify_report(content)
        if complaints:
            raise ConflictError(f"the report does not verify: {printable(complaints[0])}")
        return len(list(content.iterdir()))


def exported_payments(docket: Docket, line: int | None = None) -> tuple[Entry, list[Payment]]:
    """Return what was exported by a line of the ledger.

    Args:
        docket: The review.
        line: Number of the line; the last export if left out.

    Raises:
        InputError: If nothing was exported by it, or it does not match what the line states.
    """
    exports = {e.number: e for e in docket.review.entries if e.action == "export"}
    number = line if line is not None else max(exports, default=0)
    if number not in exports:
        raise InputError(f"line: nothing was exported by line {number or 'any'} of the ledger")
    entry = exports[number]
    payments = payments_of(docket.facts, docket.review, number)
    text = payments_csv(payments, docket.facts["currency"], str(entry.subject))
    if hashlib.sha256(text).hexdigest() != entry.details["sha256"]:
        raise InputError(f"line {number}: the payments do not have the hash that it states")
    return entry, payments


def describe_docket(docket: Docket) -> dict[str, Any]:
    """Return where a review stands as plain data, for programs and for the terminal."""
    review = docket.review
    return {
        "schema": DOCKET_SCHEMA,
        "name": docket.version.name,
        "version": str(docket.version.version),
        "state": review.state.value,
        "label": review.label(datetime.now(UTC)),
        "head": review.head,
        "contest_until": review.contest_until.isoformat() if review.contest_until else None,
        "contests": [asdict(contest) for contest in review.contests],
        "lines": [entry.line for entry in review.entries],
        "verified": [is_verified(review, entry) for entry in review.entries],
        "subject": asdict(review.case.subject),
        "control": review.case.rules.compensating_control,
        "faults": list(docket.faults),
    }


def parse_source(source: str) -> tuple[str, str]:
    """Return name and version of ``models:/designers.values/3``, ``designers.values@approved``.

    Raises:
        InputError: If it is neither.
    """
    text = source.removeprefix("models:/")
    name, separator, version = text.replace("@", "/", 1).partition("/")
    if not (separator and name and version) or "/" in version:
        raise InputError(
            f"{source}: name a registered version, models:/<study>.values/<version> or "
            "models:/<study>.values@<alias>"
        )
    return name, version
