"""Trials that are stopped early, and those that are not."""

import numpy as np
import pytest

from credit_plugin.config import TuningSettings
from credit_plugin.errors import InputError, StudyFailedError
from credit_plugin.tuning.attempt import Attempt
from credit_plugin.tuning.judging import OVER_LIMIT, why_stop
from credit_plugin.tuning.trial import COMPLETE, FAILED, Trial

TRUTH = np.arange(6.0)[:, None] + np.array([0.0, 0.1])
GOOD, BAD = tuple(TRUTH.mean(1)), (3.0, 1.0, 5.0, 0.0, 4.0, -2.0)


def trial(number, said, seconds, own=False):
    return Trial(number, {}, COMPLETE, own, said=said, seconds=seconds, flops=seconds * 1e9)


def judged(begun, *rivals, **settings):
    return why_stop(begun, rivals, TRUTH, TuningSettings(**settings), seed=0)


@pytest.mark.parametrize("kind", [InputError, StudyFailedError])
def test_parameters_that_a_worker_refuses_end_a_trial_and_not_the_search(monkeypatch, kind):
    def refuse(attempt, begun):
        raise kind("pruning.ratio: too much")

    monkeypatch.setattr(Attempt, "_make_models", refuse)
    attempt = object.__new__(Attempt)  # a whole one needs a study that has been run
    ended = attempt.run(trial(1, (), 0.0), ("01", "10"), 1, judged)
    assert (ended.state, ended.reason) == (FAILED, "pruning.ratio: too much")


def test_a_trial_that_is_clearly_worse_than_a_cheaper_one_is_stopped():
    better = trial(3, (*GOOD, 9.0, 9.0), 1.0)  # it has evaluated more coalitions than these
    assert judged(trial(5, BAD, 1.0), better) == ("clearly worse than trial 3, which costs no more")


def test_a_trial_that_is_cheaper_than_all_better_ones_goes_on():
    assert judged(trial(5, BAD, 0.9), trial(3, GOOD, 1.0)) == ""


def test_a_trial_that_is_better_or_alike_goes_on():
    assert judged(trial(5, GOOD, 1.0), trial(3, BAD, 1.0)) == ""
    assert judged(trial(5, GOOD, 1.0), trial(3, GOOD, 1.0)) == ""


def test_the_studys_own_settings_always_go_on():
    assert judged(trial(7, BAD, 9.0, own=True), trial(3, GOOD, 1.0)) == ""
    assert judged(trial(7, BAD, 9.0, own=True), trial(3, GOOD, 1.0), cost_limit=1.0) == ""


def test_under_a_limit_cost_is_no_excuse_and_more_than_it_is_too_much():
    words = "clearly worse than trial 3, which is within the limit"
    assert judged(trial(5, BAD, 0.1), trial(3, GOOD, 1.0), cost_limit=2.0) == words
    assert judged(trial(5, GOOD, 2.5), trial(3, BAD, 1.0), cost_limit=2.0) == OVER_LIMIT


@pytest.mark.parametrize(("unit", "limit"), [("seconds", 2.0), ("flops", 2e9)])
def test_the_limit_is_in_the_unit_of_cost(unit, limit):
    assert judged(trial(5, GOOD, 1.9), cost=unit, cost_limit=limit) == ""
    assert judged(trial(5, GOOD, 2.1), cost=unit, cost_limit=limit) == OVER_LIMIT
