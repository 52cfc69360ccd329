"""Every test runs in a folder of its own: MLflow and studies write where they are started."""

import os

import pytest

# networks of tests are tiny: threads that wait for each other cost more than they bring
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
