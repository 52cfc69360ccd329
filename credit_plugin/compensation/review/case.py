"""What a review is about, and by which rules: the report, its payees, and its policy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from credit_plugin.compensation.facts import SEALED
from credit_plugin.compensation.review.entries import Subject
from credit_plugin.config import CompensationSettings, ReviewSettings
from credit_plugin.errors import InputError


@dataclass(frozen=True)
class Case:
    """One report under review.

    Attributes:
        subject: Names it by its hashes.
        sealed: Whether its policy was written down before the first coalition and kept.
        payees: Names of everybody who is paid.
        contest_days: How long payouts can be contested after the approval.
        rules: What the policy says of reviews.
        servers: Public keys of servers whose word on names is taken, those of the policy among
            them.
    """

    subject: Subject
    sealed: bool
    payees: frozenset[str]
    contest_days: int = 0
    rules: ReviewSettings = field(default_factory=ReviewSettings)
    servers: frozenset[str] = frozenset()


def case_of(
    facts: Mapping[str, Any],
    name: str,
    version: str,
    record_sha256: str,
    servers: frozenset[str] = frozenset(),
) -> Case:
    """Return the case of a registered report.

    Args:
        facts: Its record, ``values.json``.
        name: Registered model.
        version: Its version.
        record_sha256: Of the record's file.
        servers: Public keys of servers that are trusted beside those of the policy.

    Raises:
        InputError: If the record is none.
    """
    try:
        return _case(facts, name, version, record_sha256, servers)
    except (LookupError, TypeError, ValueError, AttributeError):
        raise InputError(f"{name}/{version}: values.json is damaged") from None


def _case(
    facts: Mapping[str, Any],
    name: str,
    version: str,
    record_sha256: str,
    servers: frozenset[str],
) -> Case:
    policy = CompensationSettings.model_validate(facts["settings"]["compensation"])
    commitment = facts["commitment"] or {}
    subject = Subject(
        name,
        version,
        record_sha256,
        commitment.get("policy_sha256", ""),
        facts["statements"]["root"],
    )
    return Case(
        subject,
        facts["status"] == SEALED,
        frozenset(row["contributor"] for row in facts["rows"]),
        policy.contest_days,
        policy.review,
        servers | set(policy.review.servers),
    )
