"""A whole search on a micro study: trials in MLflow, failures, reuse, kill and resume."""

import collections
import json

import mlflow
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner
from micro import MICRO, micro_study
from processes import start, wait_for

from credit_plugin.cli import main
from credit_plugin.compensation.commitment import FILE as COMMITMENTS
from credit_plugin.compensation.commitment import read_commitments
from credit_plugin.config import Study, load_study
from credit_plugin.diffusion.beginnings import BeginningStore
from credit_plugin.folders import StudyFolders
from credit_plugin.game.ledger import Ledger
from credit_plugin.game.utilities.worker import WorkerFactory
from credit_plugin.tuning import progress
from credit_plugin.tuning.run import run_tuning
from credit_plugin.tuning.search import apply
from credit_plugin.tuning.trial import COMPLETE, FAILED

pytestmark = pytest.mark.slow

TRIALS, TUNED_ON, HELD_OUT = 7, 5, 5
SEARCH = (
    "game.finetuning.lr_schedule=cooldown",
    "pruning.finetuning.lr_schedule=cooldown",
    "execution.attempts=1",
    f"tuning.trials={TRIALS}",
    f"tuning.coalitions={TUNED_ON + HELD_OUT}",
    "tuning.sampler=RandomSampler",
    "tuning.judge_after=5",  # all of them: nothing is stopped early
    "tuning.keep_beginnings=true",
    "tuning.search.pruning.finetuning.steps=[4, 8]",
    "tuning.search.game.finetuning.steps=[4, 10]",
    "tuning.search.sampling.steps=[2, 3]",
    "tuning.search.game.finetuning.learning_rate=[0.002, 1.0e+30]",  # the loss overflows
)


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    place = tmp_path_factory.mktemp("tuning")
    patch = pytest.MonkeyPatch()
    patch.chdir(place)
    patch.delenv("MLFLOW_RUN_ID", raising=False)
    patch.setattr(progress, "BEAT_SECONDS", 0.5)  # as often as on a slow machine
    result, folder = run_tuning(
        micro_study(*SEARCH), workdir=place / "studies", tracking_uri=f"sqlite:///{place / 'm.db'}"
    )
    patch.undo()
    return result, folder


@pytest.fixture
def runs(searched):
    _, folder = searched
    client = mlflow.MlflowClient(f"sqlite:///{folder.parents[2] / 'm.db'}")
    return client.search_runs(["0"], max_results=1000)


def role(run):
    return run.data.tags["credit.role"]


def test_every_trial_is_a_nested_run_and_its_coalitions_are_nested_in_it(searched, runs):
    result, _ = searched
    (tuning,) = [run for run in runs if role(run) == "tuning"]
    trials = {run.info.run_id: run for run in runs if role(run) == "trial"}
    assert len(trials) == TRIALS
    assert {run.data.tags["mlflow.parentRunId"] for run in trials.values()} == {tuning.info.run_id}
    within = collections.Counter(
        run.data.tags["mlflow.parentRunId"] for run in runs if role(run) == "coalition"
    )
    for trial in result.trials:
        run = trials[trial.run_id]
        assert run.info.run_name == f"trial {trial.number}"
        assert run.data.params["game.finetuning.steps"] == str(
            trial.parameters["game.finetuning.steps"]
        )
        checked = HELD_OUT if trial.number in result.held_out else 0
        assert within[trial.run_id] == TUNED_ON + checked
        if trial.state == COMPLETE:
            assert run.data.metrics["fidelity"] == pytest.approx(trial.fidelity)
            assert run.data.metrics["cost/seconds"] == pytest.approx(trial.seconds)
    retrained = [run for run in runs if role(run) == "retrain"]
    assert len(retrained) == TUNED_ON + HELD_OUT
    assert {run.data.tags["mlflow.parentRunId"] for run in retrained} == {tuning.info.run_id}


def test_the_policy_was_written_down_before_any_coalition_of_a_trial(searched):
    result, folder = searched
    for trial in result.trials:
        study = apply(micro_study(*SEARCH), trial.parameters)
        folders = StudyFolders(folder.parents[1], study, _digest(study))
        if Ledger(folders.ledger).evaluations:
            first, *others = read_commitments(folders.table / COMMITMENTS)
            assert (first.evaluations, others) == (0, [])
            assert first.policy["compensation"] == study.compensation.model_dump(mode="json")


