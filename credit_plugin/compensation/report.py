"""The compensation report: one set of facts, written as CSV, JSON, Markdown and HTML.

==================  ==============================================================================
``values.csv``      contributor, value, standard_error, ci_low, ci_high, share, payout
``values.json``     everything that the report says (:mod:`credit_plugin.compensation.facts`)
``coalitions.csv``  the utility table that the values were computed from
``retrainings.csv`` utilities of retrained coalitions, if the values rest on them too
``fidelity.json``   what a check against retraining found, if there was one, and
``fidelity.csv``    its table of methods (:mod:`credit_plugin.fidelity.result`)
``report.html``     for people; one file, no script, nothing loaded from elsewhere
``report.md``       the same in Markdown
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
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from credit_plugin.compensation.facts import SCHEMA_VERSION, collect_facts
from credit_plugin.compensation.inputs import ReportInputs
from credit_plugin.compensation.publication import (
    check_manifest,
    published,
    sha256_of,
    write_manifest,
)
from credit_plugin.compensation.rendering import render_html, render_markdown
from credit_plugin.fidelity.result import RECORD

__all__ = ["ReportInputs", "as_cell", "check_manifest", "write_report"]

_RESTS_ON = ("values.json", "coalitions.csv", "retrainings.csv", RECORD)
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
    with published(folder) as draft:
        _write_values_csv(facts["rows"], draft / "values.csv")
        (draft / "values.json").write_text(_as_json(facts), "utf-8")
        inputs.table.to_csv(draft / "coalitions.csv")
        if inputs.retrained is not None:
            inputs.retrained.to_csv(draft / "retrainings.csv")
        if inputs.fidelity is not None:
            inputs.fidelity.save(draft)
        rests_on = [n for n in _RESTS_ON if (draft / n).exists()]
        hashes = {name: sha256_of(draft / name) for name in rests_on}
        page = render_html(facts, hashes, inputs.thumbnails)
        (draft / "report.html").write_text(page, "utf-8")
        (draft / "report.md").write_text(render_markdown(facts, hashes), "utf-8")
        return write_manifest(
            draft,
            {
                "schema_version": SCHEMA_VERSION,
                "status": facts["status"],
                "created": facts["created"],
                "settings": facts["settings"],
                "versions": facts["versions"],
                "data": {"name": facts["dataset"], "sha256": facts["dataset_digest"]},
                "contributors": dict(inputs.contributor_digests),
                "models": facts["models"],
            },
        )


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


def _as_json(facts: Mapping[str, Any]) -> str:
    return json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
