"""A check against retraining, end to end: runs, resume, metrics, figures, report, verdict."""

import collections
import json

import mlflow
import numpy as np
import pandas as pd
import pytest
from micro import EVALUATIONS, copy_studies, micro_study, run_in
from processes import invoke, start, wait_for

from credit_plugin import run_study
from credit_plugin.compensation.report import check_manifest
from credit_plugin.errors import InputError
from credit_plugin.fidelity.counterfactual import RANDOM
from credit_plugin.fidelity.result import FidelityResult
from credit_plugin.fidelity.verdict import verdict
from credit_plugin.folders import StudyFolders
from credit_plugin.game.ledger import Ledger
from credit_plugin.games import RETRAINING, study_with
from credit_plugin.summary import print_summary

METHODS = [
    "pixel_similarity",
    "own_property",
    "trak",
    "random_order",
    "leave_one_out",
    "add_one_in_retraining",
]
CHECK = (
    "fidelity.alphas=[0.25,0.5]",
    "fidelity.coalitions=5",
    "fidelity.removals=[0.4]",
    "fidelity.random_orders=2",
    "fidelity.resamples=100",
    "fidelity.images_each=6",
    "fidelity.generated=8",
    "fidelity.timesteps=1",
    "fidelity.projection=32",
    f"fidelity.methods=[{','.join(METHODS)}]",
)
UNCHECKED = "nobody has compared these values with training models from scratch"
TESTS = 2 * 5 * 2  # two sizes, five coalitions, two seeds


@pytest.fixture(scope="module")
def place(finished, home, tmp_path_factory):
    return copy_studies(home, tmp_path_factory.mktemp("checked"))


def check(place, *overrides, fidelity=True):
    return run_in(place, micro_study(*CHECK, *overrides), fidelity=fidelity)


@pytest.fixture(scope="module")
def checked(place):
    return check(place)


@pytest.fixture
def client(checked, place):
    mlflow.set_tracking_uri(f"sqlite:///{place / 'mlflow.db'}")
    return mlflow.MlflowClient()


def retrained(result):
    exact = study_with(result.study, RETRAINING)
    return Ledger(StudyFolders(result.folders.root, exact, result.folders.digest).ledger)


@pytest.mark.slow
def test_every_method_is_scored_on_every_test_set(checked):
    result = checked.fidelity
    names = {method.name.partition("/")[0] for method in result.methods}
    assert names == {"values", *METHODS}
    assert result.methods[0].scores == tuple(checked.headline.values)
    assert [(t.alpha, t.size, len(t.coalitions)) for t in result.tests] == [
        (0.25, 2, 5),
        (0.5, 4, 5),
    ]
    for test in result.tests:
        assert set(test.lds.scores) == {method.name for method in result.methods}
        assert set(test.cheap) == {"sparsified_finetuning", "finetuning"}
        assert set(test.agreement) == set(checked.study.properties.names)
        assert np.shape(test.utilities) == (5, 2)
    assert all(found.change is not None for found in result.counterfactuals)
    left_out = {found.removal.method.partition("/")[0] for found in result.counterfactuals}
    assert left_out == {RANDOM, *names} - {"random_order"}
    assert result.skipped == {}
    assert {m.name for m in result.methods if m.retrains} == {"add_one_in_retraining"}


@pytest.mark.slow
def test_test_utilities_are_those_of_the_ledger_and_no_method_rests_on_them(checked):
    lines = {(e.coalition, e.repeat): e for e in retrained(checked).evaluations}
    for test in checked.fidelity.tests:
        for bits, own in zip(test.coalitions, test.utilities, strict=True):
            expected = [lines[bits, r].properties["inception_score"] for r in range(2)]
            assert list(own) == expected
    alone = {bits for bits, repeat in lines if repeat == 100}
    assert {f"{1 << i:08b}" for i in range(8)} <= alone
    assert not {bits for bits, repeat in lines if repeat < 100 and bits.count("1") == 1}


@pytest.mark.slow
def test_retrainings_are_nested_runs_of_the_study(checked, client):
    parent = client.get_run(checked.parent_run_id)
    runs = client.search_runs([parent.info.experiment_id], max_results=1000)
    roles = collections.Counter(run.data.tags["credit.role"] for run in runs)
    assert roles["retrain"] == len(retrained(checked).evaluations) >= TESTS
    assert {run.info.status for run in runs} == {"FINISHED"}
    utilities = collections.Counter(run.data.tags.get("credit.utility") for run in runs)
    assert utilities["finetuning"] == 10
    ledger = Ledger(checked.folders.ledger).evaluations
    assert utilities["sparsified_finetuning"] == len(ledger) > EVALUATIONS
    for run in runs:
        if run.data.tags["credit.role"] == "retrain":
            assert run.data.tags["mlflow.parentRunId"] == checked.parent_run_id


