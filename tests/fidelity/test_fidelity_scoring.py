"""What scores of image methods are kept by, and which evaluations game methods read."""

from types import SimpleNamespace

import pytest

from credit_plugin.config import load_study
from credit_plugin.fidelity.attribution import get_attribution
from credit_plugin.fidelity.scoring import Scoring, scores_identity
from credit_plugin.game.grouping import Grouping
from credit_plugin.game.plan import Groups, plan_evaluations
from credit_plugin.game.utilities import get_utility


def identity(*overrides, method="random_order"):
    return scores_identity(load_study("digits", overrides=overrides), get_attribution(method))


@pytest.mark.parametrize(
    "override",
    [
        "fidelity.random_orders=4",
        "fidelity.images_each=5",
        "fidelity.timesteps=1",
        "fidelity.damping=1",
        "sampling.steps=3",
        "properties.headline=diversity",
    ],
)
def test_what_an_image_method_looks_at_changes_its_scores(override):
    assert identity(override) != identity()


@pytest.mark.parametrize(
    "override",
    [
        "fidelity.coalitions=5",
        "fidelity.alphas=0.5",
        "fidelity.methods=trak",
        "fidelity.removals=0.2",
        "properties.observers={inception: {path: elsewhere}}",
        "execution.workers=1",
    ],
)
def test_what_tests_it_does_not(override):
    assert identity(override) == identity()


def test_a_file_of_weights_counts_by_its_content(tmp_path):
    weights = tmp_path / "clip.safetensors"
    chosen = f"fidelity.clip_weights={weights}"
    weights.write_bytes(b"one")
    one = identity(chosen, method="clip_similarity")
    weights.write_bytes(b"two")
    assert identity(chosen, method="clip_similarity") != one
    weights.write_bytes(b"one")
    assert identity(chosen, method="clip_similarity") == one


@pytest.mark.parametrize("method", ["banzhaf", "datamodel"])
def test_methods_that_read_the_studys_table_ask_for_its_own_plan(method, monkeypatch):
    """That of its groups, or of the rounds before it stopped: nothing is evaluated for them."""
    study = load_study("digits", overrides=[f"fidelity.methods={method}", "game.budget=24"])
    names = [f"c{i}" for i in range(8)]
    grouping = Grouping.of(names, {name: f"G{i // 2}" for i, name in enumerate(names)})
    plan = plan_evaluations(8, study.game, study.seed, Groups(grouping, "nested"))
    evaluated, utility = [], get_utility(study.game.utility)
    evaluator = SimpleNamespace(run=lambda asked, _: evaluated.extend(asked))
    session = SimpleNamespace(
        study=study,
        plan=plan,
        utility=utility,
        dataset=SimpleNamespace(n_contributors=8),
        games=SimpleNamespace(evaluator=lambda _: evaluator),
    )
    scoring = Scoring(session)
    monkeypatch.setattr(scoring, "_read", lambda *_: None)
    scoring.games()
    assert scoring.skipped == {}
    assert set(evaluated) == set(plan)
