"""A whole study, looked at from every side: ledger, MLflow, registry, report."""

import collections
import dataclasses
import json
import shutil

import mlflow
import numpy as np
import pandas as pd
import pytest
from micro import EVALUATIONS, ledger_lines, micro_study

from credit_plugin import run_study
from credit_plugin.compensation.report import check_manifest, read_facts
from credit_plugin.compensation.verification import verify_report
from credit_plugin.errors import InputError
from credit_plugin.folders import StudyFolders
from credit_plugin.game import UtilityTable
from credit_plugin.game.utilities.workbench import Workbench
from credit_plugin.game.utilities.worker import JOBS
from credit_plugin.properties.suite import PropertySuite
from credit_plugin.summary import print_summary
from credit_plugin.tracking.flavors import diffusion, values
from credit_plugin.values import estimate

pytestmark = pytest.mark.slow

MEMBER = {"coalition": "10000000", "repeat": 0, "key": "trial"}


@pytest.fixture
def client(finished, uri):
    mlflow.set_tracking_uri(uri)
    return mlflow.MlflowClient()


@pytest.fixture
def runs(client, finished):
    parent = client.get_run(finished.parent_run_id)
    return client.search_runs([parent.info.experiment_id], max_results=1000)


def test_values_are_efficient_and_rest_on_the_table(finished):
    headline = finished.headline
    assert headline.values.sum() == pytest.approx(headline.v_full - headline.v_empty, abs=1e-9)
    table = UtilityTable.from_csv(finished.report / "coalitions.csv")
    again = estimate(table, seed=0, property=headline.property, resamples=20)
    assert (again.values == headline.values).all()
    assert (again.standard_errors == headline.standard_errors).all()
    assert set(finished.values) == set(finished.study.properties.names)


def test_the_ledger_holds_every_planned_evaluation_once(finished, home):
    lines = ledger_lines(home / "studies")
    assert len(lines) == EVALUATIONS == len({line["key"] for line in lines})
    repeats = collections.Counter(line["coalition"] for line in lines)
    assert repeats["0" * 8] == repeats["1" * 8] == 2
    assert all(line["error"] is None and line["attempts"] == 1 for line in lines)


@pytest.mark.parametrize(
    ("direction", "verb", "note"),
    [(1.0, "raised", False), (-1.0, "lowered", True)],
)
def test_the_terminal_says_who_moved_the_headline_and_how(finished, capsys, direction, verb, note):
    directions = {**finished.directions, "inception_score": direction}
    print_summary(dataclasses.replace(finished, directions=directions), None)
    printed = capsys.readouterr().out
    assert f"micro: who {verb} inception_score" in printed
    assert ("lower is better: v is minus inception_score" in printed) == note
    assert all(name in printed for name in finished.headline.contributors)
    assert "baseline: the untrained network" in printed


@pytest.mark.parametrize(
    ("store", "place"),
    [
        ("http://me:secret@mlflow:5000", "http://me:***@mlflow:5000"),
        ("sqlite:///a b.db", "mlflow ui --backend-store-uri 'sqlite:///a b.db'"),
    ],
)
def test_the_terminal_says_where_to_look(finished, capsys, monkeypatch, store, place):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setattr(mlflow, "get_tracking_uri", lambda: store)
    print_summary(finished, None)
    assert f"look at it: {place}   (run " in capsys.readouterr().out


def test_runs_are_nested_finished_and_measured(runs, finished):
    roles = collections.Counter(run.data.tags["credit.role"] for run in runs)
    assert roles == {"study": 1, "train": 1, "prune": 1, "coalition": EVALUATIONS}
    assert {run.info.status for run in runs} == {"FINISHED"}
    for run in runs:
        if run.data.tags["credit.role"] == "coalition":
            assert run.data.tags["mlflow.parentRunId"] == finished.parent_run_id
            for name in finished.study.properties.names:
                assert np.isfinite(run.data.metrics[f"property/{name}"])
            assert run.data.metrics["cost/training_seconds"] >= 0
    names = {run.info.run_name for run in runs}
    assert "8/8 11111111 r0" in names


def test_the_parent_tells_the_story(client, finished):
    parent = client.get_run(finished.parent_run_id)
    note = parent.data.tags["mlflow.note.content"]
    assert "Largest shares" in note
    assert "viewStateShareKey" in note
    assert parent.data.params["study/game.budget"] == "16"
    inputs = parent.inputs.dataset_inputs
    assert len(inputs) == 9
    assert all(len(i.dataset.digest) == 36 for i in inputs)
    history = client.get_metric_history(finished.parent_run_id, "value/archive-a")
    steps = [metric.step for metric in history]
    assert steps == sorted(set(steps))
    assert len(steps) > 3
    assert history[-1].value == pytest.approx(finished.headline.values[0])
    artifacts = {a.path for a in client.list_artifacts(finished.parent_run_id)}
    assert {"values.csv", "coalitions.csv", "report.html", "plots", "images"} <= artifacts
    plots = {a.path for a in client.list_artifacts(finished.parent_run_id, "plots")}
    assert plots == {"plots/values.png", "plots/convergence.png", "plots/samples.png"}
    for path in (*plots, "report.html"):
        assert f"/runs/{finished.parent_run_id}/artifacts/{path}?" in note
    images = {a.path for a in client.list_artifacts(finished.parent_run_id, "images")}
    assert images == {
        "images/full model.png",
        "images/pruned model.png",
        "images/everybody.png",
        "images/without the top contributor.png",
        "images/with the top contributor.png",
    }


