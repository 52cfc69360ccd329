"""Which coalitions are tested on: of one size, distinct, and never those that a method rests on."""

import pytest
from hypothesis import given
from hypothesis import settings as tried
from hypothesis import strategies as st

from credit_plugin.config import FidelitySettings, load_study
from credit_plugin.errors import InputError
from credit_plugin.fidelity.reference import (
    METHOD_REPEATS,
    TestSet,
    distinct,
    draw_test_sets,
    rests_on,
    untested,
)
from credit_plugin.game.plan import PlannedEvaluation


def settings(**changes):
    return FidelitySettings(**changes)


@tried(max_examples=30, deadline=None)
@given(n=st.integers(4, 30), count=st.integers(4, 60), seed=st.integers(0, 5))
def test_test_coalitions_are_distinct_and_of_one_size(n, count, seed):
    for test in draw_test_sets(n, settings(coalitions=count), seed):
        assert len(set(test.coalitions)) == len(test.coalitions) <= count
        assert {bits.count("1") for bits in test.coalitions} == {test.size}
        assert {len(bits) for bits in test.coalitions} == {n}
        assert test.members.sum() == test.size * len(test.coalitions)


def test_alphas_become_sizes_and_those_of_one_size_are_tested_once():
    sets = draw_test_sets(12, settings(alphas=(0.25, 0.5, 0.51, 0.75)), 0)
    assert [(test.alpha, test.size) for test in sets] == [(0.25, 3), (0.5, 6), (0.75, 9)]


def test_few_contributors_have_few_coalitions():
    sets = draw_test_sets(8, settings(alphas=(0.25, 0.5)), 0)
    assert [len(test.coalitions) for test in sets] == [28, 40]
    with pytest.raises(InputError, match=r"fidelity\.alphas: 3 contributors have"):
        draw_test_sets(3, settings(), 0)


def test_a_larger_test_set_begins_with_the_smaller_one():
    few, many = (draw_test_sets(12, settings(coalitions=c), 3) for c in (10, 40))
    for small, large in zip(few, many, strict=True):
        assert large.coalitions[:10] == small.coalitions
    assert draw_test_sets(12, settings(), 4)[0].coalitions != many[0].coalitions


def test_coalitions_that_values_rest_on_are_not_tested():
    usual = draw_test_sets(12, settings(coalitions=10), 0)
    avoid = set(usual[1].coalitions[:3])
    other = draw_test_sets(12, settings(coalitions=10), 0, avoid)
    assert not avoid & set(other[1].coalitions)
    assert other[1].coalitions[:7] == usual[1].coalitions[3:]
    assert len(other[1].coalitions) == 10
    assert other[0] == usual[0]


def test_plans_go_seed_by_seed_and_methods_have_seeds_of_their_own():
    test = TestSet(0.5, 1, ("01", "10"))
    plan = test.plan(2)
    assert [(p.coalition, p.repeat) for p in plan] == [("01", 0), ("10", 0), ("01", 1), ("10", 1)]
    apart = untested(plan, "retraining", ())
    assert [p.repeat for p in apart] == [METHOD_REPEATS, METHOD_REPEATS] + 2 * [METHOD_REPEATS + 1]
    assert not set(apart) & set(plan)
    assert distinct([plan, (PlannedEvaluation("11", 0), *plan)]) == (
        *plan,
        PlannedEvaluation("11", 0),
    )


def test_methods_that_do_not_retrain_or_that_the_study_retrained_itself_keep_their_seeds():
    plan = TestSet(0.5, 1, ("01", "10")).plan(1)
    assert untested(plan, "sparsified_finetuning", ()) == plan
    assert untested(plan, "retraining", (*plan, PlannedEvaluation("11", 0))) == plan
    assert untested(plan, "retraining", plan[:1]) != plan


@pytest.mark.parametrize("override", ["game.retrainings=16", "game.utility=retraining"])
def test_a_study_that_retrains_is_not_tested_on_what_it_retrained(override):
    study = load_study("digits", overrides=[override, "game.budget=16"])
    known = rests_on(study, 8)
    assert len(known) == 16
    assert rests_on(load_study("digits"), 8) == frozenset()
    for test in draw_test_sets(8, study.fidelity, study.seed, known):
        assert not known & set(test.coalitions)
