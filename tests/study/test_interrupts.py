"""Ctrl-C and SIGTERM reach the command, wherever the main thread was."""

import signal
import sys
import threading

import click
import pytest
from click.testing import CliRunner

from credit_plugin.cli import CreditGroup
from credit_plugin.interrupts import interruptible, raise_if_interrupted, uninterrupted
from credit_plugin.progress import ProgressDisplay

pytestmark = pytest.mark.usefixtures("hears_ctrl_c")


class SignalledWhenFreed:
    """Python cannot let an exception out of a finalizer."""

    def __init__(self, number):
        self.number = number

    def __del__(self):
        signal.raise_signal(self.number)


@click.group(cls=CreditGroup)
def group():
    pass


@group.command()
@click.argument("number", type=int)
def work(number):
    freed = SignalledWhenFreed(number)
    del freed
    click.echo("went on")
    with ProgressDisplay(quiet=True) as display:
        display.phase("work", 2)
        display.update(1)
    click.echo("came to its end")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_lost_in_a_finalizer_ends_the_command_at_the_next_progress(number, capfd):
    before = signal.getsignal(number)
    done = CliRunner().invoke(group, ["work", str(int(number))])
    assert done.exit_code == 130
    assert "went on" in done.output
    assert "came to its end" not in done.output
    assert "the same command goes on from there" in done.output
    assert "Exception ignored" not in done.output + capfd.readouterr().err
    assert signal.getsignal(number) == before


def test_other_failures_of_finalizers_are_still_shown(monkeypatch):
    shown = []
    monkeypatch.setattr(sys, "unraisablehook", shown.append)

    class Fails:
        def __del__(self):
            raise ValueError("mine")

    with interruptible():
        failing = Fails()
        del failing
    assert [str(lost.exc_value) for lost in shown] == ["mine"]


def test_one_command_does_not_end_the_next():
    with pytest.raises(KeyboardInterrupt), interruptible():
        signal.raise_signal(signal.SIGINT)
    raise_if_interrupted()
    with interruptible():
        raise_if_interrupted()


def test_a_command_in_the_background_stays_deaf_to_ctrl_c():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interruptible():
        signal.raise_signal(signal.SIGINT)
        raise_if_interrupted()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_waits_for_the_end_of_a_step_that_must_be_whole(number):
    done = []

    @uninterrupted()
    def step(name):
        done.append(f"{name} begun")
        signal.raise_signal(number)
        done.append(f"{name} ended")

    @uninterrupted()
    def outer_step():
        step("inner")
        done.append("outer ended")

    with interruptible(), pytest.raises(KeyboardInterrupt):
        outer_step()
    assert done == ["inner begun", "inner ended", "outer ended"]


def test_a_second_interruption_does_not_wait():
    done = []

    @uninterrupted()
    @uninterrupted()
    def step():
        for press in ("first", "second"):
            signal.raise_signal(signal.SIGINT)
            done.append(press)

    with interruptible(), pytest.raises(KeyboardInterrupt):
        step()
    assert done == ["first"]


def test_what_answers_ctrl_c_outside_of_commands_answers_it_after_the_step():
    done = []

    @uninterrupted()
    def step():
        signal.raise_signal(signal.SIGINT)
        done.append("ended")

    with pytest.raises(KeyboardInterrupt):  # as in a notebook
        step()
    assert done == ["ended"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_step_of_another_thread_leaves_signals_alone():
    answers = []

    @uninterrupted()
    def step():
        answers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=step)
    thread.start()
    thread.join()
    assert answers == [signal.default_int_handler]


def test_an_interruption_is_heard_after_a_step_that_failed():
    @uninterrupted()
    def step():
        signal.raise_signal(signal.SIGINT)
        raise ValueError("mine")

    with interruptible(), pytest.raises(KeyboardInterrupt) as caught:
        step()
    assert str(caught.value.__context__) == "mine"


def test_a_step_that_fails_fails_as_it_does_anywhere():
    with pytest.raises(ValueError, match="mine"), uninterrupted():
        raise ValueError("mine")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
