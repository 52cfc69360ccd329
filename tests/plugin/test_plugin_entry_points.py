"""Entry points load in every process of MLflow, so they must be there, light and quiet."""

import os
import subprocess
import sys
from importlib.metadata import entry_points

import mlflow
import pytest

from credit_plugin.plugin.run_context import StudyRunContext

POINTS = {
    "mlflow.dataset_constructor": "from_contributors",
    "mlflow.dataset_source": "contributors",
    "mlflow.model_evaluator": "credit",
    "mlflow.run_context_provider": "credit",
}

LIGHT = """
import sys
from importlib.metadata import entry_points
import mlflow.data
from mlflow.tracking.context import registry
for group in {groups}:
    for point in entry_points(group=group):
        point.load()
assert hasattr(mlflow.data, "from_contributors")
modules = {{name.partition(".")[0] for name in sys.modules}}
ours = {{name for name in sys.modules if name.startswith("credit_plugin.")}}
print(*sorted(modules & {heavy}), *sorted(n for n in ours if ".plugin" not in n))
"""
HEAVY = {"torch", "torchvision", "diffusers", "torch_pruning", "sklearn", "matplotlib"}


@pytest.mark.parametrize(("group", "name"), POINTS.items())
def test_the_installed_package_announces_what_it_has(group, name):
    (point,) = entry_points(group=group, name=name)
    assert point.value.startswith("credit_plugin.plugin.")
    assert callable(point.load())


def test_nothing_heavy_is_imported():
    result = subprocess.run(
        [sys.executable, "-c", LIGHT.format(groups=[*POINTS], heavy=HEAVY)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "CREDIT_STUDY": "faces"},
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == []
    assert "credit" not in result.stderr


def test_runs_are_tagged_only_while_a_study_is_named(client, monkeypatch):
    def tags_of_a_new_run():
        with mlflow.start_run(experiment_id="0") as run:
            return client.get_run(run.info.run_id).data.tags

    assert "credit.study" not in tags_of_a_new_run()
    monkeypatch.setenv("CREDIT_STUDY", "faces")
    assert tags_of_a_new_run()["credit.study"] == "faces"
    monkeypatch.setenv("CREDIT_STUDY", "")
    assert "credit.study" not in tags_of_a_new_run()


def test_the_context_alone(monkeypatch):
    assert not StudyRunContext().in_context()
    monkeypatch.setenv("CREDIT_STUDY", "faces")
    assert StudyRunContext().in_context()
    assert StudyRunContext().tags() == {"credit.study": "faces"}
