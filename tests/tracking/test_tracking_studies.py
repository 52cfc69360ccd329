"""Which other studies there are on some data or with a model, and the policy that binds a study."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime

import mlflow
import pytest
from mlflow.exceptions import MlflowException
from stores import using

from credit_plugin.compensation.commitment import commit
from credit_plugin.errors import InputError
from credit_plugin.folders import StudyFolders
from credit_plugin.tracking import studies
from credit_plugin.tracking.evaluation import evaluation_data, find_subject
from credit_plugin.tracking.parent import COMMITTED
from credit_plugin.tracking.reports import registered_report
from credit_plugin.tracking.studies import studies_on
from credit_plugin.tracking.tracker import StudyTracker


def policies(folder):
    """Return how a policy, and then another one, stand to the first."""
    now = datetime(2026, 11, 26, tzinfo=UTC)
    return [commit(folder, {"pool": pool}, {}, 0, now) for pool in (1, 2)]


@pytest.fixture
def add_study(client):
    def add(data, name="toy", role="study", experiment="0"):
        tags = {"credit.data_sha256": data, "credit.study": name, "credit.role": role}
        return client.create_run(experiment, tags=tags).info.run_id

    return add


def test_studies_on_the_same_data_are_found_in_every_experiment(client, add_study, monkeypatch):
    monkeypatch.setattr(studies, "PAGE", 2)  # several pages
    own = add_study("same")
    elsewhere = client.create_experiment("elsewhere")
    others = {add_study("same", f"rerun {k}", experiment=elsewhere) for k in range(5)}
    add_study("other data")
    add_study("same", role="tuning")
    found = studies_on(client, "same", but=own)
    assert {study["run"] for study in found} == others
    assert {study["experiment"] for study in found} == {elsewhere}
    assert sorted(study["study"] for study in found) == [f"rerun {k}" for k in range(5)]
    assert [study["started"] for study in found] == sorted(study["started"] for study in found)


def test_nothing_is_found_where_nothing_is(client):
    assert studies_on(client, "same") == []


@pytest.fixture
def run_again(study, dataset, uri, tmp_path):
    """Return a function that measures one model in a new run of its study, as far as MLflow sees.

    It returns the version, which is the same each time, and the study's run.
    """
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")

    def run(samples, status="FINISHED", name="toy"):
        sampling = study.sampling.model_copy(update={"samples": samples})
        changed = study.model_copy(update={"sampling": sampling, "name": name})
        folders = StudyFolders(tmp_path, changed, "data")
        folders.reference.mkdir(parents=True, exist_ok=True)
        tracker = StudyTracker.start(changed, dataset, tmp_path / f"{name} {samples}.json", uri)
        content, nothing = folders.full.name, {"params": {}, "metrics": {}, "curves": {}}
        stage = tracker.log_stage("train", content, "full", started=1, finished=2, **nothing)
        tracker.log_reference(folders)
        version = tracker.publish_model("full", model, run_id=stage, content=content, metrics={})
        tracker.finish(status)
        return version.uri, tracker.parent_run_id

    return run


def test_a_model_is_measured_as_the_last_run_of_its_study_that_finished(run_again, client):
    uri, first = run_again(16)
    assert find_subject(uri).study.info.run_id == first
    again, second = run_again(64)
    assert (again, first == second) == (uri, False)
    run_again(80, "FAILED")
    run_again(96, name="other")  # the same model by the same settings
    assert find_subject(uri).study.info.run_id == second
    assert evaluation_data(uri)["n"].tolist() == [64]
    client.delete_run(second)
    assert evaluation_data(uri)["n"].tolist() == [16]
    run_again(80)  # goes on with the one that failed
    assert evaluation_data(uri)["n"].tolist() == [80]
    assert run_again(16) == (uri, first)
    assert evaluation_data(uri)["n"].tolist() == [16]


def test_a_model_whose_study_has_not_finished_is_measured_all_the_same(run_again):
    uri, run = run_again(16, "FAILED")
    assert find_subject(uri).study.info.run_id == run


def test_the_first_policy_stays_on_the_run_whatever_comes_later(client, tracker, tmp_path):
    first, later = policies(tmp_path)
    tracker.log_policy(first.first, first.policy_sha256, "data")
    tracker.log_policy(later.first, later.policy_sha256, "data")
    data = client.get_run(tracker.parent_run_id).data
    assert data.params[COMMITTED] == first.policy_sha256 != later.policy_sha256
    assert data.tags["credit.policy_sha256"] == later.policy_sha256
    stored = mlflow.artifacts.load_dict(f"runs:/{tracker.parent_run_id}/policy.json")
    assert stored == {"pool": 1}
    with pytest.raises(MlflowException):
        client.log_param(tracker.parent_run_id, COMMITTED, later.policy_sha256)
    assert [s["policy_sha256"] for s in tracker.other_studies("data")] == []
    with pytest.raises(InputError, match=r"the policy .* was written down in it first"):
        tracker.log_policy(replace(first.first, policy_sha256="0" * 64), "0" * 64, "data")


def test_a_registered_report_comes_back_and_a_changed_one_is_told(shelf, shelved_values, tmp_path):
    with using(shelf):
        (tmp_path / "one").mkdir()
        folder, complaints = registered_report(shelved_values, tmp_path / "one")
        assert complaints == []
        assert (folder / "values.json").exists()
        changed = tmp_path / "changed"
        shutil.copytree(folder.parent, changed)
        (changed / "content" / "payouts.csv").write_text("x", "utf-8")
        (tmp_path / "two").mkdir()
        _, complaints = registered_report(str(changed), tmp_path / "two")
        assert len(complaints) == 1
        assert "'payouts.csv' is not the one that was logged" in complaints[0]
        with pytest.raises(InputError, match=r"models:/nothing\.values/1: tracking store"):
            registered_report("models:/nothing.values/1", tmp_path / "two")
