"""A sealed report that verifies, of a toy game, and stores to register it in."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from credit_plugin.compensation.commitment import FILE, commit_study, read_commitments
from credit_plugin.compensation.merkle import MerkleTree
from credit_plugin.compensation.report import ReportInputs, write_report
from credit_plugin.compensation.statements import check_statement
from credit_plugin.compensation.valuing import valuation_of
from credit_plugin.config import load_study
from credit_plugin.game import UtilityTable, design
from credit_plugin.game.toys import AdditiveGame, NoisyGame
from credit_plugin.jsonable import canonical

NAMES = ("Ada", "Bo", "Cy", "Łódź <b>2</b>", "=idle()")
WORTHS = (4.0, 2.5, 1.5, 0.75, 0.0)
HEADLINE = "inception_score"
SETTINGS = (
    "name=toy",
    f"properties.headline={HEADLINE}",
    f"properties.names=[{HEADLINE}]",
    "values.resamples=40",
)


def sealed_report(
    folder: Path, overrides: tuple[str, ...] = (), worths: tuple[float, ...] = WORTHS
) -> Path:
    """Write a report whose policy was written down first; it verifies."""
    study = load_study("digits", overrides=(*SETTINGS, *overrides))
    counts = np.array([40, 30, 20, 10, 10])
    rows = np.concatenate([design(5, 32, seed=1)] * 2)
    utilities = NoisyGame(AdditiveGame(worths, base=1.0), 0.02, 0)(rows)
    repeats = np.repeat([0, 1], 32)
    table = UtilityTable.from_arrays(rows, utilities, NAMES, property=HEADLINE, repeats=repeats)
    valuation = valuation_of(study, NAMES, counts)
    values = valuation.values(table, HEADLINE)
    folder.mkdir(parents=True, exist_ok=True)
    commit_study(study, {HEADLINE: 1}, folder, 0)
    inputs = ReportInputs(
        study=study,
        created=datetime(2026, 2, 1, tzinfo=UTC),
        values={HEADLINE: values},
        directions={HEADLINE: 1},
        table=table,
        image_counts=counts,
        attribution=(),
        licences=(),
        dataset_name="toy data",
        dataset_digest="d" * 64,
        contributor_digests={name: f"{i}" * 64 for i, name in enumerate(NAMES)},
        models={},
        full_model_properties={HEADLINE: 2.0},
        pruned_model_properties={},
        baselines={"zero": 0.0},
        costs={"coalitions": 1.0},
        lost=(),
        versions={"python": "3.11"},
        reliability={HEADLINE: valuation.reliability(table, values)},
        commitments=tuple(read_commitments(folder / FILE)),
    )
    write_report(inputs, folder / "report")
    return folder / "report"


def publish(client, report: Path, content: str = "abc", run_id: str | None = None):
    """Register a report as a version of toy.values."""
    from credit_plugin.tracking.registry import Registry

    run_id = run_id or client.create_run("0", tags={"credit.role": "study"}).info.run_id
    return Registry(client, "toy").publish_values(report, run_id, content, ())


def reseal_first_statement(path: Path) -> None:
    """Change the first payee's payout so that the line proves itself, under a root of its own."""
    first, *others = path.read_text("utf-8").splitlines()
    record = json.loads(first)["statement"]
    record["row"]["payout_minor"] = 99_999_00
    tree = MerkleTree([canonical(record)])
    forged = {"statement": record, "proof": tree.proof(0).to_json_dict(), "root": tree.root}
    assert check_statement(forged) == ""
    path.write_text("\n".join([json.dumps(forged), *others]) + "\n", "utf-8")
