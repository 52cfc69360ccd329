"""The policy is fixed before the first coalition, and everybody can see that it was.

Whoever may rerun a study with other rules until a favoured payee comes out well can move large
parts of a pool: keeping the best of 5 reruns gained such a payee 58 % on toy games. So the policy
is hashed and written down, with how many coalitions were evaluated by then, before the first of
them. One file for each table of coalitions, one line for each policy under which it was reported,
appended and flushed; the first line binds. A report under another policy is a draft that says so,
and so is one whose first line was written after coalitions were known.

Two things are written down:

* the *policy*: the settings of the payout, the headline, what is better of each property, and the
  baseline. It binds.
* the *protocol*: how coalitions are chosen and values estimated. A larger budget is no fraud, so a
  change is allowed, and listed in the report.

A search for settings (``credit tune``) evaluates coalitions of tables that are paid by later, and
so writes the policy down in each of them first.

This shows to a reader who trusts the file that nobody changed rules afterwards; so that nobody has
to trust the file, the first hash is also a parameter of the study's MLflow run from its start, and
MLflow lets nobody change a parameter.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from credit_plugin.config import Study
from credit_plugin.errors import InputError
from credit_plugin.jsonable import canonical

FILE = "commitments.jsonl"


@dataclass(frozen=True)
class Commitment:
    """One policy that was written down.

    Attributes:
        policy_sha256: Of the policy.
        committed: When, ISO, in UTC.
        evaluations: How many coalitions were evaluated by then.
        policy: The policy.
        protocol: How values were to be obtained.
    """

    policy_sha256: str
    committed: str
    evaluations: int
    policy: Mapping[str, Any]
    protocol: Mapping[str, Any]


@dataclass(frozen=True)
class Standing:
    """How a report's policy stands to what was written down.

    Attributes:
        first: What binds.
        policy_sha256: Of the report's policy.
        complaints: Why the report cannot be sealed, one line each; empty if it can.
        changes: What of the protocol is not as it was, one line each.
    """

    first: Commitment
    policy_sha256: str
    complaints: tuple[str, ...]
    changes: tuple[str, ...]

    @property
    def sealable(self) -> bool:
        """Whether the report's policy was fixed before the first coalition."""
        return not self.complaints

    def to_json_dict(self) -> dict[str, Any]:
        """Return what a report says of it."""
        return {
            "policy_sha256": self.policy_sha256,
            "committed_sha256": self.first.policy_sha256,
            "committed": self.first.committed,
            "evaluations_before": self.first.evaluations,
            "sealable": self.sealable,
            "complaints": list(self.complaints),
            "changes": list(self.changes),
        }


def policy_of(study: Study, directions: Mapping[str, float]) -> dict[str, Any]:
    """Return the policy of a study as plain data.

    Args:
        study: The settings.
        directions: By property, positive where more is better.
    """
    return {
        "schema": 1,
        "compensation": study.compensation.model_dump(mode="json"),
        "headline": study.properties.headline,
        "directions": {
            name: "higher" if directions[name] > 0 else "lower" for name in sorted(directions)
        },
        "baseline": study.game.baseline,
    }


def protocol_of(study: Study) -> dict[str, Any]:
    """Return how a study chooses coalitions and estimates values, as plain data."""
    return {
        "seed": study.seed,
        "game": study.game.model_dump(mode="json"),
        "values": study.values.model_dump(mode="json"),
    }


def sha256_of_policy(policy: Mapping[str, Any]) -> str:
    """Return the hash of a policy in canonical JSON."""
    return hashlib.sha256(canonical(policy)).hexdigest()


def commit_study(
    study: Study, directions: Mapping[str, float], folder: Path, evaluations: int
) -> Standing:
    """Write the policy of a study down, now; see :func:`commit`.

    Args:
        study: The settings.
        directions: By property, positive where more is better.
        folder: Of the table of coalitions.
        evaluations: How many of its coalitions are evaluated.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    return commit(folder, policy_of(study, directions), protocol_of(study), evaluations, now)


def commit(
    folder: Path,
    policy: Mapping[str, Any],
    protocol: Mapping[str, Any],
    evaluations: int,
    now: datetime,
) -> Standing:
    """Write a policy down unless it is the last one, and say how it stands to the first.

    Args:
        folder: Of the table of coalitions.
        policy: From :func:`policy_of`.
        protocol: From :func:`protocol_of`.
        evaluations: How many coalitions are evaluated.
        now: In UTC.

    Raises:
        InputError: If what was written down before cannot be read.
    """
    path = folder / FILE
    known = read_commitments(path)
    own = Commitment(sha256_of_policy(policy), now.isoformat(), evaluations, policy, protocol)
    if not known or known[-1].policy_sha256 != own.policy_sha256:
        _append(path, own)
    return standing((known or [own])[0], policy, protocol)


def read_commitments(path: Path) -> list[Commitment]:
    """Return the lines of a file of commitments, oldest first; none if there is no file.

    Raises:
        InputError: If a line cannot be read or its hash is not that of its policy.
    """
    if not path.exists():
        return []
    found = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        try:
            one = Commitment(**json.loads(line))
            intact = one.policy_sha256 == sha256_of_policy(one.policy)
        except (ValueError, TypeError):
            intact = False
        if not intact:
            raise InputError(f"{path}: line {number} is not a policy as it was written down")
        found.append(one)
    return found


def standing(first: Commitment, policy: Mapping[str, Any], protocol: Mapping[str, Any]) -> Standing:
    """Say how a policy and a protocol stand to what was written down first."""
    complaints = []
    if first.evaluations:
        complaints.append(
            f"the policy was written down when {first.evaluations} evaluations were known already"
        )
    own = sha256_of_policy(policy)
    if first.policy_sha256 != own:
        changed = ", ".join(differences(first.policy, policy))
        complaints.append(
            f"the policy is not the one that was written down before the first coalition: {changed}"
        )
    changes = differences(first.protocol, protocol)
    return Standing(first, own, tuple(complaints), tuple(changes))


def as_line(commitment: Commitment) -> str:
    """Return a commitment as a line of its file."""
    return json.dumps(asdict(commitment), ensure_ascii=False, allow_nan=False) + "\n"


def _append(path: Path, commitment: Commitment) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(as_line(commitment))
        file.flush()
        os.fsync(file.fileno())


def differences(before: Any, after: Any, where: str = "") -> list[str]:
    """Return what differs in two trees of plain data: ``game.budget was 48 and is 96``."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        found = []
        for key in dict.fromkeys([*before, *after]):
            below = f"{where}.{key}" if where else str(key)
            found += differences(before.get(key), after.get(key), below)
        return found
    if before == after or json.dumps(before) == json.dumps(after):
        return []
    return [f"{where} was {json.dumps(before)} and is {json.dumps(after)}"]
