"""The process engine: results, retries, deaths, silence, interruption."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from credit_plugin.config import ExecutionSettings, load_study
from credit_plugin.errors import InputError, StudyFailedError
from credit_plugin.execution.engine import Job, create_engine
from credit_plugin.execution.processes import ProcessEngine
from credit_plugin.folders import StudyFolders
from credit_plugin.progress import ProgressDisplay
from credit_plugin.stages import Stages
from credit_plugin.testing import EngineSuite
from credit_plugin.testing.engine_jobs import TrialFactory
from credit_plugin.testing.engine_suite import squares


class TestProcesses(EngineSuite):
    engine = "processes"

    def test_the_exit_code_of_a_lost_worker_is_named(self):
        found = self.outcomes([Job("bad", {"do": "die"})])
        assert found["bad"].error == "worker lost: its process ended with code -9"

    def test_a_thousand_small_jobs_have_a_thousand_outcomes(self):
        assert len(self.outcomes(squares(1000))) == 1000


def test_input_that_a_worker_refuses_ends_a_stage_as_bad_input(tmp_path):
    study = load_study("digits")
    with ProcessEngine(ExecutionSettings(workers=1)) as engine:
        folders = StudyFolders(tmp_path, study, "")
        stages = Stages(study, folders, TrialFactory(), engine, ProgressDisplay(quiet=True))
        with pytest.raises(InputError, match=r"^field: this cannot be used$"):
            stages._run("trial", {"do": "refuse"}, 1, "steps")
        with pytest.raises(StudyFailedError, match=r"^trial failed: ValueError: this one"):
            stages._run("trial", {"do": "raise"}, 1, "steps")


def test_no_process_stays_behind():
    seen = set()
    with ProcessEngine(ExecutionSettings(workers=2)) as engine:
        for _ in engine.run(TrialFactory(), squares(6)):
            seen |= {worker.process.pid for worker in engine._workers}
    assert len(seen) == 2
    assert not any(psutil.pid_exists(pid) for pid in seen)


def test_leaving_in_the_middle_ends_the_workers():
    with ProcessEngine(ExecutionSettings(workers=2)) as engine:
        for _ in engine.run(
            TrialFactory(), [*squares(2), Job("slow", {"do": "sleep", "seconds": 60})]
        ):
            pids = {worker.process.pid for worker in engine._workers}
            break
    assert pids
    assert not any(psutil.pid_exists(pid) for pid in pids)


SCRIPT = """
import sys
from credit_plugin.testing.engine_jobs import TrialFactory
from credit_plugin.config import ExecutionSettings
from credit_plugin.execution import processes
from credit_plugin.execution.engine import Job
from credit_plugin.execution.processes import ProcessEngine

processes.PRELOADED = "threadpoolctl"  # jobs that sleep need no PyTorch
if __name__ == "__main__":
    jobs = [Job(str(i), {"do": "sleep", "seconds": 60}) for i in range(2)]
    with ProcessEngine(ExecutionSettings(workers=2)) as engine:
        try:
            for outcome in engine.run(TrialFactory(), jobs, lambda *_: None):
                pass
        except KeyboardInterrupt:
            sys.exit(130)
"""


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_coordinator_that_ends_takes_its_workers_along(tmp_path, how, code):
    script = tmp_path / "coordinator.py"
    script.write_text(SCRIPT)
    root = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": root},
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


def test_an_unknown_engine_is_named():
    with pytest.raises(InputError, match=r"execution.engine: 'cloud' is not an engine"):
        create_engine(ExecutionSettings(engine="cloud"))
