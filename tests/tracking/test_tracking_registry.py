"""Registered versions: one for each content, linked, and whole even after an interruption."""

from pathlib import Path

import mlflow
import pytest

from credit_plugin.tracking.registry import CONTENT_TAG, PublishedModel, Registry

FULL = PublishedModel("toy.full", "3", "m-full")
PRUNED = PublishedModel("toy.pruned", "4", "m-pruned")


@pytest.fixture
def run_id(client):
    return client.create_run("0").info.run_id


@pytest.fixture
def registry(client):
    return Registry(client, "toy")


@pytest.fixture
def publish_values(registry, report, run_id):
    def publish(content="abc", models=(FULL, PRUNED)):
        return registry.publish_values(report, run_id, content, models)

    return publish


@pytest.fixture
def publish_model(registry, tmp_path, run_id):
    """Return a function that publishes any folder: the flavor only carries files."""
    folder = tmp_path / "some model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")

    def publish(kind, content="abc", run=run_id, **settings):
        metrics = {"property/diversity": 0.25, "parameters": 7.0}
        return registry.publish_model(
            kind, folder, run_id=run, content=content, metrics=metrics, **settings
        )

    return publish


def versions(client, name):
    return sorted(int(v.version) for v in client.search_model_versions(f"name = '{name}'"))


def test_values_become_a_version_that_links_to_its_models(client, publish_values, run_id):
    published = publish_values()
    assert (published.name, published.version) == ("toy.values", "1")
    assert published.uri == "models:/toy.values/1"
    version = client.get_model_version("toy.values", "1")
    assert version.run_id == run_id
    assert version.tags["credit.full"] == "toy.full/3"
    assert version.tags["credit.pruned"] == "toy.pruned/4"
    assert version.tags["credit.study"] == "toy"
    assert version.tags["credit.model_id"] == published.model_id
    assert "[toy.full v3](#/models/toy.full/versions/3)" in version.description
    assert "[toy.pruned v4](#/models/toy.pruned/versions/4)" in version.description
    assert version.description.startswith("**Nobody has reviewed this.**")


def test_the_described_report_is_an_artifact_of_the_version(client, publish_values):
    published = publish_values()
    name = client.get_model_version("toy.values", "1").description.split("`")[1]
    local = mlflow.artifacts.download_artifacts(f"{published.uri}/{name}")
    assert "<html" in Path(local).read_text("utf-8")


def test_values_without_models_say_so(client, publish_values):
    publish_values(models=())
    assert "no registered model" in client.get_model_version("toy.values", "1").description


def test_the_same_content_is_the_same_version(client, publish_values, study):
    first = publish_values("abc")
    assert publish_values("abc") == first
    assert publish_values("xyz").version == "2"
    assert publish_values("abc") == first
    assert versions(client, "toy.values") == [1, 2]


def test_latest_is_the_newest(client, publish_values):
    publish_values("abc")
    newest = publish_values("xyz")
    latest = client.get_model_version_by_alias("toy.values", "latest")
    assert str(latest.version) == newest.version


def test_models_belong_to_the_experiment_of_their_run(client, registry, report):
    faces = client.create_experiment("faces")
    run_id = client.create_run(faces).info.run_id
    client.log_param(run_id, "study/seed", 3)
    published = registry.publish_values(report, run_id, "abc", ())
    logged = client.get_logged_model(published.model_id)
    assert logged.experiment_id == faces
    assert logged.source_run_id == run_id
    assert logged.status == "READY"
    assert logged.name == "values"
    assert logged.params == {"study/seed": "3"}
    assert logged.tags["credit.study"] == "toy"
    assert [m.model_id for m in client.get_run(run_id).outputs.model_outputs] == [logged.model_id]


def test_studies_do_not_share_versions(client, publish_values, report, run_id):
    publish_values("abc")
    other = Registry(client, "toy2").publish_values(report, run_id, "abc", ())
    assert other.name == "toy2.values"


def test_models_carry_metrics_and_lineage(client, publish_model, run_id):
    full = publish_model("full")
    pruning = client.create_run("0").info.run_id
    pruned = publish_model("pruned", run=pruning, full_model_id=full.model_id)
    version = client.get_model_version("toy.pruned", pruned.version)
    assert version.tags["credit.full_model_id"] == full.model_id
    assert [m.model_id for m in client.get_run(pruning).inputs.model_inputs] == [full.model_id]
    for published in (full, pruned):
        logged = client.get_logged_model(published.model_id)
        assert {m.key: m.value for m in logged.metrics} == {
            "property/diversity": 0.25,
            "parameters": 7.0,
        }
    assert publish_model("pruned", run=pruning, full_model_id=full.model_id) == pruned
    assert publish_model("full") == full
    assert versions(client, "toy.full") == versions(client, "toy.pruned") == [1]


@pytest.mark.parametrize(
    ("step", "before"),
    [("update_model_version", 0), *(("set_model_version_tag", done) for done in range(4))],
)
def test_a_values_version_that_was_cut_short_is_made_again(
    client, publish_values, monkeypatch, step, before
):
    real, done = getattr(client, step), []

    def dies(*arguments, **settings):
        if len(done) == before:
            raise KeyboardInterrupt
        done.append(real(*arguments, **settings))

    monkeypatch.setattr(client, step, dies)
    with pytest.raises(KeyboardInterrupt):
        publish_values()
    monkeypatch.undo()
    published = publish_values()
    version = client.get_model_version("toy.values", published.version)
    assert version.tags["credit.full"] == "toy.full/3"
    assert "They rest on" in version.description
    assert publish_values() == published


def test_a_model_version_that_was_cut_short_is_made_again(client, publish_model, monkeypatch):
    full = publish_model("full")

    def dies(*arguments, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(client, "log_metric", dies)
    with pytest.raises(KeyboardInterrupt):
        publish_model("pruned", full_model_id=full.model_id)
    monkeypatch.undo()
    pruned = publish_model("pruned", full_model_id=full.model_id)
    assert len(client.get_logged_model(pruned.model_id).metrics) == 2
    version = client.get_model_version("toy.pruned", pruned.version)
    assert version.tags[CONTENT_TAG] == "abc"
    assert version.tags["credit.full_model_id"] == full.model_id
    inputs = client.get_run(version.run_id).inputs.model_inputs
    assert {m.model_id for m in inputs} == {full.model_id}
