"""Methods that read scores off coalitions: games with known answers, plans, duplicates."""

import importlib
import inspect
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credit_plugin.config import load_study
from credit_plugin.errors import InputError
from credit_plugin.fidelity.attribution import (
    GameAttribution,
    ImageAttribution,
    attribution_names,
    get_attribution,
)
from credit_plugin.game import UtilityTable, from_bits
from credit_plugin.game.plan import plan_evaluations
from credit_plugin.game.toys import AdditiveGame, AirportGame, GloveGame, SaturatingGame
from credit_plugin.retrainings import plan_retrainings

UTILITIES = {
    "leave_one_out": None,
    "add_one_in": None,
    "banzhaf": None,
    "datamodel": None,
    "leave_one_out_retraining": "retraining",
    "add_one_in_retraining": "retraining",
    "retraining_shapley": "retraining",
    "finetuning_shapley": "finetuning",
}
LEAVING = ["leave_one_out", "leave_one_out_retraining"]
ADDING = ["add_one_in", "add_one_in_retraining"]
SHAPLEY = ["retraining_shapley", "finetuning_shapley"]
GAMES = [
    AdditiveGame([3.0, -1.0, 0.0, 2.0], base=5.0),
    AirportGame([1.0, 4.0, 2.0, 4.0]),
    GloveGame(1, 3),
    SaturatingGame([1, 2, 3, 4], scale=4.0),
]


class ListedGame:
    """A game that is a list of its 2^n utilities."""

    def __init__(self, utilities):
        self.utilities = np.array(utilities)
        self.n_players = len(utilities).bit_length() - 1

    def __call__(self, coalitions):
        return self.utilities[np.asarray(coalitions) @ (1 << np.arange(self.n_players))]


listed_games = st.integers(2, 4).flatmap(
    lambda n: st.lists(st.floats(-10, 10), min_size=2**n, max_size=2**n).map(ListedGame)
)


def study_with(*overrides):
    return load_study("digits", overrides=overrides)


def evaluated(plan, game):
    rows = np.array([from_bits(planned.coalition) for planned in plan])
    repeats = np.array([planned.repeat for planned in plan])
    return UtilityTable.from_arrays(rows, game(rows), repeats=repeats)


def own_plan(n_players, study):
    budget = min(study.game.budget, 2**n_players)
    return plan_evaluations(n_players, study.game.model_copy(update={"budget": budget}), study.seed)


def scores(method, game, *overrides):
    """Return what a method says of a game, from the evaluations that it plans."""
    attribution, study = get_attribution(method), study_with(*overrides)
    plan = attribution.plan(game.n_players, study, own_plan(game.n_players, study))
    found = attribution.read(evaluated(plan, game), study.seed)
    assert found.shape == (game.n_players,)
    assert found.dtype == np.float64
    return found


def gains(game, player):
    """Return for each coalition of the others its size and what the player adds to it."""
    n = game.n_players
    others = np.array([s for s in product([False, True], repeat=n) if not s[player]])
    joined = others.copy()
    joined[:, player] = True
    return others.sum(axis=1), game(joined) - game(others)


@pytest.mark.parametrize("method", LEAVING)
@given(game=listed_games)
@settings(max_examples=20, deadline=None)
def test_leaving_is_what_a_player_adds_to_all_others(method, game):
    expected = [gains(game, player)[1][-1] for player in range(game.n_players)]
    assert scores(method, game) == pytest.approx(np.array(expected), abs=1e-9)


@pytest.mark.parametrize("method", ADDING)
@given(game=listed_games)
@settings(max_examples=20, deadline=None)
def test_adding_is_what_a_player_adds_to_nobody(method, game):
    expected = [gains(game, player)[1][0] for player in range(game.n_players)]
    assert scores(method, game) == pytest.approx(np.array(expected), abs=1e-9)


def test_leaving_and_adding_on_textbook_games():
    assert scores("leave_one_out", GloveGame(1, 2)).tolist() == [1, 0, 0]
    assert scores("add_one_in", GloveGame(1, 2)).tolist() == [0, 0, 0]
    # a runway of 5 is needed by one, so only that one is missed; alone, everyone needs all
    assert scores("leave_one_out", AirportGame([1.0, 3.0, 5.0])) == pytest.approx([0, 0, 2])
    assert scores("add_one_in", AirportGame([1.0, 3.0, 5.0])) == pytest.approx([1, 3, 5])


@pytest.mark.parametrize("game", GAMES)
def test_banzhaf_of_all_coalitions_is_the_mean_gain(game):
    found = scores("banzhaf", game, "game.budget=16")
    expected = [gains(game, player)[1].mean() for player in range(4)]
    assert found == pytest.approx(np.array(expected), abs=1e-9)


def test_banzhaf_of_the_glove_game_by_hand():
    # left is matched unless both rights are away, a right if left is there and the other away
    found = scores("banzhaf", GloveGame(1, 2), "game.budget=8")
    assert found == pytest.approx([3 / 4, 1 / 4, 1 / 4])


@pytest.mark.parametrize("game", GAMES)
def test_datamodel_of_all_coalitions_is_the_mean_gain_shrunk(game):
    found = scores("datamodel", game, "game.budget=16")
    banzhaf = scores("banzhaf", game, "game.budget=16")
    length = found @ banzhaf / (banzhaf @ banzhaf)
    assert found == pytest.approx(length * banzhaf, abs=1e-9)
    assert 0.3 < length <= 1 + 1e-9


