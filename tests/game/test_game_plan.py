"""Plans: a design, its borders measured more than once, and repeats that price noise."""

import pytest

from credit_plugin.config import GameSettings
from credit_plugin.errors import InputError
from credit_plugin.game import design, design_names, to_bits
from credit_plugin.game.plan import plan_evaluations


def plan(n, **settings):
    return [(e.coalition, e.repeat) for e in plan_evaluations(n, GameSettings(**settings), 3)]


def most(kind, n):
    return n + 2 if kind in ("leave_one_out", "add_one_in") else 40


@pytest.mark.parametrize("kind", design_names())
def test_borders_first_then_the_design_then_repeats(kind):
    n, budget = 10, most(kind, 10)
    planned = plan(n, design=kind, budget=budget, border_repeats=2, repeated_coalitions=3)
    empty, full = "0" * n, "1" * n
    assert planned[:4] == [(empty, 0), (full, 0), (empty, 1), (full, 1)]
    inner = [to_bits(row) for row in design(n, budget, kind, 3)[2:]]
    assert [bits for bits, _ in planned[4 : budget + 2]] == inner
    assert 1 <= len(planned[budget + 2 :]) <= 3
    assert {bits for bits, _ in planned[budget + 2 :]} <= set(inner)


@pytest.mark.parametrize("kind", design_names())
def test_no_evaluation_is_planned_twice_and_repeats_are_numbered(kind):
    planned = plan(10, design=kind, budget=most(kind, 10))
    for bits in {bits for bits, _ in planned}:
        repeats = [repeat for other, repeat in planned if other == bits]
        assert repeats == list(range(len(repeats)))


@pytest.mark.parametrize("kind", design_names())
def test_a_larger_budget_keeps_every_evaluation_of_a_smaller_one(kind):
    for n in (4, 10):
        largest = min(most(kind, n), 2**n if kind != "fixed_size" else 8)
        whole = set(plan(n, design=kind, budget=largest))
        for budget in range(4, largest):
            assert set(plan(n, design=kind, budget=budget)) <= whole


def test_what_independent_draws_repeat_is_evaluated_again():
    planned = plan(4, design="shapley_iid", budget=16, repeated_coalitions=0, border_repeats=1)
    assert len(planned) == 16
    assert len({bits for bits, _ in planned}) < 16


def test_leave_one_out_is_planned_whole():
    planned = plan(12, design="leave_one_out", budget=14)
    once = [bits for bits, repeat in planned if repeat == 0]
    assert sorted(once) == sorted(
        ["0" * 12, "1" * 12, *("1" * i + "0" + "1" * (11 - i) for i in range(12))]
    )


def test_the_size_of_fixed_size_is_that_of_the_settings():
    planned = plan(10, design="fixed_size", coalition_size=3, budget=20)
    assert {bits.count("1") for bits, _ in planned} == {0, 3, 10}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"design": "leave_one_out"}, "game.budget: 48 is more than the 14 coalitions of design"),
        ({"design": "add_one_in", "budget": 15}, "game.budget: 15 is more than the 14 coalitions"),
        ({"budget": 5000}, "game.budget: 5000 is more than the 4096 coalitions of 12 contributors"),
        ({"design": "fixed_size", "coalition_size": 1}, "use 14 or less"),
        ({"design": "leave_one"}, "game.design: 'leave_one' is not a design; did you mean leave_o"),
        ({"coalition_size": 3}, "game.coalition_size: design paired_border has no such setting"),
        (
            {"design": "fixed_size", "coalition_size": 12},
            "game.coalition_size: 12 must be below the number of contributors, 12",
        ),
    ],
)
def test_what_cannot_be_planned_names_the_setting(settings, message):
    with pytest.raises(InputError) as caught:
        plan(12, **settings)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_coalitions_of_seventeen_contributors_are_refused():
    with pytest.raises(InputError, match=r"game\.design: exact is for at most 16 .* are 17"):
        plan(17, design="exact")
