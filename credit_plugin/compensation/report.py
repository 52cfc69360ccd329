"""The compensation report: one set of facts, written as CSV, JSON, Markdown and HTML.

==================  ==============================================================================
``values.csv``      contributor, value, standard_error, ci_low, ci_high, share, payout
``payouts.csv``     contributor, payout, and what of it is held, carried forward and paid
``values.json``     everything that the report says (:mod:`credit_plugin.compensation.facts`)
``statements.jsonl``  one line for each payee: what they are told, and its proof
``coalitions.csv``  the utility table that the values were computed from
``retrainings.csv`` utilities of retrained coalitions, if the values rest on them too
``fidelity.json``   what a check against retraining found, if there was one, and
``fidelity.csv``    its table of methods (:mod:`credit_plugin.fidelity.result`)
``submissions.csv`` images that were merged, disputed, excluded or withdrawn, if there are any
``commitments.jsonl``  policies that were written down, the first one first
``report.html``     the reviewer's dossier; one file, no script, nothing loaded from elsewhere
``report.md``       the same in Markdown
``summary.html``    the public summary, in which nobody is named, and
``summary.md``      the same in Markdown
``thumbnails.json`` one small picture of each contributor, PNG in base64
``manifest.json``   hash and size of each file, settings, versions, digests, models
==================  ==============================================================================

A name in ``values.csv`` that a spreadsheet could take for a formula gets an apostrophe in front,
see :func:`as_cell`, and names are in quotes, so that programs which split at semicolons or tabs do
not split them; numbers are plain numbers, and ``payout`` is an exact decimal in units of the
currency. Exact names are in ``values.json``, and in the header of ``coalitions.csv``, which has to
be read back as it was.
"""

import csv
import json
import unicodedata
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from credit_plugin.compensation.commitment import FILE as COMMITMENTS
from credit_plugin.compensation.commitment import as_line
from credit_plugin.compensation.facts import SCHEMA_VERSION, collect_facts
from credit_plugin.compensation.inputs import ReportInputs
from credit_plugin.compensation.merkle import MerkleTree
from credit_plugin.compensation.payout import as_amount
from credit_plugin.compensation.policy_words import why_waiting
from credit_plugin.compensation.publication import (
    check_manifest,
    published,
    sha256_of,
    write_manifest,
)
from credit_plugin.compensation.rendering import render_html, render_markdown
from credit_plugin.compensation.statements import FILE as STATEMENTS
from credit_plugin.compensation.statements import seal, write_statements
from credit_plugin.compensation.summary_rendering import (
    render_summary_html,
    render_summary_markdown,
)
from credit_plugin.contributors.intake import Decision
from credit_plugin.fidelity.result import RECORD
from credit_plugin.jsonable import jsonable

__all__ = ["ReportInputs", "as_cell", "check_manifest", "read_facts", "write_report"]

FACTS, COALITIONS, RETRAININGS = "values.json", "coalitions.csv", "retrainings.csv"
THUMBNAILS = "thumbnails.json"
_RESTS_ON = (FACTS, COALITIONS, RETRAININGS, RECORD)
_AMOUNTS = ("payout", "brought_forward", "held", "carried", "paid", "count_payout", "value_payout")
_NUMBERS = ("value", "standard_error", "ci_low", "ci_high", "share")


def write_report(inputs: ReportInputs, folder: Path) -> dict[str, Any]:
    """Write the report to ``folder``, replacing one that is there in a single step.

    Args:
        inputs: What the report states.
        folder: Appears complete or not at all; its parent is made if needed.

    Returns:
        The manifest.

    Raises:
        InputError: If the pool has smaller units than its currency, or the table cannot be
            estimated from under another baseline.
    """
    facts = collect_facts(inputs)
    tree = seal(facts)
    facts["statements"] = {"root": tree.root, "count": len(facts["rows"])}
    with published(folder) as draft:
        (draft / FACTS).write_text(as_json(facts), "utf-8")
        inputs.table.to_csv(draft / COALITIONS)
        if inputs.retrained is not None:
            inputs.retrained.to_csv(draft / RETRAININGS)
        if inputs.fidelity is not None:
            inputs.fidelity.save(draft)
        if inputs.decisions:
            _write_decisions_csv(inputs.decisions, draft / "submissions.csv")
        if inputs.commitments:
            lines = map(as_line, inputs.commitments)
            (draft / COMMITMENTS).write_text("".join(lines), "utf-8")
        pictures = {n: b64encode(png).decode() for n, png in inputs.thumbnails.items()}
        (draft / THUMBNAILS).write_text(json.dumps(pictures, ensure_ascii=False), "utf-8")
        write_derived(facts, tree, draft)
        return write_manifest(draft, manifest_statements(facts))


