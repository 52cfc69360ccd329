"""What each payee is told about themselves, sealed together and provable one by one.

A statement holds one payee's numbers, what is common to all (pool, rule, property, how sure the
values are), and nothing about anybody else. The statements are the leaves of a Merkle tree
(:mod:`credit_plugin.compensation.merkle`) whose root is part of the sealed report: with their own
statement and its proof, a payee can verify that it is among the sealed ones.

Each statement has a *nonce*, so that nobody can guess another one's from the hashes of a proof. It
is derived from everything that the report says, which payees do not see; so it is secret as long as
the report is, and the same report always has the same root.

Statements are made one by one, and a file of a million of them is written line by line.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from credit_plugin.compensation.formula import Formula
from credit_plugin.compensation.merkle import MerkleTree, Proof, verify
from credit_plugin.compensation.policy_words import why_waiting
from credit_plugin.compensation.wording import decimals_for
from credit_plugin.errors import InputError
from credit_plugin.jsonable import canonical

FILE = "statements.jsonl"
SCHEMA_VERSION = 1
_COMMON = (
    "study", "status", "created", "property", "direction", "currency", "pool_minor", "baseline",
    "v_empty", "v_full", "confidence", "models", "gate",
)  # fmt: skip


def statement_records(facts: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Return the statement of each payee, in the order of the report's rows.

    Args:
        facts: From :func:`credit_plugin.compensation.facts.collect_facts`; what they say of the
            statements themselves does not count.
    """
    rows, policy = facts["rows"], facts["settings"]["compensation"]
    digits = value_digits(facts)
    formula, key = Formula(facts, digits), _key(facts)
    fidelity = facts["fidelity"]
    common = {
        "schema_version": SCHEMA_VERSION,
        **{name: facts[name] for name in _COMMON},
        "payees": len(rows),
        "images": formula.images,
        "digits": digits,
        "evaluations": facts["certainty"]["evaluations"],
        "value_of_equal_share": facts["certainty"]["value_of_equal_share"],
        "fidelity": fidelity["findings"][0] if fidelity else None,
        "sealed": facts["commitment"],
        "policy": {name: policy[name] for name in ("version", "period", "contact", "contest_days")},
    }
    for number, row in enumerate(rows, start=1):
        yield {
            **common,
            "number": number,
            "row": row,
            "formula": formula.lines(row),
            "waiting": why_waiting(row),
            "nonce": hashlib.sha256(f"{key}/{number}".encode()).hexdigest(),
        }


def seal(facts: Mapping[str, Any]) -> MerkleTree:
    """Return the tree of all statements."""
    return MerkleTree(canonical(record) for record in statement_records(facts))


def write_statements(facts: Mapping[str, Any], tree: MerkleTree, path: Path) -> None:
    """Write a line for each payee: the statement, its proof and the root."""
    with path.open("w", encoding="utf-8") as file:
        for index, record in enumerate(statement_records(facts)):
            proved = {
                "statement": record,
                "proof": tree.proof(index).to_json_dict(),
                "root": tree.root,
            }
            file.write(json.dumps(proved, ensure_ascii=False, allow_nan=False) + "\n")


def read_statements(path: Path) -> Iterator[dict[str, Any]]:
    """Return what :func:`write_statements` wrote, line by line."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def check_place(proved: Any, sealed: Mapping[str, Any], index: int) -> str:
    """Return why a line of the file is not the statement that a report seals there; empty if it is.

    A line proves itself under the root that it brings along, and anybody can make one of those.

    Args:
        proved: The line.
        sealed: The ``statements`` of the report's record: their root and their count.
        index: Which line it is, from 0.
    """
    wrong = check_statement(proved)
    if wrong:
        return wrong
    proof = Proof.from_json_dict(proved["proof"])
    told = (proved["root"], proof.index, proof.size)
    if told != (sealed["root"], index, sealed["count"]):
        return "it is sealed under another root, or in another place, than the report's record says"
    return ""


def check_statement(proved: Any) -> str:
    """Return why a statement is not among the sealed ones of its root; empty if it is.

    Args:
        proved: A line of the file, or the file that a payee was given.
    """
    try:
        record, root = proved["statement"], proved["root"]
        proof = Proof.from_json_dict(proved["proof"])
        leaf = canonical(record)
    except (TypeError, KeyError, ValueError) as error:
        reason = str(error) if isinstance(error, InputError) else "it is no statement with a proof"
        return reason
    if not verify(leaf, proof, str(root)):
        return "it is not what was sealed under its root: a number, or the proof, was changed"
    return ""


def value_digits(facts: Mapping[str, Any]) -> int:
    """Return how many decimals values are shown with."""
    rows = facts["rows"]
    return decimals_for([row[end] for row in rows for end in ("ci_low", "ci_high", "value")])


def _key(facts: Mapping[str, Any]) -> str:
    told = {name: fact for name, fact in facts.items() if name != "statements"}
    return hashlib.sha256(canonical(told)).hexdigest()
