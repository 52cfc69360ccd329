"""Some coalitions are retrained: the values are then those of retraining, and say so."""

import collections

import mlflow
import pytest
from micro import EVALUATIONS, copy_studies, micro_study, run_in

from credit_plugin.compensation.report import check_manifest
from credit_plugin.config import GameSettings
from credit_plugin.errors import InputError
from credit_plugin.folders import StudyFolders
from credit_plugin.game import UtilityTable
from credit_plugin.game.ledger import Ledger
from credit_plugin.games import RETRAINING, study_with
from credit_plugin.retrainings import plan_retrainings
from credit_plugin.values import two_level

RETRAINED = 10
MADE = RETRAINED + 2  # the empty and the full coalition twice


@pytest.fixture(scope="module")
def place(finished, home, tmp_path_factory):
    """Return a copy of the finished study's folder, whose coalitions need no evaluation."""
    return copy_studies(home, tmp_path_factory.mktemp("retrained"))


def run(place, *overrides):
    return run_in(place, micro_study(f"game.retrainings={RETRAINED}", *overrides))


@pytest.fixture(scope="module")
def retrained(place):
    return run(place)


def ledger_of(result):
    exact = study_with(result.study, RETRAINING)
    return Ledger(StudyFolders(result.folders.root, exact, result.folders.digest).ledger)


@pytest.mark.slow
def test_values_are_those_of_retraining(retrained):
    cheap = UtilityTable.from_csv(retrained.report / "coalitions.csv")
    exact = UtilityTable.from_csv(retrained.report / "retrainings.csv")
    headline = retrained.headline
    assert headline.estimator == "two_level"
    again = two_level(cheap, exact, 0, property=headline.property, resamples=20)
    assert (again.values == headline.values).all()
    measured = exact.select(headline.property)
    full = measured.coalitions.all(axis=1)
    assert headline.v_full == pytest.approx(measured.utilities[full].mean())
    assert headline.values.sum() == pytest.approx(headline.v_full - headline.v_empty)
    assert headline.diagnostics["exact_evaluations"] == MADE
    assert headline.diagnostics["paired"] == RETRAINED
    assert set(retrained.reliability) == set(retrained.values)


@pytest.mark.slow
def test_every_retraining_is_a_run_beside_the_coalitions(retrained, place):
    mlflow.set_tracking_uri(f"sqlite:///{place / 'mlflow.db'}")
    client = mlflow.MlflowClient()
    parent = client.get_run(retrained.parent_run_id)
    runs = client.search_runs([parent.info.experiment_id], max_results=1000)
    roles = collections.Counter(run.data.tags["credit.role"] for run in runs)
    assert roles["retrain"] == MADE
    assert roles["coalition"] == EVALUATIONS
    keys = [run.data.tags.get("credit.coalition_key") for run in runs]
    keys = [key for key in keys if key]
    assert len(set(keys)) == len(keys)
    assert parent.data.metrics["reliability/misallocation"] >= 0
    assert parent.data.tags["credit.reliability"].startswith(("0", "1", "2", "3", "4", "5"))


@pytest.mark.slow
def test_the_report_rests_on_both_tables(retrained):
    check_manifest(retrained.report)
    for name in ("report.md", "report.html"):
        text = (retrained.report / name).read_text("utf-8")
        assert "retrainings.csv" in text
        assert "trained from scratch" in text
        assert "how far this way of measuring is from training every model anew" not in text


@pytest.mark.slow
def test_retrainings_serve_other_prunings_and_are_never_made_twice(retrained, place):
    before = ledger_of(retrained).evaluations
    assert len(before) == MADE
    other = run(place, "pruning.ratio=0.3", "game.budget=12")
    assert ledger_of(other).path == ledger_of(retrained).path
    assert ledger_of(other).evaluations == before
    assert other.folders.table != retrained.folders.table


def settings(**changes):
    return GameSettings().model_copy(update=changes)


def test_no_retrainings_are_planned_unless_asked_for():
    assert plan_retrainings(8, settings(), 0) == ()
    plan = plan_retrainings(8, settings(budget=48, retrainings=20), 0)
    assert len({planned.coalition for planned in plan}) == 20
    assert collections.Counter(p.coalition for p in plan)["1" * 8] == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"retrainings": 5}, "game.retrainings: 5 is outside 10..48"),
        ({"retrainings": 60}, "game.retrainings: 60 is outside 10..48"),
        ({"retrainings": 20, "utility": "retraining"}, "every coalition is retrained; use 0"),
    ],
)
def test_retrainings_that_cannot_be_used(changes, message):
    with pytest.raises(InputError, match=message):
        plan_retrainings(8, settings(budget=48, **changes), 0)
