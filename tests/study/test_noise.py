"""A check by noise: whose images are noise must not change what samples are measured by."""

import numpy as np
import pytest
from micro import micro_study

from credit_plugin.contributors import load_contributors
from credit_plugin.contributors.snapshot import save_snapshot
from credit_plugin.folders import StudyFolders
from credit_plugin.game.utilities.worker import WorkerFactory
from credit_plugin.properties.suite import load_suite, prepare_suite

pytestmark = pytest.mark.slow


def test_the_reference_is_that_of_the_others(tmp_path):
    study = micro_study("data.noise=[school-e]")
    dataset = load_contributors(study.data, study.seed)
    folders = StudyFolders(tmp_path / "studies", study, dataset.digest())
    save_snapshot(dataset, folders.data)
    WorkerFactory(study, folders)("cpu")({"job": "reference"}, lambda *_: None)
    others = load_contributors(micro_study().data, study.seed).without(["school-e"])
    prepare_suite(study.properties, others, study.seed, tmp_path / "expected")
    found, expected = (
        load_suite(study.properties, folder).statistics
        for folder in (folders.reference, tmp_path / "expected")
    )
    for name, statistics in expected.items():
        for key, array in statistics.items():
            np.testing.assert_array_equal(found[name][key], array)
