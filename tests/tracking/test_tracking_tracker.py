"""What a study tells MLflow: once, completely, and the same again after an interruption."""

import json
import re
from urllib.parse import parse_qs, urlsplit

import mlflow
import numpy as np
import pytest

from credit_plugin.config import CompensationSettings
from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.tracking import tracker as tracker_module
from credit_plugin.tracking.names import metric_names
from credit_plugin.tracking.parent import PARENT_TAG, children_of
from credit_plugin.tracking.settings import log_settings
from credit_plugin.tracking.tracker import StudyTracker
from credit_plugin.values import ContributorValues


@pytest.fixture
def children(client, tracker):
    return lambda: children_of(client, tracker.experiment_id, tracker.parent_run_id)


@pytest.fixture
def log(tracker, evaluation):
    """Return a function that logs an evaluation, through the tracker or through a later one."""

    def log(by=None, **fields):
        made = evaluation(**fields)
        (by or tracker).log_evaluation(made, 5, 40, made.coalition.count("1"))

    return log


@pytest.fixture
def values_of():
    def make(names, seed=0):
        numbers = np.random.default_rng(seed).normal(size=(2, len(names)))
        return ContributorValues(
            contributors=tuple(names),
            values=numbers[0],
            standard_errors=np.abs(numbers[1]),
            ci_low=numbers[0] - 1,
            ci_high=numbers[0] + 1,
            v_empty=0.0,
            v_full=1.0,
            estimator="exact",
            property="inception_score",
            confidence=0.95,
        )

    return make


@pytest.fixture
def forbid(monkeypatch):
    """Return a function that makes clients fail when they are asked to write."""

    def forbid(*methods):
        for method in methods:
            monkeypatch.setattr(mlflow.MlflowClient, method, None)

    return forbid


def odd_dataset(names):
    return ContributorDataset(
        name="odd",
        images=np.arange(len(names) * 16, dtype=np.uint8).reshape(len(names), 4, 4, 1),
        contributor=np.arange(len(names)),
        contributors=tuple(names),
    )


def log_stage(tracker, role="train"):
    return tracker.log_stage(
        role,
        f"{role}-1",
        "a model",
        params={"steps": 3, "nested": {"rates": [1, 2]}},
        metrics={"property/inception_score": 1.5},
        curves={"loss/training": [(1, 0.5), (2, 0.25)]},
        started=1_700_000_000.0,
        finished=1_700_000_001.5,
    )


def history(client, tracker, metric):
    points = client.get_metric_history(tracker.parent_run_id, metric)
    return [(point.step, point.value) for point in points]


def test_an_evaluation_is_one_nested_run_with_tags_and_metrics(tracker, children, log):
    log()
    (run,) = children()
    assert run.info.run_name == "2/8 10100000 r1"
    assert run.info.status == "FINISHED"
    assert (run.info.start_time, run.info.end_time) == (1_700_000_000_000, 1_700_000_002_500)
    assert {
        PARENT_TAG: tracker.parent_run_id,
        "credit.study": "toy",
        "credit.role": "coalition",
        "credit.coalition": "10100000",
        "credit.coalition_key": "k1",
        "credit.repeat": "1",
        "credit.seed": "3",
        "credit.position": "5/40",
    }.items() <= run.data.tags.items()
    assert "credit.error" not in run.data.tags
    assert run.data.metrics == {
        "property/inception_score": 2.5,
        "property/diversity": 0.25,
        "loss/finetuning": 0.5,
        "cost/training_seconds": 1.5,
        "cost/sampling_seconds": 0.5,
        "coalition/size": 2.0,
        "coalition/attempts": 2.0,
    }


def test_telling_twice_makes_no_second_run_and_writes_nothing(start, children, log, forbid):
    log()
    before = children()[0].to_dictionary()
    later = start()
    forbid("create_run", "log_batch", "set_terminated", "set_tag")
    log()
    log(by=later)
    (after,) = children()
    assert after.to_dictionary() == before


def test_a_retraining_is_tagged_as_one(tracker, children, evaluation):
    tracker.log_evaluation(evaluation(), 1, 1, 2, role="retrain")
    assert children()[0].data.tags["credit.role"] == "retrain"


def test_a_failed_evaluation_is_a_failed_run_that_says_why(children, log):
    log(error="loss is not finite", properties={}, losses={}, costs={}, attempts=3)
    (run,) = children()
    assert run.info.status == "FAILED"
    assert run.data.tags["credit.error"] == "loss is not finite"
    assert run.data.metrics == {"coalition/size": 2.0, "coalition/attempts": 3.0}


