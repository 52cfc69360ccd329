"""One finished micro study for all tests that only look."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from micro import micro_study


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("micro")


@pytest.fixture(scope="session")
def uri(home):
    return f"sqlite:///{home / 'mlflow.db'}"


@pytest.fixture(scope="session")
def finished(home, uri):
    from credit_plugin import run_study

    patch = pytest.MonkeyPatch()
    patch.chdir(home)
    patch.delenv("MLFLOW_RUN_ID", raising=False)
    result = run_study(micro_study(), workdir=home / "studies", tracking_uri=uri)
    patch.undo()
    return result
