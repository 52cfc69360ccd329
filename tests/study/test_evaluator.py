"""``mlflow.models.evaluate(..., evaluators="credit")`` on the models of a finished study."""

import shutil
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import mlflow
import pandas as pd
import pytest
import yaml
from mlflow.models import MetricThreshold
from mlflow.models.evaluation.validation import ModelValidationFailedException

from credit_plugin.errors import InputError
from credit_plugin.tracking.evaluation import evaluation_data
from credit_plugin.tracking.flavors.files import sha256
from credit_plugin.tracking.reference import REFERENCE_TAG, log_reference

pytestmark = pytest.mark.slow

LDS = "fidelity/lds/values/alpha_0.50"


@pytest.fixture
def parent(finished):
    return finished.parent_run_id


@pytest.fixture
def artifacts(client, parent, tmp_path):
    """Artifacts of the study's run; what a test changes of them is put back."""
    folder = Path(client.get_run(parent).info.artifact_uri.removeprefix("file://"))
    shutil.copytree(folder / "reference", tmp_path / "reference")
    shutil.copyfile(folder / "values.json", tmp_path / "values.json")
    yield folder
    shutil.rmtree(folder / "reference", ignore_errors=True)
    shutil.copytree(tmp_path / "reference", folder / "reference")
    shutil.copyfile(tmp_path / "values.json", folder / "values.json")


@pytest.fixture
def client(finished, parent, home, tmp_path, monkeypatch):
    """A copy of the study's store, used without network and without pickle."""
    before = mlflow.get_tracking_uri()
    copy = tmp_path / "mlflow.db"
    with (
        closing(sqlite3.connect(home / "mlflow.db")) as old,
        closing(sqlite3.connect(copy)) as new,
        new,
    ):
        old.backup(new)
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    monkeypatch.setattr(socket.socket, "connect", _no_network)
    mlflow.set_tracking_uri(f"sqlite:///{copy}")
    client = mlflow.MlflowClient()
    client.log_metric(parent, LDS, 0.75)
    yield client
    mlflow.set_tracking_uri(before)


def _no_network(*_):
    raise AssertionError("an evaluation went to the network")


def evaluate(model, data=None, **options):
    data = evaluation_data(model) if data is None else data
    with mlflow.start_run(experiment_id="0"):
        return mlflow.models.evaluate(
            model, data, model_type="credit", evaluators="credit", **options
        )