def test_failed_trials_are_marked_with_the_reason_and_do_not_end_the_search(searched, runs):
    result, _ = searched
    states = collections.Counter(trial.state for trial in result.trials)
    assert states[FAILED] > 0
    assert states[COMPLETE] > 1
    by_id = {run.info.run_id: run for run in runs}
    for trial in result.trials:
        failed = trial.parameters["game.finetuning.learning_rate"] > 1
        assert (trial.state == FAILED) == failed
        assert by_id[trial.run_id].info.status == ("FAILED" if failed else "FINISHED")
        assert ("the loss is" in trial.reason) == failed
        assert by_id[trial.run_id].data.tags["credit.state"] == trial.state


def test_the_choice_is_a_study_file_and_is_checked_on_what_no_trial_saw(searched):
    result, folder = searched
    chosen = load_study(config=folder / "tuned.yaml")
    assert chosen == apply(micro_study(*SEARCH), result.trial(result.chosen).parameters)
    assert Study.model_validate(yaml.safe_load((folder / "tuned.yaml").read_text())) == chosen
    assert set(result.held_out) == {result.own.number, result.chosen}
    for found in result.held_out.values():
        assert len(found.said) == HELD_OUT
        assert found.found.low <= found.found.value <= found.found.high


def test_the_pruned_model_of_the_choice_is_registered_with_tags(searched, runs):
    result, folder = searched
    client = mlflow.MlflowClient(f"sqlite:///{folder.parents[2] / 'm.db'}")
    (version,) = client.search_model_versions("name = 'micro.pruned'")
    (tuning,) = [run for run in runs if role(run) == "tuning"]
    assert version.tags["credit.tuning.run"] == tuning.info.run_id
    assert version.tags["credit.tuning.trial"] == str(result.chosen)
    assert float(version.tags["credit.tuning.fidelity"]) == pytest.approx(
        result.trial(result.chosen).fidelity, abs=1e-4
    )
    assert "held_out" in " ".join(version.tags)


def test_journal_table_and_figures_are_artifacts_and_the_description_says_the_choice(
    searched, runs
):
    result, folder = searched
    client = mlflow.MlflowClient(f"sqlite:///{folder.parents[2] / 'm.db'}")
    (tuning,) = [run for run in runs if role(run) == "tuning"]
    names = {item.path for item in client.list_artifacts(tuning.info.run_id, "tuning")}
    assert {"journal.log", "tuned.yaml", "tuning.csv", "tuning.json", "front.png"} <= {
        name.removeprefix("tuning/") for name in names
    }
    assert f"Trial {result.chosen} is chosen" in tuning.data.tags["mlflow.note.content"]
    assert tuning.data.metrics["tuning/trials"] == TRIALS
    record = json.loads((folder / "tuning.json").read_text())
    assert record["chosen"] == result.chosen


def test_reuse_saves_work_and_changes_nothing(searched):
    """Coalitions of trials equal those that are trained from their start, to the last bit."""
    result, folder = searched
    assert result.spent < result.alone < result.whole_studies
    store = BeginningStore(folder / "beginnings")
    for trial in result.trials:
        if trial.state != COMPLETE:
            continue
        study = apply(micro_study(*SEARCH), trial.parameters)
        folders = StudyFolders(folder.parents[1], study, _digest(study))
        first = Ledger(folders.ledger).evaluations[0]
        for beginnings in (None, store):
            again, made = _evaluate(study, folders, first, beginnings)
            assert again["properties"] == first.properties
            assert again["losses"] == first.losses
            # what the trial itself kept is the whole training
            assert made == (0 if beginnings else study.game.finetuning.steps - 1)


def test_a_longer_training_of_another_trial_goes_on_from_a_shorter_one(searched):
    result, folder = searched
    study = apply(micro_study(*SEARCH), {"game.finetuning.steps": 20})
    folders = StudyFolders(folder.parents[1], study, _digest(study))
    own = StudyFolders(folders.root, micro_study(*SEARCH), folders.digest)
    evaluated = Ledger(own.ledger).evaluations[0]
    store = BeginningStore(folder / "beginnings")
    branched, made = _evaluate(study, folders, evaluated, store)
    straight, every = _evaluate(study, folders, evaluated, None)
    assert every == 19
    same_network = [
        apply(study, trial.parameters).game.finetuning.shared_steps
        for trial in result.trials
        if trial.state == COMPLETE
        and trial.parameters["pruning.finetuning.steps"] == study.pruning.finetuning.steps
    ]
    assert made == 20 - max(same_network) - 1
    assert branched["properties"] == straight["properties"]


