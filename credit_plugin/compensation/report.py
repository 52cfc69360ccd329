"""The compensation report: one set of facts, written as CSV, JSON, Markdown and HTML.

Payouts follow the values clipped at 0 and renormalised, in exact minor units; the payout by count
of images stands beside it. Everything that came from outside (names, attributions) is escaped:
HTML by autoescape with a policy that allows no script, Markdown by backslashes. CSV cells hold
names as they are, quoted where CSV needs it; a name that a spreadsheet would take for a formula is
written with an apostrophe in front, as spreadsheets themselves do.

A folder appears complete or not at all, with the sha256 of every file in ``manifest.json``.
"""

import csv
import hashlib
import json
import shutil
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup

from credit_plugin.compensation.payout import (
    allocate,
    as_amount,
    format_money,
    pool_in_minor_units,
)
from credit_plugin.compensation.plots import values_plot
from credit_plugin.config import Study
from credit_plugin.game.table import UtilityTable
from credit_plugin.values import ContributorValues

SCHEMA = 1
MANIFEST = "manifest.json"


@dataclass(frozen=True, eq=False)
class ReportInputs:
    """Everything a report states.

    Attributes:
        study: The settings.
        created: When, in UTC.
        values: Values by property, oriented so that positive made it better.
        directions: +1 if higher is better, -1 if lower is, by property.
        table: Oriented utilities of every evaluated coalition.
        image_counts: int [n], images of each contributor.
        attribution: Lines that must travel with the data.
        licences: One for each contributor, or empty.
        dataset_name: Name of the data.
        dataset_digest: sha256 of the data.
        contributor_digests: sha256 of each contributor's data.
        models: Registered versions by kind, ``name/version``.
        full_model_properties: Properties of the unpruned full model, as they are.
        pruned_model_properties: Properties of the pruned model before coalitions.
        baselines: Oriented v(empty) of the headline under the baselines that can be stated.
        costs: Seconds by phase.
        lost: One line for each evaluation that was given up.
        versions: Versions of code and libraries.
        thumbnails: PNG of one image for each contributor.
    """

    study: Study
    created: datetime
    values: Mapping[str, ContributorValues]
    directions: Mapping[str, int]
    table: UtilityTable
    image_counts: np.ndarray
    attribution: tuple[str, ...]
    licences: tuple[str, ...]
    dataset_name: str
    dataset_digest: str
    contributor_digests: Mapping[str, str]
    models: Mapping[str, str]
    full_model_properties: Mapping[str, float]
    pruned_model_properties: Mapping[str, float]
    baselines: Mapping[str, float]
    costs: Mapping[str, float]
    lost: tuple[str, ...]
    versions: Mapping[str, str]
    thumbnails: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def headline(self) -> ContributorValues:
        """The values that are paid by."""
        return self.values[self.study.properties.headline]


