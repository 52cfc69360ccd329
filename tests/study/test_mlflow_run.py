"""The way users start it: ``mlflow run`` on the project, then a look with MLflow's client."""

import os
import subprocess
import sys
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from micro import EVALUATIONS, MICRO

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]


def run_project(folder, *parameters):
    scripts = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        "CREDIT_WORKDIR": str(folder / "studies"),
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    }
    given = [argument for parameter in parameters for argument in ("-P", parameter)]
    return subprocess.run(
        [scripts / "mlflow", "run", PROJECT, "--env-manager", "local", *given],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )


def test_mlflow_run_makes_a_study_that_mlflow_shows(tmp_path):
    overrides = " ".join(MICRO)
    ended = run_project(tmp_path, "preset=digits", f"overrides={overrides}")
    assert ended.returncode == 0, ended.stderr
    assert "coalitions: done" in ended.stderr
    assert "archive-a" in ended.stdout
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    runs = client.search_runs(["0"], max_results=1000)
    assert {run.info.status for run in runs} == {"FINISHED"}
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert parent.data.tags["mlflow.project.entryPoint"] == "main"
    coalitions = [run for run in runs if run.data.tags["credit.role"] == "coalition"]
    assert len(coalitions) == EVALUATIONS
    assert {run.data.tags["mlflow.parentRunId"] for run in coalitions} == {parent.info.run_id}
    names = {model.name for model in client.search_registered_models()}
    assert names == {"micro.full", "micro.pruned", "micro.values"}
    (report,) = (tmp_path / "studies" / "micro").glob("table-*/report")
    rows = pd.read_csv(report / "values.csv")
    everybody = _mean_utility(coalitions, "1" * 8)
    nobody = _mean_utility(coalitions, "0" * 8)
    assert rows["value"].sum() == pytest.approx(everybody - nobody, abs=1e-9)


def test_mlflow_run_fails_in_one_line_on_bad_parameters(tmp_path):
    ended = run_project(tmp_path, "preset=digits", "overrides=pruning.ratio=1.5")
    assert ended.returncode != 0
    assert "error: pruning.ratio: input should be less than 1" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "studies").exists()


def _mean_utility(runs, bits):
    found = [r for r in runs if r.data.tags["credit.coalition"] == bits]
    return sum(r.data.metrics["property/inception_score"] for r in found) / len(found)
