"""Utility conditional_mixture: samples under a coalition's conditions, each drawn once."""

import json

import mlflow
import pytest
from micro import ledger_lines, micro_study, run_in

from credit_plugin.errors import InputError
from credit_plugin.game.coalitions import from_bits, to_bits
from credit_plugin.game.utilities import get_utility
from credit_plugin.game.utilities.workbench import Workbench
from credit_plugin.properties.suite import PropertySuite
from credit_plugin.tracking.evaluation import evaluation_data

pytestmark = pytest.mark.slow

CONDITIONAL = ("diffusion.condition=label", "game.utility=conditional_mixture")


@pytest.fixture(scope="module")
def study():
    return micro_study(*CONDITIONAL)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory, study):
    place = tmp_path_factory.mktemp("mixture")
    return place, run_in(place, study)


def test_nothing_is_trained_for_a_coalition(mixed):
    place, result = mixed
    lines = ledger_lines(place / "studies")
    assert len(lines) == 19
    assert all(line["losses"] == {} for line in lines)
    assert all(set(line["costs"]) == {"sampling", "measuring"} for line in lines)
    assert set(result.models) == {"full", "values"}


def test_every_condition_is_sampled_once_for_each_repeat(mixed):
    _, result = mixed
    files = sorted(p.name for p in (result.folders.table / "mixture").glob("*.npy"))
    assert files == sorted(f"{repeat}-{digit}.npy" for repeat in (0, 1) for digit in range(10))


def test_the_samples_are_those_that_the_full_model_draws(mixed, study):
    _, result = mixed
    bench = Workbench(study, result.folders, "cpu")
    line = next(e for e in ledger_lines(mixed[0] / "studies") if 3 < e["coalition"].count("1") < 8)
    images = bench.sample(bench.full.model, line["repeat"], from_bits(line["coalition"]))
    measured = bench.measure(images)
    assert measured == pytest.approx(line["properties"], rel=0.02)


def test_contributors_of_the_same_digits_are_worth_the_same(mixed, study):
    _, result = mixed
    bench = Workbench(study, result.folders, "cpu")

    def measure(*members):
        bits = to_bits([name in members for name in bench.dataset.contributors])
        payload = {"coalition": bits, "repeat": 0, "key": "test-preview"}
        found = get_utility("conditional_mixture").evaluate(bench, payload, lambda *_: None)
        return found["properties"]

    assert measure("office-c") == measure("copycat") == measure("office-c", "copycat")
    assert measure("office-c") != measure("office-d")


def test_a_model_without_conditions_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"^diffusion\.condition: .* needs a conditional model"):
        run_in(tmp_path, micro_study(CONDITIONAL[1]))


def test_an_evaluation_measures_what_the_model_was_told(mixed, study, monkeypatch):
    place, result = mixed
    told = []
    measure = PropertySuite.measure

    def noting(suite, images, condition=None):
        told.append(condition)
        return measure(suite, images, condition)

    monkeypatch.setattr(PropertySuite, "measure", noting)
    mlflow.set_tracking_uri(f"sqlite:///{place / 'mlflow.db'}")
    try:
        uri = f"models:/{result.models['full']}"
        with mlflow.start_run(experiment_id="0"):
            found = mlflow.models.evaluate(
                uri, evaluation_data(uri), model_type="credit", evaluators="credit"
            )
    finally:
        mlflow.set_tracking_uri(None)
    bench = Workbench(study, result.folders, "cpu")
    assert told[0].tolist() == bench.drawn_conditions().tolist()
    own = json.loads((result.folders.table / "full.json").read_text())["properties"]
    for name, value in own.items():
        assert found.metrics[f"property/{name}"] == pytest.approx(value, rel=1e-4)


def test_the_check_against_retraining_compares_it_like_the_others(tmp_path):
    study = micro_study(
        CONDITIONAL[0],
        "fidelity.alphas=[0.5]",
        "fidelity.coalitions=5",
        "fidelity.removals=[0.4]",
        "fidelity.removal_seeds=1",
        "fidelity.random_orders=1",
        "fidelity.resamples=100",
        "fidelity.curves=[]",
        "fidelity.methods=[image_count, trak, journey_trak]",
        "fidelity.proxies=[conditional_mixture]",
        "fidelity.images_each=4",
        "fidelity.generated=6",
        "fidelity.timesteps=1",
        "fidelity.projection=32",
    )
    found = run_in(tmp_path, study, fidelity=True).fidelity
    (test,) = found.tests
    assert set(test.cheap) == {"sparsified_finetuning", "conditional_mixture"}
    assert set(test.agreement["inception_score"]) == set(test.cheap)
    assert found.skipped == {}
    # gradients of a conditional network, too
    assert {method.name for method in found.methods} >= {"trak/sum", "journey_trak/mean"}