def write_report(inputs: ReportInputs, folder: Path) -> dict[str, Any]:
    """Write the report to ``folder``, replacing one that is there, and return the manifest."""
    facts = collect_facts(inputs)
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    _write_values_csv(facts, partial / "values.csv")
    (partial / "values.json").write_text(json.dumps(facts, indent=1, allow_nan=False), "utf-8")
    inputs.table.to_csv(partial / "coalitions.csv")
    environment = _environment()
    picture = _data_uri(_as_png(values_plot(inputs.headline)))
    thumbnails = {name: _data_uri(png) for name, png in inputs.thumbnails.items()}
    for name in ("report.html", "report.md"):
        text = environment.get_template(f"{name}.j2").render(
            facts, picture=picture, thumbnails=thumbnails
        )
        (partial / name).write_text(text, "utf-8")
    manifest = {
        "schema": SCHEMA,
        "created": facts["created"],
        "files": {p.name: _describe(p) for p in sorted(partial.iterdir())},
        "settings": inputs.study.model_dump(mode="json"),
        "versions": dict(inputs.versions),
        "data": {"name": inputs.dataset_name, "sha256": inputs.dataset_digest},
        "contributors": dict(inputs.contributor_digests),
        "models": dict(inputs.models),
    }
    (partial / MANIFEST).write_text(json.dumps(manifest, indent=1), "utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    partial.replace(folder)
    return manifest


def check_manifest(folder: Path) -> list[str]:
    """Return one line for each file that is missing, extra or not what the manifest says."""
    files = json.loads((folder / MANIFEST).read_text("utf-8"))["files"]
    present = {p.name for p in folder.iterdir()} - {MANIFEST}
    complaints = [f"{name} is missing" for name in sorted(set(files) - present)]
    complaints += [f"{name} is not in the manifest" for name in sorted(present - set(files))]
    for name in sorted(present & set(files)):
        if _describe(folder / name) != files[name]:
            complaints.append(f"{name} is not the file that was written")
    return complaints


def collect_facts(inputs: ReportInputs) -> dict[str, Any]:
    """Return everything that the report says, as plain data that JSON can hold."""
    study, headline = inputs.study, inputs.headline
    currency = study.compensation.currency
    pool = pool_in_minor_units(study.compensation.pool, currency)
    key = inputs.dataset_digest
    shares = headline.shares()
    paid = allocate(shares.tolist(), pool, key) if shares.any() else [0] * len(shares)
    by_count = allocate([float(c) for c in inputs.image_counts], pool, key)
    rows = [
        {
            "contributor": name,
            "value": float(headline.values[i]),
            "standard_error": float(headline.standard_errors[i]),
            "ci_low": float(headline.ci_low[i]),
            "ci_high": float(headline.ci_high[i]),
            "share": float(shares[i]),
            "payout_minor": paid[i],
            "payout": as_amount(paid[i], currency),
            "images": int(inputs.image_counts[i]),
            "count_payout_minor": by_count[i],
            "count_payout": as_amount(by_count[i], currency),
            "licence": inputs.licences[i] if inputs.licences else "",
        }
        for i, name in enumerate(headline.contributors)
    ]
    half_widths = (headline.ci_high - headline.ci_low) / 2
    mean_share_value = float(headline.values.clip(min=0).sum() / len(rows))
    return {
        "schema": SCHEMA,
        "study": study.name,
        "created": inputs.created.isoformat(),
        "property": headline.property,
        "direction": inputs.directions[headline.property],
        "currency": currency,
        "pool_minor": pool,
        "paid_minor": sum(paid),
        "rows": sorted(rows, key=lambda row: -float(str(row["value"]))),
        "v_empty": headline.v_empty,
        "v_full": headline.v_full,
        "baseline": study.game.baseline,
        "confidence": headline.confidence,
        "above_zero": int((headline.ci_low > 0).sum()),
        "median_half_width": float(np.median(half_widths)),
        "mean_share_value": mean_share_value,
        "estimator": headline.estimator,
        "diagnostics": headline.diagnostics,
        "settings": study.model_dump(mode="json"),
        "full_model": dict(inputs.full_model_properties),
        "pruned_model": dict(inputs.pruned_model_properties),
        "baselines": _under_baselines(inputs, pool),
        "properties": {name: v.to_json_dict() for name, v in inputs.values.items()},
        "directions": dict(inputs.directions),
        "dataset": inputs.dataset_name,
        "dataset_digest": inputs.dataset_digest,
        "contributor_digests": dict(inputs.contributor_digests),
        "models": dict(inputs.models),
        "attribution": list(inputs.attribution),
        "costs": dict(inputs.costs),
        "lost": list(inputs.lost),
        "versions": dict(inputs.versions),
    }


def _under_baselines(inputs: ReportInputs, pool: int) -> list[dict[str, Any]]:
    """Return shares and payouts if v(empty) were another number.

    Values are linear in v(empty) and it enters every contributor's value equally: a change by d
    changes each value by -d / n.
    """
    headline = inputs.headline
    described = []
    for name, v_empty in inputs.baselines.items():
        shift = (headline.v_empty - v_empty) / len(headline.values)
        positive = (headline.values + shift).clip(min=0)
        paid = allocate(positive.tolist(), pool, inputs.dataset_digest) if positive.any() else None
        described.append(
            {
                "name": name,
                "v_empty": v_empty,
                "shares": (positive / positive.sum()).tolist() if paid else None,
                "payouts_minor": paid,
                "contributors": list(headline.contributors),
            }
        )
    return described


def _write_values_csv(facts: Mapping[str, Any], path: Path) -> None:
    columns = ("value", "standard_error", "ci_low", "ci_high", "share", "payout")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["contributor", *columns])
        for row in facts["rows"]:
            writer.writerow([_as_cell(row["contributor"]), *(row[c] for c in columns)])


def _as_cell(text: str) -> str:
    return f"'{text}" if text[:1] in "=+-@\t\r" else text


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("credit_plugin.compensation"),
        autoescape=select_autoescape(enabled_extensions=("html.j2", "html"), default=False),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["money"] = format_money
    environment.filters["md"] = escape_markdown
    environment.filters["number"] = lambda x: f"{x:.4g}"
    environment.filters["words"] = lambda text: text.replace("_", " ")
    return environment


def escape_markdown(text: object) -> str:
    """Return text that Markdown shows as it is, on one line, with no HTML in it."""
    one_line = " ".join(str(text).split())
    return "".join(f"\\{c}" if c in r"\`*_{}[]()#+-.!|~" else _entity(c) for c in one_line)


def _entity(character: str) -> str:
    return {"<": "&lt;", ">": "&gt;", "&": "&amp;"}.get(character, character)


def _as_png(figure: Any) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _data_uri(png: bytes) -> Markup:
    return Markup("data:image/png;base64," + b64encode(png).decode("ascii"))  # noqa: S704 - base64


def _describe(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