@pytest.mark.slow
def test_mlflow_shows_numbers_table_figures_and_the_verdict(checked, client):
    parent = client.get_run(checked.parent_run_id)
    metrics = checked.fidelity.metrics()
    assert {f"fidelity/lds/values/alpha_{a}" for a in ("0.25", "0.50")} <= set(metrics)
    assert {k: parent.data.metrics[k] for k in metrics} == pytest.approx(metrics)
    version = client.get_model_version("micro.values", checked.models["values"].split("/")[1])
    model = client.get_logged_model(version.tags["credit.model_id"])
    logged = {metric.key: metric.value for metric in model.metrics}
    own = checked.fidelity.metrics(rivals=False)
    assert {k: logged[k] for k in own} == pytest.approx(own)
    artifacts = {a.path for a in client.list_artifacts(checked.parent_run_id)}
    assert {"fidelity.csv", "fidelity.json"} <= artifacts
    plots = {a.path for a in client.list_artifacts(checked.parent_run_id, "plots")}
    assert {f"plots/{p}.png" for p in ("fidelity", "counterfactuals", "agreement")} <= plots
    note = parent.data.tags["mlflow.note.content"]
    assert "Checked against retraining: Sums of values order coalitions" in note


@pytest.mark.slow
def test_the_report_carries_the_verdict_and_the_table(checked):
    assert check_manifest(checked.report) == []
    table = pd.read_csv(checked.report / "fidelity.csv")
    assert set(table["method"]) == {method.name for method in checked.fidelity.methods}
    assert table["lds_alpha_0.50"].is_monotonic_decreasing
    again = FidelityResult.load(checked.report)
    assert again.rows() == checked.fidelity.rows()
    assert again.metrics() == checked.fidelity.metrics()
    facts = json.loads((checked.report / "values.json").read_text("utf-8"))
    assert facts["fidelity"]["statement"] == verdict(checked.fidelity).statement
    for name in ("report.md", "report.html"):
        text = (checked.report / name).read_text("utf-8")
        assert "The best rival that trains nothing" in text
        assert UNCHECKED not in text


@pytest.mark.slow
def test_the_terminal_prints_the_table(checked, capsys):
    print_summary(checked, None)
    printed = capsys.readouterr().out
    for words in ("additive ceiling", "noise ceiling", "TRAK", "Pearson", "fidelity: "):
        assert words in printed


@pytest.mark.slow
def test_a_repetition_retrains_nothing_and_finds_the_same(checked, place):
    before = retrained(checked).evaluations
    again = check(place)
    assert retrained(again).evaluations == before
    assert again.fidelity.metrics() == checked.fidelity.metrics()
    assert again.models["values"] == checked.models["values"]


@pytest.mark.slow
def test_a_report_without_a_check_keeps_an_earlier_one_of_the_same_values(checked, place):
    again = check(place, fidelity=False)
    assert again.fidelity.metrics() == checked.fidelity.metrics()
    assert again.models["values"] == checked.models["values"]
    other = check(place, "values.estimator=kernelshap", fidelity=False)
    assert other.fidelity is None
    assert not (other.report / "fidelity.csv").exists()
    assert UNCHECKED in (other.report / "report.md").read_text("utf-8")


@pytest.mark.slow
def test_a_killed_check_goes_on_and_retrains_nothing_twice(finished, home, tmp_path):
    copy_studies(home, tmp_path)
    small = (*CHECK, "fidelity.alphas=0.5", "fidelity.methods=image_count")

    def lines():
        found = []
        for path in tmp_path.glob("studies/micro/table-*/ledger.jsonl"):
            found += path.read_bytes().splitlines(keepends=True)
        return [json.loads(line) for line in found if line.endswith(b"\n")]

    before = len(lines())
    process = start("fidelity", tmp_path, *small)
    # cheap utilities of five coalitions by two utilities come first
    wait_for(lambda: len(lines()) >= before + 14, process)
    process.kill()
    process.communicate()
    interrupted = lines()

    done = invoke("fidelity", tmp_path, *small)
    assert done.exit_code == 0, done.output
    keys = [line["key"] for line in lines()]
    assert len(set(keys)) == len(keys)
    assert {line["key"] for line in interrupted} <= set(keys)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'm.db'}")
    runs = mlflow.MlflowClient().search_runs(["0"], max_results=1000)
    assert {run.info.status for run in runs} == {"FINISHED"}
    marks = [run.data.tags.get("credit.coalition_key") for run in runs]
    marks = [mark for mark in marks if mark]
    assert len(set(marks)) == len(marks) == len(keys)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("fidelity.methods=[magic]", r"fidelity\.methods: 'magic' is not an attribution method"),
        ("fidelity.curves=[magic]", r"fidelity\.curves: 'magic' is not an attribution method"),
        ("fidelity.proxies=[magic]", "'magic' is not a utility"),
    ],
)
def test_settings_of_a_check_are_refused_before_anything_starts(tmp_path, override, message):
    with pytest.raises(InputError, match=message):
        run_study(
            micro_study(override),
            fidelity=True,
            workdir=tmp_path / "studies",
            tracking_uri=f"sqlite:///{tmp_path / 'm.db'}",
        )
    assert not (tmp_path / "studies").exists()
