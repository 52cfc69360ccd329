"""The MLflow server with our pages, in this process, on a store with toy reports."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import mlflow
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "review"))
sys.path.insert(0, str(Path(__file__).parent.parent / "tracking"))

from stores import copy_store
from toy_reports import publish, sealed_report

EASY = ("compensation.contest_days=0", "compensation.review.unverified=true",
        "compensation.reserve=0.1")  # fmt: skip


@pytest.fixture(scope="session")
def easy_report(tmp_path_factory):
    """A report whose payouts may be released at once and by unverified names; read only."""
    return sealed_report(tmp_path_factory.mktemp("easy") / "study", EASY)


@pytest.fixture(scope="session")
def draft_report(tmp_path_factory, easy_report):
    """A report of other values under a policy that was changed afterwards; read only."""
    from credit_plugin.compensation.commitment import commit_study
    from credit_plugin.config import load_study

    folder = tmp_path_factory.mktemp("draft") / "study"
    folder.mkdir()
    earlier = load_study("digits", overrides=("name=toy", "compensation.pool=1"))
    commit_study(earlier, {"inception_score": 1}, folder, 0)
    return sealed_report(folder, EASY, worths=(1.0, 2.5, 2.5, 0.75, 0.1))


@pytest.fixture(scope="module")
def site(tmp_path_factory, easy_report):
    """The server's app, a client of its stores, and the run that reports are registered by."""
    folder = tmp_path_factory.mktemp("site")
    uri = copy_store(folder)
    before, environment = mlflow.get_tracking_uri(), dict(os.environ)
    mlflow.set_tracking_uri(uri)
    os.environ["MLFLOW_BACKEND_STORE_URI"] = uri
    from mlflow.server import handlers

    from credit_plugin.plugin.server.app import create_app
    from credit_plugin.plugin.server.shared import catalogue

    handlers.initialize_backend_stores(uri, uri, str(folder / "artifacts"))
    app = create_app()
    client = mlflow.MlflowClient(uri)
    run_id = client.create_run("0", tags={"credit.role": "study"}).info.run_id
    yield SimpleNamespace(app=app, client=client, run_id=run_id, uri=uri)
    # the server keeps its stores in globals, and makes them MLflow's own
    handlers._tracking_store = handlers._model_registry_store = None
    catalogue.cache_clear()
    mlflow.set_registry_uri(None)
    mlflow.set_tracking_uri(before)
    os.environ.clear()
    os.environ.update(environment)


@pytest.fixture
def browser(site):
    """Whoever asks: a client of the app."""
    return site.app.test_client()


@pytest.fixture
def version(site, easy_report, request):
    """A version that nobody has reviewed, of a report that is in order; gone afterwards.

    All pay one pool, and a pool is released once.
    """
    made = publish(site.client, easy_report, request.node.nodeid, site.run_id)
    yield made.version
    site.client.delete_model_version(made.name, made.version)


@pytest.fixture
def draft(site, draft_report, request):
    return publish(site.client, draft_report, f"draft {request.node.nodeid}", site.run_id).version
