"""A store for each test, and small things to put into it."""

import os
import shutil
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import mlflow
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from stores import copy_store, using

from credit_plugin.compensation.report import ReportInputs, write_report
from credit_plugin.config import DataSettings, load_study
from credit_plugin.contributors.sources import load_contributors
from credit_plugin.game import UtilityTable
from credit_plugin.game.ledger import Evaluation
from credit_plugin.game.toys import AdditiveGame
from credit_plugin.tracking.registry import Registry
from credit_plugin.tracking.tracker import StudyTracker
from credit_plugin.values import assess, estimate

WORTHS = (0.5, 0.25, 0.125, 0.0)
NAMES = ("ann", "bob's =studio", "Łódź 2", "idle")


@pytest.fixture(autouse=True)
def own_environment():
    """MLflow keeps its state in the environment; nothing of it may reach the next test."""
    before, uri = dict(os.environ), mlflow.get_tracking_uri()
    for name in [name for name in before if name.startswith("MLFLOW_")]:
        del os.environ[name]
    yield
    mlflow.set_tracking_uri(uri)
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def uri(tmp_path):
    return copy_store(tmp_path)


@pytest.fixture
def client(uri):
    mlflow.set_tracking_uri(uri)
    return mlflow.MlflowClient()


@pytest.fixture(scope="session")
def study():
    return load_study("digits", overrides=("name=toy", "properties.headline=inception_score"))


@pytest.fixture(scope="session")
def dataset():
    return load_contributors(DataSettings(source="digits", image_size=8))


@pytest.fixture
def start(client, study, dataset, uri, tmp_path):
    """Return a function that opens the study's run, as each start of the command does."""

    def start_tracker(**settings):
        changed = study.model_copy(update=settings)
        return StudyTracker.start(changed, dataset, tmp_path / "tracking.json", uri)

    return start_tracker


@pytest.fixture
def tracker(start):
    return start()


@pytest.fixture
def evaluation():
    """Return a function that makes a finished evaluation, with any field replaced."""

    def make(**fields):
        plain = {
            "key": "k1",
            "coalition": "10100000",
            "seed": 3,
            "repeat": 1,
            "properties": {"inception_score": 2.5, "diversity": 0.25},
            "losses": {"finetuning": 0.5},
            "costs": {"training": 1.5, "sampling": 0.5},
            "started": 1_700_000_000.0,
            "finished": 1_700_000_002.5,
            "attempts": 2,
        }
        return Evaluation(**{**plain, **fields})

    return make


@pytest.fixture(scope="session")
def toy_values(study):
    coalitions = (np.arange(16)[:, None] >> np.arange(4) & 1).astype(bool)
    utilities = AdditiveGame(WORTHS, base=1.0)(coalitions)
    table = UtilityTable.from_arrays(coalitions, utilities, NAMES, study.properties.headline)
    return table, estimate(table, "exact", resamples=2)


@pytest.fixture(scope="session")
def toy_report(study, toy_values, tmp_path_factory):
    """A real report of an additive game with four contributors; read only."""
    table, values = toy_values
    headline = study.properties.headline
    inputs = ReportInputs(
        study=study,
        created=datetime(2025, 1, 2, tzinfo=UTC),
        values={headline: values},
        directions={headline: 1},
        table=table,
        image_counts=np.array([4, 3, 2, 1]),
        attribution=(),
        licences=(),
        dataset_name="toy data",
        dataset_digest="d" * 64,
        contributor_digests={name: f"{i}" * 64 for i, name in enumerate(NAMES)},
        models={},
        full_model_properties={headline: 2.0},
        pruned_model_properties={headline: 1.9},
        baselines={"zero": 0.0},
        costs={"coalitions": 1.0},
        lost=(),
        versions={"python": "3.11"},
        # every coalition is known and nothing is noisy, but nothing was repeated either
        reliability={headline: replace(assess(table, values), failures=())},
    )
    folder = tmp_path_factory.mktemp("toy") / "report"
    write_report(inputs, folder)
    return folder


@pytest.fixture
def report(toy_report, tmp_path):
    return shutil.copytree(toy_report, tmp_path / "report")


@pytest.fixture(scope="session")
def shelf(tmp_path_factory):
    """URI of a store with versions that tests only look at."""
    return copy_store(tmp_path_factory.mktemp("shelf"))


@pytest.fixture(scope="session")
def shelved_values(shelf, toy_report):
    """URI of a values version on the shelf."""
    with using(shelf) as client:
        run_id = client.create_run("0").info.run_id
        return Registry(client, "toy").publish_values(toy_report, run_id, "abc", ()).uri


@pytest.fixture
def no_pickle():
    """Return a function that says which files of a folder are pickles by name or by content."""

    def pickles(folder):
        names = {".pkl", ".pickle", ".pt", ".pth", ".bin", ".joblib"}
        return [
            path
            for path in folder.rglob("*")
            if path.is_file()
            and (path.suffix in names or "pickle" in path.name or _looks_pickled(path))
        ]

    return pickles


def _looks_pickled(path):
    head = path.read_bytes()[:4]
    return (head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05") or head == b"PK\x03\x04"
