"""Lines of progress: what is done, and the time that is left, by the pace of late."""

import io

import pytest
from rich.console import Console

from credit_plugin import progress
from credit_plugin.progress import ProgressDisplay


@pytest.fixture
def clock(monkeypatch):
    """The time, which only the test moves on."""
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def lines(clock, total, updates, done=0):
    """Return what a log shows of a phase: ``updates`` are (seconds since the last, units done)."""
    shown = io.StringIO()
    with ProgressDisplay(Console(file=shown, width=200)) as display:
        display.phase("frozen parts", total, done)
        for seconds, units in updates:
            clock[0] += seconds
            display.update(units)
        display.finish()
    return shown.getvalue().splitlines()


def test_a_line_says_what_is_done_and_how_long_the_rest_takes(clock):
    assert lines(clock, 100, [(10, 20), (5, 30), (5, 40), (10, 60)]) == [
        "frozen parts: 100 steps",
        "frozen parts: 20/100 steps, 20%, 0:40 left",
        "frozen parts: 40/100 steps, 40%, 0:30 left",
        "frozen parts: 60/100 steps, 60%, 0:20 left",
        "frozen parts: done in 0:30",
    ]


def test_work_that_was_done_before_is_no_sign_of_speed(clock):
    start, line, _ = lines(clock, 100, [(10, 60)], done=50)
    assert start == "frozen parts: 100 steps, 50 done before"
    assert line == "frozen parts: 60/100 steps, 60%, 0:40 left"


def test_time_left_follows_units_that_cost_more_than_the_first_ones(clock):
    quick = [(10, 400), (10, 800)]
    slow = [(10, 800 + 10 * n) for n in range(1, 11)]
    shown = lines(clock, 1000, quick + slow)
    left = [line.rpartition(", ")[2].removesuffix(" left") for line in shown[1:-1]]
    assert left[:2] == ["0:15", "0:05"]  # what nobody can know yet
    assert left[-3:] == ["2:00", "1:50", "1:40"]  # all by the pace of the slow ones


def test_nothing_is_foretold_of_work_that_stands_still(clock):
    assert lines(clock, 10, [(10, 0)])[1] == "frozen parts: 0/10 steps, 0%, ? left"