def test_the_experiment_remembers_how_to_show_the_runs(client, runs, finished):
    experiment = client.get_experiment(runs[0].info.experiment_id)
    key = f"credit-micro-{finished.parent_run_id[:8]}"
    state = json.loads(experiment.tags[f"mlflow.sharedViewState.{key}"])
    assert state["orderByKey"] == "metrics.`property/inception_score`"
    found = client.search_runs(
        [experiment.experiment_id], state["searchFilter"], order_by=[state["orderByKey"] + " DESC"]
    )
    assert len(found) == EVALUATIONS + 1  # the pruning run is among them
    assert found[0].data.tags["credit.role"] in ("coalition", "prune")


def test_three_registered_models_with_lineage(client, finished):
    names = {model.name for model in client.search_registered_models()}
    assert {"micro.full", "micro.pruned", "micro.values"} <= names
    version = client.get_model_version("micro.values", "1")
    assert version.tags["credit.full"] == "micro.full/1"
    assert version.tags["credit.pruned"] == "micro.pruned/1"
    pruned = client.get_model_version("micro.pruned", "1")
    full = client.get_model_version("micro.full", "1")
    full_id = full.tags["credit.model_id"]
    assert pruned.tags["credit.full_model_id"] == full_id
    prune_run = client.get_run(pruned.run_id)
    assert [m.model_id for m in prune_run.inputs.model_inputs] == [full_id]


