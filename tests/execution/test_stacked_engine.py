"""The stacked engine: groups of what can be done together, and one by one what cannot."""

import logging
from dataclasses import dataclass

import pytest

from credit_plugin.config import ExecutionSettings
from credit_plugin.execution.engine import Job, create_engine
from credit_plugin.testing import EngineSuite
from credit_plugin.testing.engine_jobs import JoiningTrialFactory
from credit_plugin.testing.engine_suite import squares


class TestStackedWithoutStacks(EngineSuite):
    engine = "stacked"


class TestStacked(EngineSuite):
    engine = "stacked"
    factory = JoiningTrialFactory()


@dataclass(frozen=True)
class Counting(JoiningTrialFactory):
    """Says with every result how many were done together."""

    def _run(self, payload, report):
        found = super()._run(payload, report)
        if "members" in payload:
            return [{"result": len(found)} for _ in found]
        return found if "capacity" in payload else 1


def together(count, factory, **stack):
    settings = ExecutionSettings(engine="stacked", workers=2, stack=stack)
    with create_engine(settings) as engine:
        found = list(engine.run(factory, squares(count)))
    assert sorted(int(o.job.key) for o in found) == list(range(count))
    return sorted(o.result for o in found)


def test_groups_are_as_large_as_fits_and_leave_no_worker_idle():
    assert together(10, Counting(size=4)) == [1, *[3] * 9]
    assert together(6, Counting(size=64)) == [3] * 6
    assert together(2, Counting(size=64)) == [1, 1]


def test_the_settings_decide_before_the_worker():
    assert together(6, Counting(size=64), size=2) == [2] * 6


def test_what_cannot_be_stacked_is_run_one_by_one_and_says_so(caplog):
    with caplog.at_level(logging.WARNING):
        assert together(6, Counting(size=1, reason="no rule for dropout")) == [1] * 6
    assert "coalitions are trained one at a time: no rule for dropout" in caplog.text


def test_a_group_that_fails_as_a_whole_says_why_and_its_members_are_tried_alone(caplog):
    jobs = [*squares(3), Job("bad", {"x": 3, "do": "die"})]
    with create_engine(ExecutionSettings(engine="stacked", workers=1)) as engine:
        found = {o.job.key: o for o in engine.run(JoiningTrialFactory(), jobs)}
    assert [found[str(i)].result for i in range(3)] == [0, 1, 4]
    assert "ended with code -9" in found["bad"].error
    assert "4 coalitions are tried one at a time: worker lost" in caplog.text


def test_a_member_that_fails_is_tried_alone_and_the_others_keep_their_results():
    jobs = [*squares(7), Job("bad", {"x": 3, "do": "raise"})]
    with create_engine(ExecutionSettings(engine="stacked", workers=1)) as engine:
        found = {o.job.key: o for o in engine.run(JoiningTrialFactory(), jobs)}
    assert [found[str(i)].result for i in range(7)] == [i * i for i in range(7)]
    assert found["bad"].error.startswith("ValueError: this one cannot be done")


def test_progress_is_that_of_every_member():
    seen = []
    with create_engine(ExecutionSettings(engine="stacked", workers=1)) as engine:
        report = lambda job, done, total: seen.append((job.key, done, total))  # noqa: E731
        list(engine.run(JoiningTrialFactory(), squares(4), report))
    assert {key for key, _, _ in seen} == {"0", "1", "2", "3"}


@pytest.mark.parametrize("count", [0, 1])
def test_there_is_nothing_to_join_in_one_job(count):
    assert together(count, Counting(size=1)) == [1] * count
