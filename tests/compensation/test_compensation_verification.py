"""Whatever is changed in a report is named, and nothing else."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from credit_plugin.compensation.commitment import FILE as COMMITMENTS
from credit_plugin.compensation.commitment import commit, policy_of, protocol_of, read_commitments
from credit_plugin.compensation.publication import MANIFEST, write_manifest
from credit_plugin.compensation.report import FACTS, as_json, manifest_statements, write_report
from credit_plugin.compensation.statements import check_statement, read_statements
from credit_plugin.compensation.verification import verify_report
from credit_plugin.contributors.intake import OwnerRecord, Submissions
from credit_plugin.errors import InputError
from credit_plugin.verifying import verify

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def report(make_inputs, tmp_path_factory):
    """A sealed report with everything in it; tests copy it before they change it."""
    home = tmp_path_factory.mktemp("verified")
    inputs = make_inputs(
        overrides=["compensation.reserve=0.1", "compensation.threshold=5"],
        distances=np.array([1.0, 2.0, 1.5, 1.0, 1.2]),
        submissions=submissions(),
        versions={},
    )
    policy = policy_of(inputs.study, inputs.directions)
    commit(home, policy, protocol_of(inputs.study), 0, NOW)
    known = tuple(read_commitments(home / COMMITMENTS))
    write_report(replace(inputs, commitments=known), home / "report")
    return home / "report"


def submissions():
    records = [
        OwnerRecord(f"c{k}", (f"c{k}",), 10 * (k + 1) + k, 10 * (k + 1), {"merged": k}, ("a copy",))
        for k in range(1, 5)
    ]
    first = OwnerRecord("c0", ("c0", "c0 too"), 10, 10, {"disputed": 5}, ("several owners",))
    return Submissions((first, *records), 3)


@pytest.fixture
def copy(report, tmp_path):
    shutil.copytree(report, tmp_path / "report")
    return tmp_path / "report"


def rewritten(folder, change):
    """Change the facts and write a manifest that fits, as somebody with the tool would."""
    facts = json.loads((folder / FACTS).read_text("utf-8"))
    change(facts)
    (folder / FACTS).write_text(as_json(facts), "utf-8")
    (folder / MANIFEST).unlink()
    write_manifest(folder, manifest_statements(facts))
    return verify_report(folder)


def test_a_report_as_it_was_written_matches(report):
    assert verify_report(report) == []
    assert json.loads((report / FACTS).read_text("utf-8"))["status"] == "sealed, not signed"


def test_one_flipped_byte_of_any_file_is_named(report, tmp_path):
    generator = np.random.default_rng(0)
    for path in sorted(report.iterdir()):
        shutil.copytree(report, tmp_path / path.name / "report")
        file = tmp_path / path.name / "report" / path.name
        content = bytearray(file.read_bytes())
        content[generator.integers(len(content))] ^= 1
        file.write_bytes(content)
        complaints = verify_report(file.parent)
        assert any(path.name in line for line in complaints), path.name


@given(st.data())
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_changed_number_of_a_table_is_named_even_with_a_manifest_that_fits(
    report, tmp_path_factory, data
):
    folder = tmp_path_factory.mktemp("changed") / "report"
    shutil.copytree(report, folder)
    facts = json.loads((folder / FACTS).read_text("utf-8"))
    row = data.draw(st.integers(0, len(facts["rows"]) - 1))
    key = data.draw(
        st.sampled_from(
            ["value", "share", "payout_minor", "held_minor", "paid_minor", "images", "ci_low"]
        )
    )
    by = data.draw(st.sampled_from([1, 7, 1000]))

    def change(facts):
        facts["rows"][row][key] += by

    # images are what was counted: they are stated, and what follows from them is computed
    named = f"rows[{row}].{'count_payout' if key == 'images' else key}"
    assert any(f" {named}" in line for line in rewritten(folder, change))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda f: f["gate"].update(open=not f["gate"]["open"]), "gate.open is stated as"),
        (lambda f: f.update(pool_minor=1), "pool_minor is stated as 1"),
        (lambda f: f["warnings"].clear(), "warnings, its length is stated as 0"),
        (lambda f: f.update(v_full=9.0), "v_full is stated as 9.0"),
        (lambda f: f["commitment"].update(evaluations_before=3), "commitment.evaluations_before"),
        (lambda f: f["settings"]["compensation"].update(pool="1.00"), "commitment.policy_sha256"),
        (lambda f: f["statements"].update(root="0" * 64), "their root is"),
        (lambda f: f["settings"].update(seed="x"), "settings.seed cannot be used"),
        (lambda f: f.update(schema_version=99), "is of schema 99"),
        (lambda f: f["rows"][0].pop("images"), "cannot be computed again"),
    ],
)
def test_an_edited_fact_is_named_even_with_a_manifest_that_fits(copy, change, named):
    assert any(named in line for line in rewritten(copy, change))


def test_a_page_that_was_edited_is_named_even_with_a_manifest_that_fits(copy):
    page = copy / "summary.html"
    page.write_text(page.read_text("utf-8").replace("10,000.00", "90,000.00"), "utf-8")
    assert rewritten(copy, lambda facts: None) == [f"summary.html is not what {FACTS} gives"]


def test_a_measurement_that_was_edited_shows_in_the_values(copy):
    table = copy / "coalitions.csv"
    lines = table.read_text("utf-8").splitlines()
    cells = lines[9].split(",")
    place = lines[0].split(",").index("utility")
    cells[place] = str(float(cells[place]) + 1)
    lines[9] = ",".join(cells)
    table.write_text("\n".join(lines) + "\n", "utf-8")
    complaints = rewritten(copy, lambda facts: None)
    assert any("properties.inception_score.values" in line for line in complaints)


def test_pages_of_another_version_are_no_mismatch_and_that_is_said(make_inputs, tmp_path):
    write_report(make_inputs(versions={"credit_plugin": "0.0.1"}), tmp_path / "report")
    page = tmp_path / "report" / "report.html"
    page.write_text(page.read_text("utf-8").replace("Compensation", "Kompensation"), "utf-8")
    assert rewritten(tmp_path / "report", lambda facts: None) == []
    said = verify(str(tmp_path / "report")).matches
    assert "pages by their hashes alone: version 0.0.1 of credit_plugin wrote them" in said
    page.write_text("x", "utf-8")
    assert verify_report(tmp_path / "report") == ["report.html is not the file that was written"]


def test_two_swapped_files_are_named(copy):
    one, other = copy / "report.md", copy / "summary.md"
    a, b = one.read_bytes(), other.read_bytes()
    one.write_bytes(b)
    other.write_bytes(a)
    complaints = verify_report(copy)
    for name in ("report.md", "summary.md"):
        assert f"{name} is not the file that was written" in complaints


def test_a_missing_and_a_foreign_file_are_named(copy):
    (copy / "payouts.csv").unlink()
    (copy / "note.txt").write_text("x", "utf-8")
    complaints = verify_report(copy)
    assert "payouts.csv is missing" in complaints
    assert "note.txt is not in the manifest" in complaints


def test_a_policy_that_was_swapped_after_the_fact_cannot_be_sealed(make_inputs, tmp_path):
    inputs = make_inputs(overrides=["compensation.fallback=equal"])
    agreed = policy_of(make_inputs().study, inputs.directions)
    commit(tmp_path, agreed, protocol_of(inputs.study), 0, NOW)
    known = tuple(read_commitments(tmp_path / COMMITMENTS))
    write_report(replace(inputs, commitments=known), tmp_path / "report")
    facts = json.loads((tmp_path / "report" / FACTS).read_text("utf-8"))
    assert facts["status"] == "draft, not signed"
    assert any("cannot be sealed" in warning for warning in facts["warnings"])
    assert verify_report(tmp_path / "report") == []  # it says so itself


def test_what_is_no_report_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="is no report"):
        verify_report(tmp_path)


def test_every_statement_proves_itself_and_tells_nothing_of_others(report):
    proved = list(read_statements(report / "statements.jsonl"))
    facts = json.loads((report / FACTS).read_text("utf-8"))
    names = [row["contributor"] for row in facts["rows"]]
    assert [p["statement"]["row"]["contributor"] for p in proved] == names
    assert {p["root"] for p in proved} == {facts["statements"]["root"]}
    for index, one in enumerate(proved):
        assert check_statement(one) == ""
        told = json.dumps(one["statement"])
        others = [name for k, name in enumerate(names) if k != index]
        assert not any(f'"{name}"' in told for name in others)


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p["statement"]["row"].update(payout_minor=1),
        lambda p: p["statement"].update(nonce="0" * 64),
        lambda p: p["proof"].update(index=1),
        lambda p: p["proof"]["path"].reverse(),
        lambda p: p.update(root="0" * 64),
        lambda p: p.pop("proof"),
        lambda p: p.update(statement=None),
    ],
)
def test_a_changed_statement_does_not_prove_itself(report, change):
    proved = next(read_statements(report / "statements.jsonl"))
    change(proved)
    assert check_statement(proved)


def test_the_nonce_is_another_one_for_everybody(report):
    nonces = [p["statement"]["nonce"] for p in read_statements(report / "statements.jsonl")]
    assert len(set(nonces)) == len(nonces)


def test_what_a_hostile_file_says_cannot_steer_a_terminal(copy):
    def change(facts):
        facts["property"] = "\x1b[2Jgone"
        facts["rows"][0]["contributor"] = "\x1b]0;title\x07"

    rewritten(copy, change)
    complaints = verify(str(copy)).complaints
    assert complaints
    assert all(line.isprintable() for line in complaints)


@pytest.mark.parametrize("facts", ["[]", "{}", "null", "{" * 10_000, '{"schema_version": 3}'])
def test_whatever_stands_in_the_facts_is_a_complaint(copy, facts):
    (copy / FACTS).write_text(facts, "utf-8")
    assert any(FACTS in line for line in verify_report(copy))
