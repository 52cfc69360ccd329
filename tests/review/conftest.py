"""Stores, and sealed toy reports that are registered in them."""

import shutil
import sys
from pathlib import Path

import mlflow
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "tracking"))

from stores import copy_store
from toy_reports import publish, sealed_report

from credit_plugin.tracking.reviews import ReviewStore


@pytest.fixture(scope="session")
def made_report(tmp_path_factory):
    """A report whose payouts may be released at once and by unverified names; read only."""
    policy = ("compensation.contest_days=0", "compensation.review.unverified=true")
    return sealed_report(tmp_path_factory.mktemp("sealed") / "study", policy)


@pytest.fixture(scope="session")
def strict_report(tmp_path_factory):
    """A report under the default rules of review, without a window for contests; read only."""
    policy = ("compensation.contest_days=0",)
    return sealed_report(tmp_path_factory.mktemp("strict") / "study", policy)


@pytest.fixture
def uri(tmp_path):
    return copy_store(tmp_path)


@pytest.fixture
def client(uri):
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    yield mlflow.MlflowClient()
    mlflow.set_tracking_uri(before)


@pytest.fixture
def store(client):
    return ReviewStore(client)


@pytest.fixture
def report(made_report, tmp_path):
    return shutil.copytree(made_report, tmp_path / "report")


@pytest.fixture
def version(client, report):
    return publish(client, report).version