def test_datamodel_of_an_additive_game_finds_the_worths_from_some_coalitions():
    worths = np.array([3.0, -1, 0, 2, 7, 1, 1, 4])
    found = scores("datamodel", AdditiveGame(worths), "game.budget=40")
    assert found == pytest.approx(worths, abs=0.02)


@pytest.mark.parametrize("method", SHAPLEY)
@pytest.mark.parametrize("game", GAMES)
def test_shapley_of_all_coalitions_is_exact(method, game):
    found = scores(method, game, "game.budget=16", "fidelity.shapley_budget=16")
    assert found == pytest.approx(game.shapley(), abs=1e-9)


@pytest.mark.parametrize("method", SHAPLEY)
def test_shapley_of_an_additive_game_is_exact_at_the_usual_budget(method):
    worths = np.array([3.0, -1, 0, 2, 7, 1, 1, 4])
    assert scores(method, AdditiveGame(worths)) == pytest.approx(worths, abs=0.02)


@pytest.mark.parametrize("method", SHAPLEY)
@pytest.mark.parametrize(
    ("n", "budget", "shapley_budget", "design", "planned"),
    [
        (8, 40, 0, "paired_border", 32),  # four for each
        (12, 40, 0, "paired_border", 40),  # not more than the study's own
        (50, 40, 0, "paired_border", 52),  # everybody has to be in some
        (8, 40, 100, "paired_border", 100),  # as asked for, even beyond the study's own
        (8, 40, 5, "paired_border", 10),
        (3, 8, 0, "paired_border", 8),  # no more than there are
        (2, 4, 0, "paired_border", 4),
        (6, 20, 500, "fixed_size", 22),  # the design has 20 coalitions and the two borders
        (6, 8, 0, "leave_one_out", 8),
    ],
)
def test_shapley_takes_the_budget_that_can_be_had(
    method, n, budget, shapley_budget, design, planned
):
    study = study_with(
        f"game.budget={budget}",
        f"fidelity.shapley_budget={shapley_budget}",
        f"game.design={design}",
    )
    plan = get_attribution(method).plan(n, study, ())
    assert len(plan) == planned
    assert len({p.coalition for p in plan}) == planned
    assert {p.repeat for p in plan} == {0}
    assert [p.coalition for p in plan[:2]] == ["0" * n, "1" * n]


def test_a_size_of_coalitions_is_kept_by_shapley_and_ignored_by_single_contributors():
    study = study_with("game.design=fixed_size", "game.coalition_size=2", "game.budget=12")
    shapley = get_attribution("retraining_shapley").plan(6, study, ())
    assert {p.coalition.count("1") for p in shapley} == {0, 2, 6}
    leaving = get_attribution("leave_one_out").plan(6, study, ())
    assert sorted(p.coalition.count("1") for p in leaving) == [0, 5, 5, 5, 5, 5, 5, 6]


@pytest.mark.parametrize("method", ["banzhaf", "datamodel"])
def test_the_study_s_own_coalitions_are_read_again(method):
    study = study_with("game.budget=20")
    plan = get_attribution(method).plan(8, study, own_plan(8, study))
    assert plan == plan_evaluations(8, study.game, study.seed)


def test_retrainings_of_a_two_level_study_are_used_again():
    study = study_with("game.retrainings=16")
    shared = {p.coalition for p in plan_retrainings(8, study.game, study.seed)}
    shapley = {p.coalition for p in get_attribution("retraining_shapley").plan(8, study, ())}
    assert len(shared) == 16
    assert shared <= shapley


@pytest.mark.parametrize("method", [*LEAVING, *ADDING])
def test_a_lost_coalition_is_an_error(method):
    attribution = get_attribution(method)
    plan = attribution.plan(4, study_with(), ())
    rest = evaluated(plan[:-1], GAMES[0])
    with pytest.raises(InputError, match="coalition"):
        attribution.read(rest, 0)


@pytest.mark.parametrize(("method", "utility"), UTILITIES.items())
@pytest.mark.parametrize("own", ["sparsified_finetuning", "finetuning", "retraining"])
def test_what_the_study_s_own_utility_says_already_is_not_done_again(method, utility, own):
    attribution = get_attribution(method)
    assert attribution.utility == utility
    said = attribution.unavailable(study_with(f"game.utility={own}"))
    if utility == own:
        same = "the study's own values" if method in SHAPLEY else method.removesuffix("_retraining")
        assert f"game.utility is {own}, so it would repeat {same}" in said
    else:
        assert said is None


def test_every_method_has_a_title_of_its_own_and_a_note_with_a_source():
    titles = {}
    for name in attribution_names():
        attribution = get_attribution(name)
        assert isinstance(attribution, ImageAttribution | GameAttribution)
        note = importlib.import_module(type(attribution).__module__).__doc__
        assert "Source" in note
        assert inspect.getdoc(type(attribution))
        titles[name] = attribution.title
    assert set(UTILITIES) <= set(titles)
    assert all(titles.values())
    assert len(set(titles.values())) == len(titles)
