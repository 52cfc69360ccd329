"""A line of a review's ledger: who did what, when, with what meaning, about which record.

A ledger is JSON lines, one entry each, in canonical JSON (sorted keys, no spaces). Each entry has a
number and the sha256 of the line before it, the first one that of its subject. So a line that is
edited, dropped, moved or inserted is found, and which one it was. Whoever can rewrite all lines can
still write another ledger that chains; against that stand the places where a ledger is kept
(MLflow lets nobody change a parameter), and signatures: by reviewers with keys of theirs, and by
the server that has seen their password (:mod:`credit_plugin.compensation.review.signing`).

The subject of every line is named by hashes: of the report's record, its policy and the root of its
statements. An approval of one report can therefore not be carried over to another.

Source: statements about a subject that is named by its digests, as in-toto makes them; the
requirements for signed records (printed name, time, meaning, linked to the record) are those of
21 CFR 11.50 and 11.70. What is ours: the meaning lies in the chain with the comment and the
checklist, so the page that shows a signature shows what was signed.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any

from credit_plugin.errors import InputError
from credit_plugin.jsonable import canonical

SCHEMA_VERSION = 1
LONGEST_LINE = 6000
"""Characters: what MLflow keeps of a parameter."""

_UNSIGNED = frozenset({"signature", "identity", "server", "attestation"})


@dataclass(frozen=True)
class Subject:
    """What is reviewed, named so that nothing else can be meant.

    Attributes:
        name: Registered model, ``designers.values``.
        version: Its version.
        record_sha256: Of ``values.json``.
        policy_sha256: Of the policy; empty if none was written down.
        statements_root: Root of the Merkle tree of all statements.
    """

    name: str
    version: str
    record_sha256: str
    policy_sha256: str
    statements_root: str

    @property
    def sha256(self) -> str:
        """What the first line of the ledger follows."""
        return hashlib.sha256(canonical(asdict(self))).hexdigest()

    def __str__(self) -> str:
        return f"{self.name}/{self.version}"


@dataclass(frozen=True)
class Entry:
    """One line.

    Attributes:
        number: From 1.
        previous: sha256 of the line before; of the subject for the first.
        subject: What it is about.
        action: A name of :mod:`credit_plugin.compensation.review.actions`.
        at: ISO time in UTC, to the second.
        actor: Printed name of who acted.
        meaning: What the signature means, in words.
        scope: What it covers.
        comment: Why, in the actor's words.
        details: What this action needs beside that.
        key: Public Ed25519 key, hexadecimal; empty without a signature.
        signature: By the actor, of everything but itself and the last three, hexadecimal.
        identity: What verified the name, for instance ``mlflow basic-auth``; empty if nothing did.
        server: Public key of the server that says so, hexadecimal.
        attestation: By that server, of everything but itself, hexadecimal.
        schema: Version of this layout.
    """

    number: int
    previous: str
    subject: Subject
    action: str
    at: str
    actor: str
    meaning: str
    scope: str
    comment: str
    details: Mapping[str, Any] = field(default_factory=dict)
    key: str = ""
    signature: str = ""
    identity: str = ""
    server: str = ""
    attestation: str = ""
    schema: int = SCHEMA_VERSION

    @property
    def line(self) -> str:
        """The entry as it stands in the ledger, without the end of line."""
        return canonical(asdict(self)).decode()

    @property
    def sha256(self) -> str:
        """Hash of the line."""
        return hashlib.sha256(self.line.encode()).hexdigest()

    @property
    def signed_bytes(self) -> bytes:
        """What the actor's signature is of."""
        return canonical({k: v for k, v in asdict(self).items() if k not in _UNSIGNED})

    @property
    def attested_bytes(self) -> bytes:
        """What the server's attestation is of."""
        return canonical({k: v for k, v in asdict(self).items() if k != "attestation"})

    @property
    def time(self) -> datetime:
        """When, in UTC."""
        return datetime.fromisoformat(self.at)

    def with_signature(self, key: str, signature: str) -> "Entry":
        """Return the entry with a signature."""
        return replace(self, key=key, signature=signature)


def parse_entry(line: str) -> Entry:
    """Return the entry of a line.

    Raises:
        InputError: If it is no entry, or not laid out as one is written.
    """
    try:
        told = json.loads(line)
        told["subject"] = Subject(**told["subject"])
        entry = Entry(**told)
        _check_types(entry)
        same = entry.line == line
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise InputError("it is no entry of a review") from None
    if not same:
        raise InputError("it is not laid out as entries are written")
    return entry


def read_ledger(lines: Iterable[str], subject: Subject) -> tuple[list[Entry], list[str]]:
    """Read a ledger, and say of each line that does not fit what is wrong with it.

    Args:
        lines: Oldest first.
        subject: What the ledger is of.

    Returns:
        The entries up to the first line that cannot be read, and one sentence for each fault.
    """
    entries: list[Entry] = []
    faults: list[str] = []
    previous, latest = subject.sha256, ""
    for place, line in enumerate(lines, start=1):
        try:
            entry = parse_entry(line)
        except InputError as error:
            faults.append(f"line {place} of the ledger was forged or damaged: {error}")
            break
        faults += _misfits(entry, place, previous, latest, subject)
        entries.append(entry)
        previous, latest = entry.sha256, entry.at
    return entries, faults


def _misfits(
    entry: Entry, place: int, previous: str, latest: str, subject: Subject
) -> Iterable[str]:
    where = f"line {place} of the ledger"
    if entry.number != place:
        yield f"{where} is numbered {entry.number}: lines were dropped, moved or inserted"
    if entry.previous != previous:
        yield f"{where} does not follow the line before it: one of the two was changed"
    if entry.subject != subject:
        yield f"{where} is about another record, {entry.subject}"
    if entry.at < latest:
        yield f"{where} is dated {entry.at}, before the line before it"


def _check_types(entry: Entry) -> None:
    """Refuse an entry whose parts are of other types than are written."""
    kinds = {"number": int, "schema": int, "details": dict, "subject": Subject}
    for part in fields(entry):
        if not isinstance(getattr(entry, part.name), kinds.get(part.name, str)):
            raise TypeError(part.name)
    if any(not isinstance(value, str) for value in asdict(entry.subject).values()):
        raise TypeError("subject")
    if entry.time.astimezone(UTC).isoformat() != entry.at:
        raise ValueError("at")
