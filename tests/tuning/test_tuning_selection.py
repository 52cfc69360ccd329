"""The Pareto front and the rules of choice, on trials made up of numbers."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_plugin.config import TuningSettings
from credit_plugin.errors import StudyFailedError
from credit_plugin.tuning.selection import RULES, choose, pareto_front, rule_in_words
from credit_plugin.tuning.smoothing import expected_fidelities
from credit_plugin.tuning.trial import COMPLETE, FAILED, STOPPED, Trial

NUMBERS = st.floats(0.01, 0.99, allow_nan=False)
TRIALS = st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=12).map(
    lambda rows: [trial(k, *row) for k, row in enumerate(rows)]
)


def trial(number, fidelity, seconds, error=0.0, state=COMPLETE, flops=None):
    return Trial(
        number,
        {},
        state,
        fidelity=fidelity,
        error=error,
        seconds=seconds,
        flops=seconds if flops is None else flops,
    )


STAIRS = [
    trial(0, 0.90, 4.0, 0.05),
    trial(1, 0.87, 2.0, 0.05),
    trial(2, 0.80, 1.0, 0.05),
    trial(3, 0.86, 3.0, 0.05),
    trial(4, 0.99, 0.5, 0.05, state=STOPPED),
    trial(5, 0.99, 0.5, 0.05, state=FAILED),
]


def test_the_front_leaves_out_what_is_dominated_or_was_not_evaluated_whole():
    assert [t.number for t in pareto_front(STAIRS, "seconds")] == [2, 1, 0]


def test_of_equal_trials_the_first_one_counts():
    same = [trial(3, 0.9, 1.0), trial(1, 0.9, 1.0), trial(2, 0.9, 2.0)]
    assert [t.number for t in pareto_front(same, "seconds")] == [1]


@given(TRIALS)
def test_no_trial_dominates_the_front_and_the_front_dominates_the_rest(trials):
    front = pareto_front(trials, "seconds")
    assert front
    for member in front:
        for other in trials:
            better = other.fidelity > member.fidelity and other.seconds <= member.seconds
            cheaper = other.fidelity >= member.fidelity and other.seconds < member.seconds
            assert not better
            assert not cheaper
    for other in trials:
        assert any(m.fidelity >= other.fidelity and m.seconds <= other.seconds for m in front)


def test_one_standard_error_below_the_best_is_as_good():
    assert choose(STAIRS, TuningSettings(rule="one_standard_error")).number == 1


def test_within_a_stated_distance_of_the_best():
    by_distance = {0.01: 0, 0.04: 1, 0.2: 2}
    for within, number in by_distance.items():
        assert choose(STAIRS, TuningSettings(rule="within", within=within)).number == number


@given(TRIALS, st.sampled_from(["one_standard_error", "within"]))
def test_the_choice_is_on_the_front_good_enough_and_the_cheapest_of_those(trials, rule):
    settings = TuningSettings(rule=rule, within=0.1)
    chosen, front = choose(trials, settings), pareto_front(trials, "seconds")
    best = max(trials, key=lambda t: (t.fidelity, -t.seconds, -t.number))
    bar = best.fidelity - (best.error if rule == "one_standard_error" else 0.1)
    assert chosen in front
    assert chosen.fidelity >= bar
    assert all(t.seconds >= chosen.seconds for t in trials if t.fidelity >= bar)


def test_nothing_dearer_than_the_studys_own_settings_is_chosen():
    trials = [replace(STAIRS[1], own=True), *STAIRS[:1], *STAIRS[2:]]
    assert choose(trials, TuningSettings()).number == 1
    assert choose([replace(STAIRS[3], own=True), *STAIRS[:3]], TuningSettings()).number == 1
    failed = replace(STAIRS[5], own=True)
    assert choose([*STAIRS[:5], failed], TuningSettings()).number == 0


@given(TRIALS, st.data())
def test_the_default_choice_costs_no_more_and_is_the_best_of_those_by_expectation(trials, data):
    own = data.draw(st.integers(0, len(trials) - 1))
    trials[own] = replace(trials[own], own=True)
    chosen = choose(trials, TuningSettings())
    assert chosen.seconds <= trials[own].seconds
    expected = expected_fidelities(trials)
    allowed = [t for t in trials if t.seconds <= trials[own].seconds]
    assert expected[chosen.number] == max(expected[t.number] for t in allowed)


def test_the_cost_may_be_counted_operations():
    trials = [trial(0, 0.9, 1.0, flops=9e9), trial(1, 0.9, 2.0, flops=3e9)]
    for rule in RULES:
        assert choose(trials, TuningSettings(cost="seconds", rule=rule)).number == 0
        assert choose(trials, TuningSettings(cost="flops", rule=rule)).number == 1


def test_a_limit_rules_out_what_costs_more():
    for rule in RULES:
        limited = TuningSettings(cost_limit=1.5, rule=rule)
        assert choose(STAIRS, limited).number == 2
        assert "at most 1.5 seconds" in rule_in_words(limited)
    with pytest.raises(StudyFailedError, match="no trial was evaluated whole"):
        choose(STAIRS, TuningSettings(cost_limit=0.1))


def test_nothing_can_be_chosen_from_failures():
    with pytest.raises(StudyFailedError, match="nothing to choose from"):
        choose([trial(0, 0.9, 1.0, state=FAILED)], TuningSettings())


def test_a_record_gives_the_trial_back():
    whole = Trial(4, {"a": 1}, STOPPED, True, "too slow", (0.5, 0.25), seconds=1.5, run_id="abc")
    again = Trial.from_record(4, {"a": 1}, whole.record())
    assert again.record() == whole.record()
    assert again.said == whole.said
    assert again.own
    assert again.fidelity != again.fidelity  # nan, which no JSON has
