"""The process engine: results, retries, deaths, silence, interruption."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from engine_runners import Factory

from credit_plugin.config import ExecutionSettings
from credit_plugin.errors import InputError, StudyFailedError
from credit_plugin.execution.engine import Job, create_engine
from credit_plugin.execution.processes import ProcessEngine


def run(jobs, on_progress=None, factory=None, **settings):
    options = {"workers": 2, "patience_seconds": 30, **settings}
    with ProcessEngine(ExecutionSettings(**options)) as engine:
        return {o.job.key: o for o in engine.run(factory or Factory(), jobs, on_progress)}


def squares(count):
    return [Job(str(i), {"x": i}) for i in range(count)]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_every_job_has_one_outcome_whatever_the_number_of_workers(workers):
    outcomes = run(squares(20), workers=workers)
    assert {key: o.result for key, o in outcomes.items()} == {str(i): i * i for i in range(20)}
    assert all(o.error is None and o.attempts == 1 for o in outcomes.values())
    assert all(o.finished >= o.started > 0 for o in outcomes.values())


def test_no_jobs_no_outcomes():
    assert run([]) == {}


def test_a_job_whose_worker_is_killed_is_tried_again(tmp_path):
    jobs = [Job("bad", {"do": "die once", "memory": str(tmp_path / "m"), "x": 5}), *squares(6)]
    outcomes = run(jobs)
    assert (outcomes["bad"].result, outcomes["bad"].attempts) == (25, 2)
    assert len(outcomes) == 7


def test_a_job_that_always_kills_its_worker_is_given_up_and_the_others_finish():
    outcomes = run([Job("bad", {"do": "die"}), *squares(6)])
    assert outcomes["bad"].attempts == 3
    assert "worker lost: its process ended with code -9" in outcomes["bad"].error
    assert all(outcomes[str(i)].result == i * i for i in range(6))


def test_a_hanging_worker_is_replaced(tmp_path):
    job = Job("slow", {"do": "hang once", "memory": str(tmp_path / "m"), "x": 3})
    outcomes = run([job, *squares(3)], patience_seconds=1.0)
    assert (outcomes["slow"].result, outcomes["slow"].attempts) == (9, 2)


def test_silence_is_named_when_a_job_is_given_up():
    outcomes = run([Job("slow", {"do": "hang"})], patience_seconds=0.7, attempts=2)
    assert "no sign of life" in outcomes["slow"].error
    assert outcomes["slow"].attempts == 2


def test_a_long_job_that_reports_is_left_alone():
    seen = []
    outcomes = run(
        [Job("long", {"do": "long", "x": 2})],
        lambda job, done, total: seen.append((job.key, done, total)),
        patience_seconds=1.0,
    )
    assert (outcomes["long"].result, outcomes["long"].attempts) == (4, 1)
    assert len(seen) > 3
    assert seen[-1][2] == 12


def test_an_exception_is_one_line_and_tried_three_times():
    outcomes = run([Job("bad", {"do": "raise"}), *squares(2)])
    assert outcomes["bad"].error.startswith("ValueError: this one cannot be done")
    assert "\n" not in outcomes["bad"].error
    assert outcomes["bad"].attempts == 3


def test_workers_that_cannot_start_are_reported_once():
    with pytest.raises(StudyFailedError, match="workers cannot start: RuntimeError: no model here"):
        run(squares(4), factory=Factory(broken=True))


def test_no_process_stays_behind():
    seen = set()
    with ProcessEngine(ExecutionSettings(workers=2)) as engine:
        for _ in engine.run(Factory(), squares(6)):
            seen |= {worker.process.pid for worker in engine._workers}
    assert len(seen) == 2
    assert not any(psutil.pid_exists(pid) for pid in seen)


def test_leaving_in_the_middle_ends_the_workers():
    with ProcessEngine(ExecutionSettings(workers=2)) as engine:
        for _ in engine.run(Factory(), [*squares(2), Job("slow", {"do": "sleep", "seconds": 60})]):
            pids = {worker.process.pid for worker in engine._workers}
            break
    assert pids
    assert not any(psutil.pid_exists(pid) for pid in pids)


SCRIPT = """
import sys
from engine_runners import Factory
from credit_plugin.config import ExecutionSettings
from credit_plugin.execution.engine import Job
from credit_plugin.execution.processes import ProcessEngine

if __name__ == "__main__":
    jobs = [Job(str(i), {"do": "sleep", "seconds": 60}) for i in range(2)]
    with ProcessEngine(ExecutionSettings(workers=2)) as engine:
        try:
            for outcome in engine.run(Factory(), jobs, lambda *_: None):
                pass
        except KeyboardInterrupt:
            sys.exit(130)
"""


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_coordinator_that_ends_takes_its_workers_along(tmp_path, how, code):
    script = tmp_path / "coordinator.py"
    script.write_text(SCRIPT)
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join([root, os.environ["PYTHONPATH"]])
    process = subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": path},
        # a shell that runs the tests in the background makes its children deaf to Ctrl-C
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    coordinator = psutil.Process(process.pid)
    deadline = time.monotonic() + 60
    while len(family := coordinator.children(recursive=True)) < 4 and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1.0)
    family = coordinator.children(recursive=True)
    assert len(family) >= 3  # a server and two workers
    process.send_signal(how)
    assert process.wait(30) == code
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []


def test_a_thousand_small_jobs_are_quick_enough_to_be_overhead_free():
    outcomes = run(squares(1000))
    assert len(outcomes) == 1000


def test_an_unknown_engine_is_named():
    with pytest.raises(InputError, match=r"execution.engine: 'cloud' is not an engine"):
        create_engine(ExecutionSettings(engine="cloud"))
