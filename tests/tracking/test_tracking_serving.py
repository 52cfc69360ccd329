"""MLflow's own commands use our models, and find the environment that they need."""

import json
import os
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
import yaml
from mlflow.models import Model
from stores import using


@pytest.fixture
def root(shelf, shelved_values):
    with using(shelf):
        yield Path(mlflow.artifacts.download_artifacts(shelved_values))


def test_the_description_names_python_and_both_environments(root):
    function = Model.load(root).flavors["python_function"]
    assert function["python_version"] == sys.version.split()[0]
    assert function["env"] == {"conda": "conda.yaml", "virtualenv": "python_env.yaml"}
    for name in function["env"].values():
        assert yaml.safe_load((root / name).read_text())


@pytest.mark.parametrize("form", ["pip", "conda"])
def test_mlflow_finds_the_dependencies(root, shelved_values, form):
    found = Path(mlflow.pyfunc.get_model_dependencies(shelved_values, format=form)).read_text()
    assert f"mlflow=={mlflow.__version__}" in found
    assert "torch==" in found


@pytest.mark.slow
def test_mlflow_models_predict_pays_out_without_a_warning(shelf, shelved_values, tmp_path):
    (tmp_path / "input.csv").write_text('budget\n100.00\n"0.01"\n')
    result = subprocess.run(
        [
            sys.executable, "-m", "mlflow", "models", "predict", "-m", shelved_values,
            "--env-manager", "local", "-i", "input.csv", "-t", "csv", "-o", "output.json",
        ],
        cwd=tmp_path,
        env={**os.environ, "MLFLOW_TRACKING_URI": shelf},
        capture_output=True,
        text=True,
        timeout=120,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "WARNING" not in result.stderr
    rows = json.loads((tmp_path / "output.json").read_text())["predictions"]
    assert [row["payout"] for row in rows] == [
        "57.14", "28.57", "14.29", "0.00", "0.01", "0.00", "0.00", "0.00",
    ]  # fmt: skip
    assert rows[2]["contributor"] == "Łódź 2"
