"""A study with planted noise, a planted copy and a planted outlier, trained for real on digits."""

import csv
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from credit_plugin import load_study
from credit_plugin.contributors.sources import load_contributors
from credit_plugin.verifying import verify, write_payees_statements

STUDY = """
preset: digits
name: planted
data: {source: imagefolder, path: gallery, image_size: 8, options: {grayscale: true}}
diffusion:
  network: {block_out_channels: [16, 16]}
  training: {steps: 120, batch_size: 32, learning_rate: 2.0e-3, lr_schedule: cosine}
pruning:
  finetuning: {steps: 30, batch_size: 32, learning_rate: 2.0e-3, lr_schedule: cosine}
sampling: {steps: 5, samples: 64, batch_size: 64}
properties:
  headline: "python:our_property:darkness"
  names: ["python:our_property:darkness", diversity]
  classifier: {steps: 60, width: 8}
game:
  finetuning: {steps: 20, batch_size: 32, learning_rate: 2.0e-3, lr_schedule: cosine}
  budget: 64
values: {resamples: 100}
execution: {training_threads: 1}
"""

POLICY = """
version: "2026-1"
period: 2026 H2
pool: "1000.00"
duplicates: merge
contact: credit at the studio's desk
"""

PROPERTY = '''
def darkness(images):
    """Return how dark the upper half of images is, 0 (white) to 1 (black)."""
    return 1 - images[:, : images.shape[1] // 2].mean() / 255
'''


INKS = {"ink-full": 1.0, "ink-good": 0.75, "ink-pale": 0.5, "ink-faint": 0.25}
EACH = 60


def pictures():
    """Yield (owner, image): digits in four inks, noise, copies of one ink, and white floors."""
    digits = load_contributors(load_study("digits").data)
    real = digits.images[digits.contributor < 2, ..., 0]
    for place, (owner, ink) in enumerate(INKS.items()):
        for image in real[place :: len(INKS)][:EACH]:
            yield owner, np.rint(image * ink).astype(np.uint8)
            if owner == "ink-good":
                yield "copycat", np.rint(image * ink).astype(np.uint8)
    for image in digits.images[digits.contributor == 6, ..., 0][:EACH]:
        yield "noise", image
    for number in range(8):
        floor = np.zeros((8, 8), np.uint8)
        floor[4:] = 255 - number  # not quite the same picture eight times
        yield "darkroom", floor


def write_gallery(folder):
    """Write the pictures as files, and who registered each and when."""
    rows = []
    for number, (owner, image) in enumerate(pictures()):
        file = f"{number:04d}.png"
        Image.fromarray(image).save(folder / file)
        rows.append((file, owner, "2026-02-01" if owner == "copycat" else "2026-01-05"))
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("file_name", "contributor", "registered"), *rows])


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Return where the study was run, by the command line."""
    home = tmp_path_factory.mktemp("planted")
    (home / "gallery").mkdir()
    write_gallery(home / "gallery")
    (home / "our_property.py").write_text(PROPERTY, "utf-8")
    (home / "study.yaml").write_text(STUDY, "utf-8")
    (home / "policy.yaml").write_text(POLICY, "utf-8")
    credit(home, "run", "--config", "study.yaml", "--set", "compensation.policy=policy.yaml")
    return home


def credit(home, *arguments, code=0):
    """Run the command in a folder and return what it printed."""
    result = subprocess.run(
        [sys.executable, "-m", "credit_plugin", *arguments],
        cwd=home,
        env={**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{home / 'mlflow.db'}"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert result.returncode == code, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def report(planted):
    (folder,) = planted.glob("credit_studies/planted/table-*/report")
    return folder


@pytest.fixture(scope="module")
def facts(report):
    return json.loads((report / "values.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def rows(facts):
    return {row["contributor"]: row for row in facts["rows"]}


def test_the_policy_was_written_down_first_so_the_report_is_sealed(facts):
    assert facts["status"] == "sealed, not signed"
    assert facts["commitment"]["evaluations_before"] == 0
    assert facts["settings"]["compensation"]["period"] == "2026 H2"


def test_the_gate_of_the_policy_is_open(facts):
    assert facts["gate"]["open"], facts["gate"]["statement"]


def test_noise_is_paid_nothing(rows):
    assert rows["noise"]["value"] < 0
    assert rows["noise"]["paid_minor"] == 0
    assert rows["noise"]["count_payout_minor"] > 0


def test_copies_are_merged_and_the_original_keeps_them(facts, rows):
    records = {r["owner"]: r for r in facts["submissions"]["owners"]}
    assert "copycat" not in rows
    assert records["copycat"]["accepted"] == 0
    assert records["copycat"]["fates"] == {"merged": EACH}
    assert "ink-good registered the picture first" in records["copycat"]["reasons"][0]
    assert records["ink-good"]["accepted"] == EACH


def test_the_outlier_is_flagged_and_what_is_above_its_count_is_held(facts, rows):
    outlier = rows["darkroom"]
    assert outlier["outlier"]["ratio"] > 5
    assert any("darkroom has few, unusual images" in warning for warning in facts["warnings"])
    assert outlier["held_minor"] == outlier["payout_minor"] - outlier["count_payout_minor"] > 0
    assert [name for name, row in rows.items() if row["outlier"]] == ["darkroom"]


def test_paid_and_held_and_carried_are_the_pool(facts):
    totals = facts["totals_minor"]
    assert totals["paid"] + totals["held"] + totals["carried"] == 1000_00


def test_the_version_and_the_folder_verify_and_a_statement_does(planted, report, tmp_path):
    uri = f"sqlite:///{planted / 'mlflow.db'}"
    registered = verify("planted.values/1", uri)
    assert "the report as it was written: sealed, not signed" in registered.matches
    *matches, review = registered.matches
    assert verify(str(report)).matches == tuple(matches)
    assert review.startswith("review: sealed, nobody has acted yet")
    assert write_payees_statements(str(report), tmp_path, ["noise"]) == 1
    (statement,) = tmp_path.glob("*.json")
    assert "noise, payout 0.00 EUR" in verify(str(statement)).matches[0]
    text = statement.read_text("utf-8")
    statement.write_text(text.replace('"payout_minor": 0', '"payout_minor": 90000'), "utf-8")
    (complaint,) = verify(str(statement)).complaints
    assert complaint.startswith("it is not what was sealed under its root")


def test_the_command_says_what_does_not_match_and_ends_with_1(report, tmp_path):
    shutil.copytree(report, tmp_path / "report")
    with (tmp_path / "report" / "payouts.csv").open("a", encoding="utf-8") as file:
        file.write("x")
    said = credit(tmp_path, "verify", "report", code=1)
    assert "does not match: payouts.csv is not the file that was written" in said
