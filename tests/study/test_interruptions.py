"""What a study promises to survive: kill -9 at any moment, Ctrl-C, SIGTERM, two coordinators."""

import collections
import shutil
import signal
import time

import mlflow
import psutil
import pytest
from micro import EVALUATIONS, copy_studies, ledger_lines
from processes import invoke, start, wait_for

pytestmark = pytest.mark.slow


def all_runs(home):
    mlflow.set_tracking_uri(f"sqlite:///{home / 'm.db'}")
    return mlflow.MlflowClient().search_runs(["0"], max_results=1000)


def test_a_study_outlives_kill_9_ctrl_c_and_a_dead_worker_and_repeats_nothing(tmp_path):
    """One study: killed in its training, robbed of a worker in its coalitions, and stopped."""
    two = "execution.workers=2"
    process = start("run", tmp_path, two)
    wait_for(lambda: list(tmp_path.glob("studies/micro/data-*/")), process)
    process.send_signal(signal.SIGSTOP)  # or it would be done before the other one has started
    _is_refused(invoke("run", tmp_path))
    process.send_signal(signal.SIGCONT)
    wait_for(lambda: list(tmp_path.glob("studies/micro/reference-*/")), process)
    time.sleep(1.0)
    process.kill()
    process.communicate()

    process = start("run", tmp_path, two)
    wait_for(lambda: len(ledger_lines(tmp_path / "studies")) >= 1, process)
    workers = [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if child.cpu_times().user > 0.05
    ]
    counts = [len(ledger_lines(tmp_path / "studies"))]
    workers[-1].kill()
    wait_for(lambda: len(ledger_lines(tmp_path / "studies")) >= counts[0] + 3, process)
    _ends_cleanly(process, signal.SIGINT)
    assert {run.info.status for run in all_runs(tmp_path)} == {"FINISHED", "KILLED"}
    counts.append(len(ledger_lines(tmp_path / "studies")))
    assert counts[0] + 3 <= counts[1] < EVALUATIONS

    done = invoke("run", tmp_path)
    assert done.exit_code == 0, done.output
    lines = ledger_lines(tmp_path / "studies")
    assert len(lines) == EVALUATIONS == len({line["key"] for line in lines})

    runs = all_runs(tmp_path)
    states = collections.Counter((r.data.tags["credit.role"], r.info.status) for r in runs)
    assert states == {
        ("study", "FINISHED"): 1,
        ("train", "FINISHED"): 1,
        ("prune", "FINISHED"): 1,
        ("coalition", "FINISHED"): EVALUATIONS,
    }


def _is_refused(second):
    """A study has one coordinator."""
    assert second.exit_code == 2
    assert "is being run by another process" in second.output
    assert "Traceback" not in second.output


def _ends_cleanly(process, number):
    """Ctrl-C and SIGTERM end with 130, say how to go on, and leave no process."""
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    _, output = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "the same command goes on from there" in output
    assert "Traceback" not in output
    assert psutil.wait_procs(family, timeout=10)[1] == []


def test_a_study_that_loses_too_much_says_so_with_1(finished, home, tmp_path):
    # a loss that overflows: every coalition fails, the study cannot go on
    copy_studies(home, tmp_path)
    broken = ("game.finetuning.learning_rate=1e30", "execution.attempts=1")
    done = invoke("run", tmp_path, *broken)
    assert done.exit_code == 1
    assert "coalitions could be evaluated" in done.output
    assert "Traceback" not in done.output
    assert "RUNNING" not in {run.info.status for run in all_runs(tmp_path)}


def test_a_study_on_ray_outlives_kill_9_and_sigterm_with_its_cluster(finished, home, tmp_path):
    """The cluster that a study started ends with it; the study goes on, with or without one."""
    copy_studies(home, tmp_path)
    for table in tmp_path.glob("studies/micro/table-*"):
        shutil.rmtree(table)
    on_ray = ("execution.engine=ray", "execution.ray={address: local}")
    process = start("run", tmp_path, *on_ray)
    wait_for(lambda: ledger_lines(tmp_path / "studies"), process)
    family = psutil.Process(process.pid).children(recursive=True)
    agents = [child for child in family if _is_agent(child)]
    assert any("raylet" in " ".join(child.cmdline()) for child in family)
    # workers do not give way to whatever else the machine does
    assert {child.nice() for child in family} == {psutil.Process().nice()}
    process.kill()
    process.communicate()
    # Ray's own agents take a minute to notice; what computes and holds memory does not
    working = [child for child in family if child not in agents]
    assert psutil.wait_procs(working, timeout=20)[1] == []
    known = {line["key"] for line in ledger_lines(tmp_path / "studies")}
    assert 0 < len(known) < EVALUATIONS

    process = start("run", tmp_path, *on_ray)
    wait_for(lambda: len(ledger_lines(tmp_path / "studies")) > len(known), process)
    _ends_cleanly(process, signal.SIGTERM)  # Ray has an answer of its own to this one
    assert {run.info.status for run in all_runs(tmp_path)} == {"FINISHED", "KILLED"}

    done = invoke("run", tmp_path)  # how coalitions are evaluated is no part of the study
    assert done.exit_code == 0, done.output
    keys = [line["key"] for line in ledger_lines(tmp_path / "studies")]
    assert len(keys) == EVALUATIONS == len(set(keys))
    assert known < set(keys)


def _is_agent(child):
    return "agent" in child.name().lower()
