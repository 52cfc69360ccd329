"""A store for each test that needs one."""

import os
import sys
from pathlib import Path

import mlflow
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tracking"))

from stores import copy_store, using


@pytest.fixture(autouse=True)
def own_environment():
    """MLflow keeps its state in the environment; nothing of it may reach the next test."""
    before, uri = dict(os.environ), mlflow.get_tracking_uri()
    for name in [name for name in before if name.startswith(("MLFLOW_", "CREDIT_"))]:
        del os.environ[name]
    yield
    mlflow.set_tracking_uri(uri)
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def client(tmp_path):
    with using(copy_store(tmp_path)) as client:
        yield client
