"""Everything in a report, computed again from the measurements in its folder.

:func:`verify_report` names each thing that does not match:

1. every file against its hash in the manifest, and the manifest against its own;
2. the values, their reliability and what they would be from other baselines, against the tables of
   coalitions (within one millionth: other processors round differently);
3. the gate, the payouts and what waits, to the cent, against the values and the policy;
4. the policy against the one that was written down first, and that file's hashes;
5. statements and their root, pages, Markdown and tables, byte for byte, against the facts; unless
   another version of this package wrote them (:func:`written_by_another`), which is no mismatch.

What is stated and not computed (costs, what was submitted, versions, which other studies there are)
is protected by the hashes alone. Who can write every file of a folder can write a new report that
verifies; against that, compare the hash of the record with the one that was signed or published.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import TemplateError
from pydantic import ValidationError

from credit_plugin.compensation.commitment import FILE as COMMITMENTS
from credit_plugin.compensation.commitment import read_commitments
from credit_plugin.compensation.facts import SCHEMA_VERSION, collect_facts
from credit_plugin.compensation.inputs import ReportInputs
from credit_plugin.compensation.merkle import MerkleTree
from credit_plugin.compensation.publication import MANIFEST, check_manifest
from credit_plugin.compensation.report import (
    COALITIONS,
    FACTS,
    RETRAININGS,
    as_json,
    manifest_statements,
    write_derived,
)
from credit_plugin.compensation.statements import seal
from credit_plugin.compensation.valuing import valuation_of
from credit_plugin.config import Study
from credit_plugin.contributors.intake import Submissions
from credit_plugin.errors import InputError
from credit_plugin.fidelity.result import RECORD, FidelityResult
from credit_plugin.game.table import UtilityTable
from credit_plugin.values import ContributorValues
from credit_plugin.versions import versions_of

_TOLERANCE = 1e-6
_MOST = 20
# whoever edits a file can leave anything behind
_DAMAGED = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    TemplateError,
)
_DERIVED = (
    "values.csv", "payouts.csv", "statements.jsonl", "report.html", "report.md", "summary.html",
    "summary.md",
)  # fmt: skip


def verify_report(folder: Path) -> list[str]:
    """Compute a report again, and return one line for each thing that does not match.

    Args:
        folder: A report; nothing is written to it.

    Returns:
        Empty if everything matches. If files were changed, first the files, and then whatever still
        can be computed.

    Raises:
        InputError: If the folder is no report at all.
    """
    if not (folder / MANIFEST).exists() and not (folder / FACTS).exists():
        raise InputError(f"{folder} is no report: there is neither {MANIFEST} nor {FACTS}")
    complaints = check_manifest(folder)
    try:
        return complaints + list(_recomputed(folder))
    except InputError as error:
        return [*complaints, str(error)]
    except _DAMAGED as error:
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        return [*complaints, f"{FACTS} cannot be computed again ({what})"]


def _recomputed(folder: Path) -> Iterator[str]:
    stated = json.loads((folder / FACTS).read_text("utf-8"))
    if stated["schema_version"] != SCHEMA_VERSION:
        yield (
            f"{FACTS} is of schema {stated['schema_version']}; this package computes schema "
            f"{SCHEMA_VERSION} alone"
        )
        return
    told = {key: fact for key, fact in stated.items() if key != "statements"}
    differing = list(_differences(collect_facts(read_inputs(folder, stated)), told))
    differing.sort(key=lambda found: not found[0].startswith("properties."))  # causes first
    shown = [f"{FACTS}: {where} is stated as {b}, and computes to {a}" for where, a, b in differing]
    yield from shown[:_MOST]
    if len(shown) > _MOST:
        yield f"{FACTS}: and {len(shown) - _MOST} more numbers do not match"
    tree = seal(told)
    if stated["statements"] != {"root": tree.root, "count": len(told["rows"])}:
        yield f"{FACTS}: statements are stated to be sealed otherwise; their root is {tree.root}"
    if as_json(stated) != (folder / FACTS).read_text("utf-8"):
        yield f"{FACTS} is not laid out as it was written"
    yield from _manifest_complaints(folder, stated)
    yield from _changed_files(folder, stated, tree)


def written_by_another(stated: Mapping[str, Any]) -> str:
    """Return the version of this package that wrote a report, if it is another one; else empty."""
    written_by = stated["versions"].get("credit_plugin")
    own = versions_of(["credit_plugin"])["credit_plugin"]
    return "" if written_by in (None, own) else str(written_by)


def read_inputs(folder: Path, stated: Mapping[str, Any]) -> ReportInputs:
    """Return what a report is made from, estimated again from the tables in its folder.

    Args:
        folder: The report.
        stated: Its facts; what cannot be computed is taken from them.
    """
    study = _study(stated)
    table = UtilityTable.from_csv(folder / COALITIONS)
    exact = folder / RETRAININGS
    retrained = UtilityTable.from_csv(exact) if exact.exists() else None
    rows = {row["contributor"]: row for row in stated["rows"]}
    images = {name: row["images"] for name, row in rows.items()}
    valuation = valuation_of(study, table.contributors, images)
    values = {n: valuation.values(table, n, retrained) for n in study.properties.names}
    headline = study.properties.headline
    judged = {headline, *study.compensation.property_weights(headline)}
    if stated["reliability"] is None:
        judged = set()
    in_order = [rows[name] for name in table.contributors]
    distances = [row["distance"] for row in in_order]
    submissions = stated["submissions"]
    return ReportInputs(
        study=study,
        created=datetime.fromisoformat(stated["created"]),
        values={name: _as_stated(found, stated) for name, found in values.items()},
        directions=stated["directions"],
        table=table,
        image_counts=np.array([row["images"] for row in in_order]),
        attribution=tuple(stated["attribution"]),
        licences=_licences(in_order),
        dataset_name=stated["dataset"],
        dataset_digest=stated["dataset_digest"],
        contributor_digests={r["contributor"]: r["data_sha256"] for r in in_order},
        models=stated["models"],
        full_model_properties=stated["full_model_properties"],
        pruned_model_properties=stated["pruned_model_properties"],
        baselines={case["name"]: case["v_empty"] for case in stated["baselines"][1:]},
        costs=stated["costs"],
        lost=tuple(stated["lost"]),
        versions=stated["versions"],
        stopped=stated["stopped"],
        reliability={n: valuation.reliability(table, values[n], retrained) for n in judged},
        retrained=retrained,
        fidelity=FidelityResult.load(folder) if (folder / RECORD).exists() else None,
        submissions=Submissions.from_json_dict(submissions) if submissions else None,
        commitments=tuple(read_commitments(folder / COMMITMENTS)),
        distances=None if None in distances else np.array(distances, dtype=float),
        others=tuple(stated["other_studies"]),
    )


def _study(stated: Mapping[str, Any]) -> Study:
    try:
        return Study.model_validate(stated["settings"])
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise InputError(f"{FACTS}: settings.{where} cannot be used") from None


def _as_stated(computed: ContributorValues, stated: Mapping[str, Any]) -> ContributorValues:
    """Return values with the stated numbers if these are the computed ones but for rounding.

    Payouts can then be compared to the cent whatever processor estimated the values.
    """
    said = stated["properties"][computed.property]
    if any(True for _ in _differences(computed.to_json_dict(), said)):
        return computed
    return replace(ContributorValues.from_json_dict(said), draws=computed.draws)


def _licences(rows: list[Mapping[str, Any]]) -> tuple[str, ...]:
    known = [row["licence"] for row in rows]
    return () if None in known else tuple(known)


def _differences(computed: Any, stated: Any, where: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the place, what was computed and what is stated, wherever they differ."""
    if isinstance(computed, Mapping) and isinstance(stated, Mapping):
        for key in dict.fromkeys([*computed, *stated]):
            below = f"{where}.{key}" if where else str(key)
            yield from _differences(computed.get(key), stated.get(key), below)
    elif isinstance(computed, list | tuple) and isinstance(stated, list | tuple):
        if len(computed) != len(stated):
            yield f"{where}, its length", len(computed), len(stated)
        for index, (one, other) in enumerate(zip(computed, stated, strict=False)):
            yield from _differences(one, other, f"{where}[{index}]")
    elif not _same(computed, stated):
        yield where, computed, stated


def _same(computed: Any, stated: Any) -> bool:
    if isinstance(computed, float) and isinstance(stated, float | int):
        return bool(np.isclose(computed, float(stated), rtol=_TOLERANCE, atol=1e-12))
    return type(computed) is type(stated) and computed == stated


def _manifest_complaints(folder: Path, stated: Mapping[str, Any]) -> Iterator[str]:
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    for key, said in manifest_statements(stated).items():
        if manifest.get(key) != json.loads(json.dumps(said)):
            yield f"{MANIFEST}: {key} is not what {FACTS} says"


def _changed_files(folder: Path, stated: Mapping[str, Any], tree: MerkleTree) -> Iterator[str]:
    """Compare the files that follow from the facts with what the facts give."""
    if written_by_another(stated):
        return
    with tempfile.TemporaryDirectory() as aside:
        again = Path(aside)
        for path in folder.iterdir():
            if path.name not in _DERIVED and path.is_file():
                (again / path.name).write_bytes(path.read_bytes())
        write_derived(stated, tree, again)
        for name in _DERIVED:
            if not (folder / name).exists():
                continue  # the manifest has said so
            if (folder / name).read_bytes() != (again / name).read_bytes():
                yield f"{name} is not what {FACTS} gives"
