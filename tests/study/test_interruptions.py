"""What a study promises to survive: kill -9 at any moment, Ctrl-C, two coordinators."""

import collections
import os
import signal
import subprocess
import sys
import time

import mlflow
import psutil
import pytest
from micro import EVALUATIONS, MICRO, ledger_lines

pytestmark = pytest.mark.slow


def command(home, *overrides):
    settings = [part for o in (*MICRO, *overrides) for part in ("--set", o)]
    return [
        sys.executable, "-m", "credit_plugin", "run", "--preset", "digits", *settings,
        "--workdir", str(home / "studies"), "--tracking-uri", f"sqlite:///{home / 'm.db'}",
    ]  # fmt: skip


def start(home, *overrides):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    return subprocess.Popen(
        command(home, *overrides),
        cwd=home,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        # a shell that runs the tests in the background makes its children deaf to Ctrl-C
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_for(condition, process, seconds=240):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def all_runs(home):
    mlflow.set_tracking_uri(f"sqlite:///{home / 'm.db'}")
    return mlflow.MlflowClient().search_runs(["0"], max_results=1000)


def test_kill_9_at_any_moment_loses_nothing_and_repeats_nothing(tmp_path):
    """Three kills: in the training, at a third of the coalitions, and right after a worker's."""
    process = start(tmp_path)
    wait_for(lambda: list(tmp_path.glob("studies/micro/reference-*/")), process)
    time.sleep(1.0)
    process.kill()
    process.communicate()

    process = start(tmp_path)
    wait_for(lambda: len(ledger_lines(tmp_path / "studies")) >= EVALUATIONS // 3, process)
    process.kill()
    process.communicate()
    counts = [len(ledger_lines(tmp_path / "studies"))]
    assert EVALUATIONS // 3 <= counts[0] < EVALUATIONS

    process = start(tmp_path)
    wait_for(lambda: len(ledger_lines(tmp_path / "studies")) > counts[0], process)
    workers = [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if child.cpu_times().user > 0.05
    ]
    counts.append(len(ledger_lines(tmp_path / "studies")))
    workers[-1].kill()
    _, output = process.communicate(timeout=300)
    assert process.returncode == 0, output
    lines = ledger_lines(tmp_path / "studies")
    counts.append(len(lines))
    assert counts == sorted(counts)
    assert len(lines) == EVALUATIONS == len({line["key"] for line in lines})

    runs = all_runs(tmp_path)
    states = collections.Counter((r.data.tags["credit.role"], r.info.status) for r in runs)
    assert states == {
        ("study", "FINISHED"): 1,
        ("train", "FINISHED"): 1,
        ("prune", "FINISHED"): 1,
        ("coalition", "FINISHED"): EVALUATIONS,
    }


def test_ctrl_c_ends_cleanly_with_130_and_says_how_to_go_on(tmp_path):
    process = start(tmp_path)
    wait_for(lambda: len(ledger_lines(tmp_path / "studies")) >= 3, process)
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    _, output = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on from there" in output
    assert "Traceback" not in output
    assert psutil.wait_procs(family, timeout=10)[1] == []
    assert {run.info.status for run in all_runs(tmp_path)} == {"FINISHED", "KILLED"}


def test_two_coordinators_do_not_share_a_study(tmp_path):
    first = start(tmp_path)
    wait_for(lambda: list(tmp_path.glob("studies/micro/data-*/")), first)
    second = start(tmp_path)
    _, output = second.communicate(timeout=120)
    first.kill()
    first.communicate()
    assert second.returncode == 2
    assert "is being run by another process" in output
    assert "Traceback" not in output


def test_a_study_that_loses_too_much_says_so_with_1(tmp_path):
    # a loss that overflows: every coalition fails, the study cannot go on
    process = start(tmp_path, "game.finetuning.learning_rate=1e30", "execution.attempts=1")
    _, output = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "coalitions could be evaluated" in output
    assert "Traceback" not in output
    assert "RUNNING" not in {run.info.status for run in all_runs(tmp_path)}