def refusal(model, data=None, **options):
    with pytest.raises(InputError) as caught:
        evaluate(model, data, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def logged_model(client, finished, kind):
    name, version = finished.models[kind].split("/")
    return client.get_logged_model(client.get_model_version(name, version).tags["credit.model_id"])


def metrics_of_run(model, run_id):
    return [(m.key, m.value) for m in model.metrics if m.run_id == run_id]


@pytest.mark.parametrize("kind", ["full", "pruned"])
def test_a_model_measures_as_its_study_measured_it(client, finished, kind):
    source = client.get_run(logged_model(client, finished, kind).source_run_id)
    names = {f"property/{name}" for name in finished.study.properties.names}
    expected = {name: source.data.metrics[name] for name in names}
    result = evaluate(f"models:/{finished.models[kind]}")
    assert result.metrics == pytest.approx({**expected, LDS: 0.75}, rel=1e-5)


@pytest.mark.parametrize("kind", ["full", "pruned", "values"])
def test_metrics_are_on_the_run_and_once_on_the_logged_model(client, finished, kind):
    model = logged_model(client, finished, kind)
    for result in (
        evaluate(f"models:/{finished.models[kind]}"),
        evaluate(None, evaluation_data(f"models:/{model.model_id}"), model_id=model.model_id),
        evaluate(mlflow.pyfunc.load_model(model.model_uri), evaluation_data(model.model_uri)),
    ):
        run = client.get_run(result.run_id)
        assert run.data.metrics == result.metrics
        again = client.get_logged_model(model.model_id)
        on_model = metrics_of_run(again, run.info.run_id)
        assert sorted(on_model) == sorted(result.metrics.items())
        assert [i.model_id for i in run.inputs.model_inputs] == [model.model_id]


def test_values_carry_fidelity_and_reliability_of_their_study(client, parent):
    result = evaluate("models:/micro.values@latest")
    study = client.get_run(parent).data.metrics
    carried = {k: v for k, v in study.items() if k.startswith(("fidelity/", "reliability/"))}
    assert {LDS, "reliability/misallocation", "reliability/passed"} <= set(carried)
    assert result.metrics == carried


def test_the_result_is_a_gate(client):
    candidate = evaluate("models:/micro.pruned@latest")
    baseline = evaluate("models:/micro.full@latest")
    measured = candidate.metrics["property/frechet_distance"]
    fits = {
        "property/frechet_distance": MetricThreshold(measured + 0.01, greater_is_better=False),
        LDS: MetricThreshold(0.7, greater_is_better=True),
    }
    mlflow.validate_evaluation_results(fits, candidate, baseline)
    strict = {
        "property/frechet_distance": MetricThreshold(measured - 0.01, greater_is_better=False)
    }
    with pytest.raises(ModelValidationFailedException, match="property/frechet_distance"):
        mlflow.validate_evaluation_results(strict, candidate)
    missing = {"fidelity/none": MetricThreshold(0.7, greater_is_better=True)}
    with pytest.raises(ModelValidationFailedException, match="was missing"):
        mlflow.validate_evaluation_results(missing, candidate)


def test_the_rows_say_which_images_are_measured(client):
    uri = "models:/micro.pruned@latest"
    study = evaluation_data(uri)
    other = evaluate(uri, study.assign(seed=study["seed"] - 1)).metrics
    halves = pd.DataFrame({"n": [24, 0, 24], "seed": [1, 2, 3]})
    several = evaluate(uri, halves).metrics
    assert evaluate(uri, halves[::-1].reset_index(drop=True)).metrics == pytest.approx(several)
    name = "property/frechet_distance"
    assert len({evaluate(uri, study).metrics[name], other[name], several[name]}) == 3


@pytest.mark.parametrize(
    "file", ["classifier.safetensors", "frechet_distance.npz", "reference.json", "manifest.json"]
)
def test_a_tampered_reference_is_refused(client, artifacts, file):
    data = evaluation_data("models:/micro.pruned@latest")
    path = artifacts / "reference" / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert "reference/: " in refusal("models:/micro.pruned@latest", data)
    assert file in refusal("models:/micro.pruned@latest", data)


def test_a_reference_with_a_manifest_of_its_own_is_refused(client, artifacts, finished, parent):
    """Whoever can write artifacts can write a manifest; the run's tag is not among them."""
    data = evaluation_data("models:/micro.pruned@latest")
    tagged = client.get_run(parent).data.tags[REFERENCE_TAG]
    study = finished.study.model_copy(update={"seed": 1})
    other = type(finished.folders)(finished.folders.root, study, finished.folders.digest)
    shutil.copytree(finished.folders.reference, other.reference, dirs_exist_ok=True)
    log_reference(client, parent, other)
    client.set_tag(parent, REFERENCE_TAG, tagged)
    shutil.rmtree(other.reference)
    assert "manifest.json is not the file" in refusal("models:/micro.pruned@latest", data)


def test_missing_and_additional_files_are_refused(client, artifacts):
    data = evaluation_data("models:/micro.pruned@latest")
    path = artifacts / "reference" / "diversity.npz"
    kept = path.read_bytes()
    path.unlink()
    assert "diversity.npz is missing" in refusal("models:/micro.pruned@latest", data)
    path.write_bytes(kept)
    path.with_name("more.npz").write_bytes(kept)
    assert "more.npz is not in the manifest" in refusal("models:/micro.pruned@latest", data)
    shutil.rmtree(path.parent)
    assert "cannot be read" in refusal("models:/micro.pruned@latest", data)


def test_a_study_without_a_reference_is_told_how_to_get_one(client, parent):
    client.delete_tag(parent, REFERENCE_TAG)
    with pytest.raises(InputError, match="has no reference/: run `credit train`"):
        evaluation_data("models:/micro.full@latest")


def test_the_reference_of_other_models_is_refused(client, finished):
    data = evaluation_data("models:/micro.full@latest")
    source = logged_model(client, finished, "full").source_run_id
    client.set_tag(source, "credit.stage", "full-000000000000")
    assert "not for full-000000000000" in refusal("models:/micro.full@latest", data)


def test_the_reference_is_logged_once(client, finished, parent, artifacts):
    (artifacts / "reference" / "reference.json").unlink()
    log_reference(client, parent, finished.folders)
    assert not (artifacts / "reference" / "reference.json").exists()
    client.delete_tag(parent, REFERENCE_TAG)
    log_reference(client, parent, finished.folders)
    assert (artifacts / "reference" / "reference.json").exists()
    evaluation_data("models:/micro.full@latest")


def test_a_changed_copy_of_a_model_is_not_mistaken_for_it(client, finished, tmp_path):
    data = evaluation_data("models:/micro.full@latest")
    copy = tmp_path / "copy"
    logged = mlflow.artifacts.download_artifacts("models:/micro.full@latest")
    shutil.copytree(logged, copy)
    assert evaluate(str(copy), data).metrics == evaluate("models:/micro.full@latest").metrics
    name = "unet/diffusion_pytorch_model.safetensors"
    weights = copy / "content" / name
    content = bytearray(weights.read_bytes())
    content[-2] ^= 1
    weights.write_bytes(content)
    description = yaml.safe_load((copy / "MLmodel").read_text())
    description["flavors"]["credit_diffusion"]["files"][name] = sha256(weights)
    (copy / "MLmodel").write_text(yaml.safe_dump(description))
    assert "is a changed copy of m-" in refusal(str(copy), data)


def test_values_that_are_no_longer_the_study_s_are_refused(client, artifacts):
    path = artifacts / "values.json"
    path.write_text(path.read_text().replace('"confidence": 0.9', '"confidence": 0.8'))
    assert "went on after these values" in refusal("models:/micro.values@latest")


def test_a_model_of_another_store_is_refused(client, tmp_path):
    data = evaluation_data("models:/micro.full@latest")
    copy = shutil.copytree(
        mlflow.artifacts.download_artifacts("models:/micro.full@latest"), tmp_path / "copy"
    )
    description = yaml.safe_load((copy / "MLmodel").read_text())
    description["model_id"] = "m-0123456789abcdef0123456789abcdef"
    (copy / "MLmodel").write_text(yaml.safe_dump(description))
    assert "m-0123456789abcdef0123456789abcdef cannot be read" in refusal(str(copy), data)