def write_derived(facts: Mapping[str, Any], tree: MerkleTree, folder: Path) -> None:
    """Write the files that follow from the facts and from the files that a folder holds.

    Args:
        facts: Everything that the report says.
        tree: Of its statements.
        folder: Holds what the pages rest on.
    """
    _write_values_csv(facts["rows"], folder / "values.csv")
    _write_payouts_csv(facts, folder / "payouts.csv")
    write_statements(facts, tree, folder / STATEMENTS)
    hashes = {n: sha256_of(folder / n) for n in _RESTS_ON if (folder / n).exists()}
    pages = {
        "report.html": render_html(facts, hashes, read_thumbnails(folder)),
        "report.md": render_markdown(facts, hashes),
        "summary.html": render_summary_html(facts, hashes[FACTS]),
        "summary.md": render_summary_markdown(facts, hashes[FACTS]),
    }
    for name, page in pages.items():
        (folder / name).write_text(page, "utf-8")


def manifest_statements(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the manifest of a report says beside its files."""
    return {
        "schema_version": SCHEMA_VERSION,
        "status": facts["status"],
        "created": facts["created"],
        "settings": facts["settings"],
        "versions": facts["versions"],
        "data": {"name": facts["dataset"], "sha256": facts["dataset_digest"]},
        "contributors": {
            row["contributor"]: row["data_sha256"] for row in facts["rows"] if row["data_sha256"]
        },
        "models": facts["models"],
    }


def read_facts(folder: Path) -> dict[str, Any]:
    """Return everything that a report says."""
    facts: dict[str, Any] = json.loads((folder / FACTS).read_text("utf-8"))
    return facts


def read_thumbnails(folder: Path) -> dict[str, bytes]:
    """Return the pictures of a report's folder by contributor, PNG."""
    stored = json.loads((folder / THUMBNAILS).read_text("utf-8"))
    return {name: b64decode(text) for name, text in stored.items()}


def as_json(facts: Mapping[str, Any]) -> str:
    """Return the facts as the text of ``values.json``."""
    return json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def as_cell(name: str) -> str:
    """Return a name as a CSV cell that no spreadsheet takes for a formula.

    Names that begin with ``= + - @`` (full-width forms too, spaces before it do not help), a tab
    or an apostrophe get one apostrophe in front, and no others: so a reader gets every exact name
    back by removing one leading apostrophe.
    """
    first = unicodedata.normalize("NFKC", name).lstrip()[:1]
    return f"'{name}" if first in tuple("=+-@'") or name[:1] in tuple("'\t\r\n") else name


def _write_values_csv(rows: list[Mapping[str, Any]], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerow(["contributor", *_NUMBERS, "payout"])
        writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        for row in rows:
            numbers = [row[name] for name in _NUMBERS]
            writer.writerow([as_cell(row["contributor"]), *numbers, Decimal(row["payout"])])


def _write_decisions_csv(decisions: Sequence[Decision], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["item", "submitted_as", "owner", "fate", "reason"])
        for one in decisions:
            cells = (one.item, one.name, one.owner, one.fate, one.reason)
            # a file's name need not be text
            writer.writerow([as_cell(jsonable(cell)) for cell in cells])


def _write_payouts_csv(facts: Mapping[str, Any], path: Path) -> None:
    currency = facts["currency"]
    with path.open("w", newline="", encoding="utf-8") as file:
        columns = ("contributor", *_AMOUNTS, "currency", "why_waiting")
        csv.writer(file, lineterminator="\n").writerow(columns)
        writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        for row in facts["rows"]:
            amounts = [Decimal(as_amount(row[f"{name}_minor"], currency)) for name in _AMOUNTS]
            waits = as_cell(why_waiting(row))
            writer.writerow([as_cell(row["contributor"]), *amounts, currency, waits])