def _evaluate(study, folders, evaluation, beginnings):
    """Return what a coalition gives, and how many steps before the last were made for it."""
    reported = set()
    payload = {
        "job": "evaluate",
        "key": evaluation.key,
        "coalition": evaluation.coalition,
        "repeat": evaluation.repeat,
    }
    run = WorkerFactory(study, folders, beginnings)("cpu")
    found = run(payload, lambda done, total: reported.add(done))
    return found, sum(step < study.game.finetuning.steps for step in reported)


def _digest(study):
    from credit_plugin.contributors.sources import load_contributors

    return load_contributors(study.data, study.seed).digest()


def test_two_processes_go_on_with_a_killed_search_and_repeat_no_finished_trial(tmp_path):
    options = (*SEARCH, "tuning.trials=3", "tuning.search.game.finetuning.learning_rate=[0.002]")

    def finished():
        journals = tmp_path.glob("studies/micro/tuning-*/journal.log")
        return sum(journal.read_bytes().count(b'"complete"') for journal in journals)

    process = start("tune", tmp_path, *options)
    wait_for(lambda: finished() >= 1, process)
    process.kill()
    process.communicate()
    before = {p: p.read_bytes() for p in tmp_path.glob("studies/micro/table-*/ledger.jsonl")}
    done = finished()

    both = [start("tune", tmp_path, *options) for _ in range(2)]
    outputs = [process.communicate(timeout=400)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert all("Traceback" not in output for output in outputs)
    assert any(f"{done} done before" in output for output in outputs)
    assert len(list(tmp_path.glob("studies/micro/tuning-*/tuned.yaml"))) == 1
    for path, content in before.items():
        assert path.read_bytes().startswith(content)
        keys = [e.key for e in Ledger(path).evaluations]
        assert len(keys) == len(set(keys)) == len(path.read_bytes().splitlines())
    runs = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'm.db'}").search_runs(
        ["0"], max_results=1000
    )
    states = collections.Counter(run.info.status for run in runs if role(run) == "trial")
    assert states["FINISHED"] == 3
    assert states["RUNNING"] == 0
    (tuning,) = [run for run in runs if role(run) == "tuning"]
    assert tuning.info.status == "FINISHED"
    retrained = [run for run in runs if role(run) == "retrain"]
    assert len(retrained) == TUNED_ON + HELD_OUT
    versions = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'm.db'}").search_model_versions(
        "name = 'micro.pruned'"
    )
    assert len(versions) == 1


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("tuning.trials=0", "tuning.trials: input should be greater than or equal to 1"),
        ("tuning.search.values.resamples=[20]", "tuning.search.values.resamples: cannot be"),
        (
            "tuning.search.game.utility=[sparsified_finetuning,tuned]",
            "search.game.utility: 'tuned'",
        ),
        (
            "tuning.search.sampling.scheduler=[DDIMScheduler,DDIM]",
            "tuning.search.sampling.scheduler: diffusers has no scheduler",
        ),
        ("tuning.sampler=Best", "tuning.sampler: Optuna has no sampler"),
        ("tuning.coalitions=8 tuning.held_out=0.9", "both need 4"),
        ("tuning.storage=nothing://here", "tuning.storage"),
    ],
)
def test_bad_settings_get_one_line_and_leave_nothing(tmp_path, override, words):
    given = [part for o in (*MICRO, *override.split()) for part in ("--set", o)]
    ended = CliRunner().invoke(
        main,
        ["tune", "--preset", "digits", *given, "--workdir", str(tmp_path / "studies")],
    )
    assert ended.exit_code == 2, ended.output
    assert words in ended.output
    assert "Traceback" not in ended.output
    assert not (tmp_path / "studies").exists()


def test_numbers_of_the_record_are_those_of_the_trials(searched):
    result, folder = searched
    rows = pd.read_csv(folder / "tuning.csv")
    assert len(rows) == TRIALS
    assert rows["trial"][rows["chosen"] == 1].tolist() == [result.chosen]
    for row, trial in zip(rows.itertuples(), result.trials, strict=True):
        assert row.state == trial.state
        assert row.fidelity == pytest.approx(trial.fidelity, nan_ok=True)
        assert row.flops == pytest.approx(trial.flops)
