"""Is the coordinator the limit? A thousand coalitions of a minute on up to 256 Ray workers.

    python -m tests.benchmarks.coordinator [--jobs 1000] [--workers 64 --workers 256]

Starts a Ray cluster on this machine that claims to have enough CPUs, and runs jobs that sleep and
report progress instead of training. Everything else is real: the engine, as many actors, their
messages, and a ledger line for each result. Jobs sleep a tenth of their time, so that starts,
results and ledger lines come ten times as often as they would.

Printed for each number of workers: seconds from the first start to the last end; the same if
nothing but the jobs took time; the share of the workers' time that went into jobs, and the largest
that this share can be with as many jobs (the last round leaves workers idle); and how much of one
core the coordinator used, which at full length would be a tenth.
"""

import logging
import math
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import ray

from credit_plugin.config import ExecutionSettings
from credit_plugin.execution.engine import Job, Outcome, create_engine
from credit_plugin.game.ledger import Evaluation, Ledger

REPORTS = 30


@dataclass(frozen=True)
class SleepingFactory:
    """Makes a runner that sleeps, and reports as often as a training of a minute does."""

    seconds: float

    def __call__(self, device: str) -> Callable[[Mapping[str, Any], Callable[..., None]], Any]:
        """Return the runner."""

        def run(payload: Mapping[str, Any], report: Callable[[int, int], None]) -> float:
            if "gather" in payload:
                gather(Path(payload["gather"]), payload["count"])
            for done in range(REPORTS):
                time.sleep(self.seconds / REPORTS)
                report(done + 1, REPORTS)
            return self.seconds

        return run


def gather(place: Path, count: int) -> None:
    """Wait until so many processes are here."""
    (place / str(os.getpid())).touch()
    while len(list(place.iterdir())) < count:
        time.sleep(0.5)


def recorded(outcome: Outcome) -> Evaluation:
    """Return the ledger's line for a result."""
    assert outcome.error is None, outcome.error
    return Evaluation(
        key=outcome.job.key,
        coalition=outcome.job.payload["coalition"],
        seed=0,
        repeat=0,
        properties={"quality": 1.0},
        losses={},
        costs={"training": outcome.result},
        started=outcome.started,
        finished=outcome.finished,
        attempts=outcome.attempts,
        error=None,
    )


def measured(workers: int, jobs: int, seconds: float, place: Path) -> tuple[float, float]:
    """Return wall seconds from the first start to the last end, and CPU seconds of this process."""
    asked = [Job(f"{i:016x}", {"coalition": f"{i:012b}"}) for i in range(jobs)]
    settings = ExecutionSettings(engine="ray", workers=workers, patience_seconds=600.0)
    ledger, outcomes = Ledger(place / f"{workers}.jsonl"), []
    factory = SleepingFactory(seconds)
    with create_engine(settings) as engine:
        # every actor is up before anything is measured: none is given a second job before
        (place / f"{workers}").mkdir()
        waiting = {"gather": str(place / f"{workers}"), "count": workers}
        warm = [Job(f"warm {i}", waiting) for i in range(workers)]
        for _ in engine.run(factory, warm):
            pass
        used = time.process_time()
        for outcome in engine.run(factory, asked):
            ledger.append(recorded(outcome))
            outcomes.append(outcome)
        used = time.process_time() - used
    assert len(ledger.evaluations) == jobs
    first, last = min(o.started for o in outcomes), max(o.finished for o in outcomes)
    return last - first, used


@click.command()
@click.option("--jobs", default=1000, show_default=True)
@click.option("--seconds", default=60.0, show_default=True, help="Of a job.")
@click.option("--faster", default=10.0, show_default=True, help="Than that jobs are.")
@click.option("--workers", multiple=True, type=int, default=(64, 128, 256), show_default=True)
def main(jobs: int, seconds: float, faster: float, workers: tuple[int, ...]) -> None:
    """Print the table."""
    slept = seconds / faster
    most = max(workers)
    ray.init(
        address="local",
        num_cpus=most,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    print(f"{'workers':>8}{'wall s':>9}{'jobs alone':>12}{'busy':>7}{'at most':>9}{'a core':>8}")
    with tempfile.TemporaryDirectory() as scratch:
        for count in workers:
            wall, used = measured(count, jobs, slept, Path(scratch))
            ideal = math.ceil(jobs / count) * slept
            busy, limit = jobs * slept / (count * wall), jobs * slept / (count * ideal)
            print(
                f"{count:>8}{wall:>9.1f}{ideal:>12.1f}{busy:>7.0%}{limit:>9.0%}{used / wall:>8.0%}",
                flush=True,
            )
    ray.shutdown()


if __name__ == "__main__":
    main()