def test_an_endless_error_is_cut(children, log):
    log(error="x" * 100_000)
    assert children()[0].data.tags["credit.error"] == "x" * tracker_module.LONGEST_TAG


@pytest.mark.parametrize("later", [False, True])
def test_a_failed_evaluation_that_succeeds_finishes_the_same_run(start, children, log, later):
    log(error="out of memory", properties={}, losses={}, costs={})
    (failed,) = children()
    log(by=start() if later else None)
    (run,) = children()
    assert run.info.run_id == failed.info.run_id
    assert run.info.status == "FINISHED"
    assert run.data.metrics["property/inception_score"] == 2.5
    assert "credit.error" not in run.data.tags


def test_a_failed_evaluation_that_fails_again_keeps_the_last_error(start, children, log):
    log(error="first")
    log(by=start(), error="second")
    (run,) = children()
    assert run.info.status == "FAILED"
    assert run.data.tags["credit.error"] == "second"


def test_a_run_that_a_kill_cut_short_is_completed(client, start, children, log, monkeypatch):
    def dies(*arguments, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(client.__class__, "set_terminated", dies)
    with pytest.raises(KeyboardInterrupt):
        log()
    monkeypatch.undo()
    assert children()[0].info.status == "RUNNING"
    log(by=start())
    (run,) = children()
    assert run.info.status == "FINISHED"
    assert run.data.metrics["loss/finetuning"] == 0.5


def test_a_coalition_of_258_contributors_fits_every_database(children, log):
    log(coalition="10" * 129)
    (run,) = children()
    assert run.info.run_name.startswith("129/258 1010")
    assert len(run.info.run_name) == 250
    assert run.data.tags["credit.coalition"] == "10" * 129


def test_a_stage_is_logged_once(client, start, tracker, children):
    run_id = log_stage(tracker)
    assert log_stage(tracker) == log_stage(start()) == run_id
    (run,) = children()
    assert (run.info.run_id, run.info.run_name) == (run_id, "a model")
    assert run.info.status == "FINISHED"
    assert run.data.tags["credit.role"] == "train"
    assert run.data.tags["credit.stage"] == "train-1"
    assert run.data.params == {"steps": "3", "nested.rates": "[1, 2]"}
    points = client.get_metric_history(run_id, "loss/training")
    assert [(p.step, p.value) for p in points] == [(1, 0.5), (2, 0.25)]


def test_values_are_logged_once_for_each_step(client, start, tracker, dataset, values_of):
    first, second = values_of(dataset.contributors, 1), values_of(dataset.contributors, 2)
    tracker.log_values(first, 10)
    tracker.log_values(second, 10)
    start().log_values(second, 10)
    tracker.log_values(second, 20)
    assert history(client, tracker, "value/archive-a") == [
        (10, first.values[0]),
        (20, second.values[0]),
    ]
    assert history(client, tracker, "value_se/copycat")[0] == (10, first.standard_errors[-1])
    assert history(client, tracker, "evaluations") == [(10, 10.0), (20, 20.0)]


def test_258_contributors_fit(client, tracker, values_of):
    values = values_of([f"designer {i:03}" for i in range(258)])
    tracker.log_values(values, 600)
    metrics = client.get_run(tracker.parent_run_id).data.metrics
    names = metric_names("value", values.contributors)
    assert {n: metrics[m] for n, m in names.items()} == dict(
        zip(values.contributors, values.values, strict=True)
    )
    assert len(metrics) == 2 * 258 + 1


def test_values_whose_logging_was_interrupted_are_logged_again(
    client, start, tracker, values_of, monkeypatch
):
    values, real, calls = values_of([f"c{i}" for i in range(20)]), client.__class__.log_batch, []

    def dies_at_the_second(*arguments, **settings):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(*arguments, **settings)

    monkeypatch.setattr(tracker_module, "BATCH", 15)
    monkeypatch.setattr(client.__class__, "log_batch", dies_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        tracker.log_values(values, 10)
    monkeypatch.setattr(client.__class__, "log_batch", real)
    start().log_values(values, 10)
    metrics = client.get_run(tracker.parent_run_id).data.metrics
    assert metrics["value_se/c19"] == values.standard_errors[19]


def test_odd_contributors_can_be_told_apart_and_found_again(client, study, uri, tmp_path):
    names = ("李明", "陳大文", "a/b", "a:b", "..", "👩‍🎨", 'Zoë "Z" O\'Hara', "=cmd|x", "n" * 120)
    tracker = StudyTracker.start(study, odd_dataset(names), tmp_path / "t.json", uri)
    numbers = np.arange(len(names), dtype=float)
    tracker.log_values(
        ContributorValues(names, numbers, numbers, numbers, numbers, 0, 1, "exact", "p", 0.95), 9
    )
    run = client.get_run(tracker.parent_run_id)
    profiles = [json.loads(i.dataset.profile) for i in run.inputs.dataset_inputs]
    true_names = {p["metric"]: p["contributor"] for p in profiles if "metric" in p}
    found = {true_names[m]: v for m, v in run.data.metrics.items() if m.startswith("value/")}
    assert found == dict(zip(names, numbers, strict=True))


def test_settings_are_parameters_and_changed_ones_become_tags(client, study, start, tracker):
    data = client.get_run(tracker.parent_run_id).data
    assert data.params["study/game.budget"] == str(study.game.budget)
    assert data.params["study/properties.names"] == json.dumps(list(study.properties.names))
    assert not [tag for tag in data.tags if tag.startswith("credit.changed")]
    start(seed=7)
    data = client.get_run(tracker.parent_run_id).data
    assert data.params["study/seed"] == "0"
    assert data.tags["credit.changed.study.seed"] == "7"


def test_a_setting_that_is_changed_back_is_not_left_as_changed(client, start, tracker):
    start(seed=7)
    start()
    assert client.get_run(tracker.parent_run_id).data.tags["credit.changed.study.seed"] == "0"


def test_hundreds_of_settings_fit_and_change(client, tracker):
    run_id = tracker.parent_run_id
    log_settings(client, run_id, {f"many/{i}": i for i in range(250)})
    log_settings(client, run_id, {f"many/{i}": -i for i in range(1, 250)})
    data = client.get_run(run_id).data
    assert data.params["many/249"] == "249"
    assert data.tags["credit.changed.many.249"] == "-249"


def test_the_dataset_is_logged_once_whole_and_for_each_contributor(
    client, start, tracker, dataset, forbid
):
    forbid("log_inputs")
    start()
    inputs = client.get_run(tracker.parent_run_id).inputs.dataset_inputs
    assert len(inputs) == 1 + dataset.n_contributors
    by_name = {i.dataset.name: i for i in inputs}
    assert by_name["digits"].dataset.digest == dataset.digest()[:36]
    for name, digest in dataset.contributor_digests().items():
        part = by_name[f"digits/{name}"].dataset
        assert part.digest == digest[:36]
        assert len(part.digest) == 36
    whole = json.loads(by_name["digits"].dataset.profile)
    assert (whole["images"], whole["contributors"]) == (dataset.n_images, 8)
    contexts = {i.tags[0].value for i in inputs}
    assert {i.tags[0].key for i in inputs} == {"mlflow.data.context"}
    assert contexts == {"all contributors", "contributor"}


def test_258_contributors_are_258_inputs(client, study, uri, tmp_path):
    odd = odd_dataset([f"designer {i}" for i in range(258)])
    tracker = StudyTracker.start(study, odd, tmp_path / "t.json", uri)
    inputs = client.get_run(tracker.parent_run_id).inputs.dataset_inputs
    assert len({i.dataset.digest for i in inputs}) == 259


def test_every_input_leads_back_to_the_data(client, tracker, dataset):
    for logged in client.get_run(tracker.parent_run_id).inputs.dataset_inputs:
        source = mlflow.data.get_source(logged)
        assert source.source == "digits"
    assert source.load().digest() == dataset.digest()


def test_options_of_the_source_are_part_of_the_way_back(client, study, dataset, uri, tmp_path):
    data = study.data.model_copy(update={"options": {"noisy": False}})
    changed = study.model_copy(update={"data": data})
    tracker = StudyTracker.start(changed, dataset, tmp_path / "t.json", uri)
    logged = client.get_run(tracker.parent_run_id).inputs.dataset_inputs[0]
    assert mlflow.data.get_source(logged).load().digest() != dataset.digest()


def test_orphans_are_ended_and_others_left_alone(client, tracker, children, log):
    log()
    log(key="k2", error="lost")
    orphan = client.create_run("0", tags={PARENT_TAG: tracker.parent_run_id}).info.run_id
    stranger = client.create_run("0").info.run_id
    tracker.close_orphans()
    states = {run.info.run_id: run.info.status for run in children()}
    assert states.pop(orphan) == "KILLED"
    assert sorted(states.values()) == ["FAILED", "FINISHED"]
    assert client.get_run(stranger).info.status == "RUNNING"
    assert client.get_run(tracker.parent_run_id).info.status == "RUNNING"


def test_a_trial_that_another_process_made_meanwhile_has_one_run(client, study, tracker, children):
    """The process that concludes a search checks trials of all, after it has listed its own."""
    concluding = StudyTracker(client, study, tracker.experiment_id, tracker.parent_run_id)
    made = tracker.open_trial(2, study, {"sampling.steps": 3})
    made.finish("FINISHED")
    again = concluding.open_trial(2, study, {"sampling.steps": 3})
    assert again.parent_run_id == made.parent_run_id
    assert [run.info.status for run in children()] == ["RUNNING"]
    assert concluding.open_trial(3, study, {}).parent_run_id != made.parent_run_id


@pytest.mark.parametrize("status", ["FINISHED", "FAILED", "KILLED"])
def test_finish_ends_the_studys_run(client, tracker, status):
    tracker.finish(status)
    run = client.get_run(tracker.parent_run_id)
    assert run.info.status == status
    assert run.info.end_time is not None


def test_the_description_links_to_the_coalitions_and_the_link_works(client, tracker, log):
    for i, score in enumerate((1.0, 3.0, 2.0)):
        log(key=f"k{i}", properties={"inception_score": score})
    for role in ("train", "prune"):
        log_stage(tracker, role)
    tracker.describe("**Found** something.", {"report": "report.html"})
    note = client.get_run(tracker.parent_run_id).data.tags["mlflow.note.content"]
    lines = note.split("  \n")
    assert lines[0] == "**Found** something."
    links = dict(re.findall(r"\[([^]]+)\]\((\S+)\)", lines[1]))
    run_page = f"/experiments/{tracker.experiment_id}/runs/{tracker.parent_run_id}/artifacts"
    assert urlsplit(links["report"]).fragment.startswith(f"{run_page}/report.html?")
    page = urlsplit(links["all coalitions, sorted by inception_score"]).fragment
    assert page.startswith(f"/experiments/{tracker.experiment_id}/runs?")
    query = {key: value[0] for key, value in parse_qs(page.partition("?")[2]).items()}
    # a filter in the address would make the UI ignore the shared state's columns
    assert query.keys() == {"workflowType", "viewStateShareKey"}
    state = shared_view(client, tracker, query["viewStateShareKey"])
    assert state["orderByAsc"] is False
    found = client.search_runs(
        [tracker.experiment_id], state["searchFilter"], order_by=[f"{state['orderByKey']} DESC"]
    )
    assert [r.data.metrics["property/inception_score"] for r in found] == [3.0, 2.0, 1.5, 1.0]
    assert found[2].data.tags["credit.role"] == "prune"


def shared_view(client, tracker, key):
    tags = client.get_experiment(tracker.experiment_id).tags
    return json.loads(tags[f"mlflow.sharedViewState.{key}"])


@pytest.mark.parametrize("ascending", [True, False])
def test_the_shared_view_is_of_this_study_alone(client, study, tracker, ascending):
    tracker.describe("x", ascending=ascending)
    state = shared_view(client, tracker, f"credit-toy-{tracker.parent_run_id[:8]}")
    assert tracker.parent_run_id in state["searchFilter"]
    assert state["orderByKey"] == "metrics.`property/inception_score`"
    assert state["orderByAsc"] is ascending
    for name in study.properties.names:
        assert f"metrics.`property/{name}`" in state["selectedColumns"]


def test_pictures_and_files_are_logged_on_the_studys_run(client, tracker, tmp_path):
    from matplotlib.figure import Figure
    from PIL import Image

    Image.new("L", (8, 8), 7).save(tmp_path / "grey.png")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "values.csv").write_text("a\n")
    for _ in range(2):
        tracker.log_image("images/full model.png", tmp_path / "grey.png")
    tracker.log_figure(Figure(), "plots/values.png")
    tracker.log_artifacts(tmp_path / "folder", "report")
    tracker.log_metrics({"cost/total_seconds": 2.0})
    run_id = tracker.parent_run_id
    assert {a.path for a in client.list_artifacts(run_id)} == {"images", "plots", "report"}
    assert [a.path for a in client.list_artifacts(run_id, "report")] == ["report/values.csv"]
    assert [a.path for a in client.list_artifacts(run_id, "images")] == ["images/full model.png"]
    assert client.get_run(run_id).data.metrics["cost/total_seconds"] == 2.0


def test_names_that_people_chose_are_no_names_of_parameters(client, start):
    owners = {"Łódź & <b>": ("archive-a",), "x": ("archive-b",)}
    policy = CompensationSettings(owners=owners)
    run_id = start(compensation=policy, name="people").parent_run_id
    data = client.get_run(run_id).data
    shown = data.params["study/compensation.owners"]
    assert json.loads(shown) == {name: list(theirs) for name, theirs in owners.items()}