def test_models_come_back_from_the_registry_as_they_were(client, finished, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    full = diffusion.load_model("models:/micro.full/1")
    pruned = diffusion.load_model("models:/micro.pruned@latest")
    assert sum(p.numel() for p in pruned.model.parameters()) < 0.5 * sum(
        p.numel() for p in full.model.parameters()
    )
    images = pruned.sample(3, seed=1)
    assert images.shape == (3, 8, 8, 1)
    function = mlflow.pyfunc.load_model("models:/micro.pruned/1")
    drawn = function.predict(pd.DataFrame({"n": [2, 1], "seed": [1, 5]}))
    assert drawn["seed"].tolist() == [1, 1, 5]
    assert drawn["image"].str.startswith("iVBOR").all()


def test_the_values_version_turns_budgets_into_exact_payouts(client, finished):
    loaded = values.load_model("models:/micro.values/1")
    assert (loaded.values == finished.headline.values).all()
    function = mlflow.pyfunc.load_model("models:/micro.values/1")
    paid = function.predict(pd.DataFrame({"budget": ["100.01", "0.05"]}))
    cents = paid.groupby("budget")["payout"].apply(lambda p: sum(round(float(x) * 100) for x in p))
    assert cents.to_dict() == {"100.01": 10001, "0.05": 5}


def test_no_pickle_anywhere(finished, home):
    suspicious = [
        path
        for path in home.rglob("*")
        if path.is_file()
        and (path.suffix in {".pkl", ".pickle", ".pt", ".pth", ".bin"} or _is_pickle(path))
    ]
    assert suspicious == []


def _is_pickle(path):
    head = path.read_bytes()[:2]
    return head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")


def test_the_report_is_whole_and_pays_the_pool(finished):
    assert check_manifest(finished.report) == []
    rows = pd.read_csv(finished.report / "values.csv")
    assert list(rows.columns) == [
        "contributor", "value", "standard_error", "ci_low", "ci_high", "share", "payout",
    ]  # fmt: skip
    assert round(rows["payout"].sum() * 100) == 1_000_000
    page = (finished.report / "report.html").read_text()
    assert "<script" not in page
    assert "untrained" in page
    (finished.report / "extra.txt").write_text("x")
    assert check_manifest(finished.report) == ["extra.txt is not in the manifest"]
    (finished.report / "extra.txt").unlink()


def test_a_repetition_computes_nothing_and_logs_nothing_twice(finished, home, uri, client, runs):
    lines = ledger_lines(home / "studies")
    again = run_study(
        micro_study("compensation.pool=7.00"), workdir=home / "studies", tracking_uri=uri
    )
    assert ledger_lines(home / "studies") == lines
    assert again.parent_run_id == finished.parent_run_id
    after = client.search_runs([runs[0].info.experiment_id], max_results=1000)
    assert len(after) == len(runs)
    assert {run.info.status for run in after} == {"FINISHED"}
    assert (again.headline.values == finished.headline.values).all()
    assert again.models["full"] == "micro.full/1"
    # the policy is another one than before the first coalition
    assert read_facts(again.report)["status"] == "draft, not signed"
    assert any("cannot be sealed" in line for line in read_facts(again.report)["warnings"])
    assert verify_report(again.report) == []


def test_a_study_whose_previews_were_deleted_is_reported_without_them(finished, home, tmp_path):
    shutil.copytree(home / "studies", tmp_path / "studies")
    again = StudyFolders(tmp_path / "studies", micro_study(), finished.folders.digest)
    shutil.rmtree(again.previews)
    uri = f"sqlite:///{tmp_path / 'm.db'}"
    result = run_study(micro_study(), workdir=tmp_path / "studies", tracking_uri=uri)
    client = mlflow.MlflowClient(uri)
    plots = {a.path for a in client.list_artifacts(result.parent_run_id, "plots")}
    assert plots == {"plots/values.png", "plots/convergence.png"}
    note = client.get_run(result.parent_run_id).data.tags["mlflow.note.content"]
    assert "values.png" in note
    assert "samples.png" not in note


@pytest.mark.parametrize(
    ("payload", "measured_at"),
    [
        ({"job": "measure", "model": "pruned"}, (48, 48)),
        ({"job": "flops"}, (0, 1)),
        ({"job": "evaluate", **MEMBER}, (5, 5)),
        ({"job": "together", "members": [MEMBER, MEMBER]}, (5, 5)),
    ],
)
def test_jobs_give_signs_of_life_while_they_measure(finished, monkeypatch, payload, measured_at):
    heard, looks = [], []
    measure = PropertySuite.measure

    def noting(suite, images, condition=None, report=None):
        before = len(heard)
        found = measure(suite, images, condition, report)
        looks.append(heard[before:])
        return found

    monkeypatch.setattr(PropertySuite, "measure", noting)
    bench = Workbench(finished.study, finished.folders, "cpu")
    JOBS[payload["job"]](bench, payload, lambda done, total: heard.append((done, total)))
    assert looks
    assert all(set(look) == {measured_at} for look in looks)
    assert heard == sorted(heard)


def test_another_result_affecting_setting_starts_a_new_table(finished, home, uri):
    study = micro_study("game.finetuning.steps=3")
    changed = run_study(study, until="train", workdir=home / "studies", tracking_uri=uri)
    assert changed.folders.table != finished.folders.table
    assert changed.folders.full == finished.folders.full
    for harmless in ("execution.workers=2", "game.budget=20", "compensation.currency=USD"):
        same = StudyFolders(finished.folders.root, micro_study(harmless), finished.folders.digest)
        assert same.table == finished.folders.table


@pytest.mark.parametrize("workers", [2, 3])
def test_the_table_is_the_same_whatever_the_number_of_workers(finished, home, tmp_path, workers):
    # models are there already, coalitions are not
    without_tables = shutil.ignore_patterns("table-*", "lock")
    shutil.copytree(home / "studies", tmp_path / "studies", ignore=without_tables)
    other = run_study(
        micro_study(f"execution.workers={workers}"),
        until="coalitions",
        workdir=tmp_path / "studies",
        tracking_uri=f"sqlite:///{tmp_path / 'm.db'}",
    )
    mine = {line["key"]: line["properties"] for line in ledger_lines(tmp_path / "studies")}
    ledger = finished.folders.ledger.read_text().splitlines()
    theirs = {line["key"]: line["properties"] for line in map(json.loads, ledger)}
    assert mine == theirs
    assert other.folders.table.name == finished.folders.table.name


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("game.budget=257", "game.budget: 257 is more than the 256 coalitions of 8 contributors"),
        (
            "game.baseline=base_model",
            "game.baseline = base_model: the empty coalition of task ddpm",
        ),
        ("data.image_size=10", "data.image_size = 10 cannot be halved often enough"),
        ("values.estimator=magic", "values.estimator: 'magic'"),
        ("game.utility=magic", "game.utility: 'magic'"),
        ("diffusion.task=magic", "diffusion.task: 'magic'"),
        ("sampling.scheduler=Magic", "sampling.scheduler: diffusers has no scheduler 'Magic'"),
        ("execution.engine=magic", "execution.engine: 'magic'"),
        ("properties.names=[magic] properties.headline=magic", "'magic' is not a property"),
        ("data.source=magic", "magic"),
    ],
)
def test_what_only_the_registries_know_is_refused_before_anything_starts(
    tmp_path, override, message
):
    with pytest.raises(InputError) as caught:
        run_study(
            micro_study(*override.split(" ")),
            workdir=tmp_path / "studies",
            tracking_uri=f"sqlite:///{tmp_path / 'm.db'}",
        )
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "m.db").exists()
    assert not (tmp_path / "studies").exists()


def test_a_numeric_baseline_replaces_the_empty_coalitions_utility(finished, home, uri):
    changed = run_study(
        micro_study("game.baseline=0.5"), until="values", workdir=home / "studies", tracking_uri=uri
    )
    assert changed.headline.v_empty == 0.5
    assert changed.folders.ledger == finished.folders.ledger
    assert changed.headline.values.sum() == pytest.approx(changed.headline.v_full - 0.5)
