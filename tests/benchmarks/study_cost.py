"""What a whole study costs: seconds of each phase, overhead, memory of the workers.

    python -m tests.benchmarks.study_cost --preset digits

Runs the preset in an empty folder with a new sqlite store and prints the wall seconds of every
phase, the share of the coalition phase that was not spent in evaluations (tracking, scheduling,
waiting for workers to start and to end), and the largest memory that a worker used.
"""

import contextlib
import os
import tempfile
import time
from pathlib import Path

import click

from credit_plugin.config import load_study
from credit_plugin.game.ledger import Ledger
from credit_plugin.progress import ProgressDisplay
from credit_plugin.study import run_study
from tests.benchmarks.memory import MemoryWatch


class TimedDisplay(ProgressDisplay):
    def __init__(self) -> None:
        super().__init__()
        self.seconds: dict[str, float] = {}
        self._opened = ("", time.monotonic())

    def phase(self, name, total, done=0, unit="steps"):
        self._opened = (name, time.monotonic())
        super().phase(name, total, done, unit)

    def finish(self):
        super().finish()
        name, opened = self._opened
        self.seconds[name] = time.monotonic() - opened


@click.command()
@click.option("--preset", default="designers", show_default=True)
@click.option("--set", "settings", multiple=True, metavar="A.B=C")
def main(preset: str, settings) -> None:
    study = load_study(preset, overrides=settings)
    display, watch = TimedDisplay(), MemoryWatch()
    watch.start()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        uri = f"sqlite:///{Path(folder) / 'mlflow.db'}"
        result = run_study(study, workdir=Path(folder), tracking_uri=uri, display=display)
        whole = time.monotonic() - started
        evaluations = Ledger(result.folders.ledger).evaluations
    watch.over.set()
    work = sum(sum(e.costs.values()) for e in evaluations)
    workers = study.execution.workers or len(os.sched_getaffinity(0))
    coalitions = display.seconds["coalitions"]
    for name, seconds in display.seconds.items():
        print(f"{name:<20}{seconds:8.1f} s")
    print(f"{'the rest':<20}{whole - sum(display.seconds.values()):8.1f} s")
    print(f"{'whole study':<20}{whole:8.1f} s, {len(evaluations)} evaluations")
    print(f"seconds an evaluation: {work / len(evaluations):.2f}, on {workers} workers")
    print(f"overhead of the coalition phase: {1 - work / (coalitions * workers):.1%}")
    print(f"largest memory of a worker: {watch.largest / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
