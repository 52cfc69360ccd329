"""Coalitions per hour: every engine, and the way of the paper's released code.

    python -m tests.benchmarks.throughput [--preset designers] [--coalitions 24]

Makes the preset's models in a folder (kept and used again with ``--workdir``), then evaluates the
same coalitions in several ways, one after the other in one run, and prints for each of them
coalitions per hour, the ratio to the released code's way, and the largest memory of all its
processes together.

The released code's way is modelled on the same network, samples and training steps: a new process
for each coalition, which imports and loads everything again, 100 DDIM steps, as many processes at
once as there are cores. What it adds beyond that (an average of weights, files in a shared folder)
is left out, in its favour.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np

from credit_plugin.config import Study, load_study
from credit_plugin.contributors.snapshot import load_snapshot
from credit_plugin.execution.engine import Job, create_engine
from credit_plugin.folders import StudyFolders
from credit_plugin.game.design import design
from credit_plugin.game.utilities.worker import WorkerFactory
from credit_plugin.study import run_study
from tests.benchmarks.memory import MemoryWatch

RELEASED_STEPS = 100
ALONE = """
import json, sys
from pathlib import Path
from credit_plugin.config import load_study
from credit_plugin.folders import StudyFolders
from credit_plugin.game.utilities.worker import WorkerFactory
import torch

torch.set_num_threads(1)
told = json.loads(sys.argv[1])
study = load_study(told["preset"], overrides=told["settings"])
folders = StudyFolders(Path(told["root"]), study, told["digest"], told["frozen"], told["observed"])
WorkerFactory(study, folders)("cpu")(told["payload"], lambda *_: None)
"""


@dataclass(frozen=True)
class Measured:
    """What a way took.

    Attributes:
        seconds: Wall time of all coalitions, starting and ending workers included.
        memory: Largest sum over its processes, in GB.
    """

    seconds: float
    memory: float


def measured(run: Callable[[], None]) -> Measured:
    """Run something and return what it took."""
    watch = MemoryWatch()
    watch.start()
    started = time.monotonic()
    run()
    seconds = time.monotonic() - started
    watch.over.set()
    watch.join()
    return Measured(seconds, watch.together / 1e9)


def payloads(rows: np.ndarray, repeat: int = 0) -> list[Mapping[str, Any]]:
    """Return the jobs of coalitions (bool [m, n])."""
    bits = ["".join(str(int(b)) for b in row) for row in rows]
    return [
        {"job": "evaluate", "key": f"{b}-{repeat}", "coalition": b, "repeat": repeat} for b in bits
    ]


def evaluated(
    study: Study, folders: StudyFolders, jobs: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Return what the study's engine measured of coalitions, in their order."""
    found: dict[str, Mapping[str, Any]] = {}
    with create_engine(study.execution) as engine:
        engine.warm_up()
        asked = [Job(str(payload["key"]), payload) for payload in jobs]
        for outcome in engine.run(WorkerFactory(study, folders), asked):
            assert outcome.error is None, outcome.error
            found[outcome.job.key] = outcome.result
    return [found[str(payload["key"])] for payload in jobs]


def by_engine(folders: StudyFolders, jobs: Sequence[Mapping[str, Any]], **execution: Any) -> None:
    """Evaluate coalitions by an engine."""
    study = folders.study
    changed = study.execution.model_copy(update=execution)
    evaluated(study.model_copy(update={"execution": changed}), folders, jobs)


def prepared(study: Study, place: Path) -> tuple[StudyFolders, int]:
    """Return the folders of a study's models, which are made unless they are there, and n."""
    uri = f"sqlite:///{place / 'mlflow.db'}"
    made = run_study(study, until="prune", workdir=place / "studies", tracking_uri=uri)
    return made.folders, load_snapshot(made.folders.data).n_contributors


def released(
    folders: StudyFolders,
    jobs: Sequence[Mapping[str, Any]],
    preset: str,
    settings: Sequence[str],
    at_once: int,
) -> None:
    """Evaluate coalitions each in a process of its own, with 100 sampler steps."""
    slower = [*settings, f"sampling.steps={RELEASED_STEPS}"]
    shared = {"digest": folders.digest, "frozen": folders.frozen, "observed": folders.observed}

    def one(payload: Mapping[str, Any]) -> None:
        told = {"preset": preset, "settings": slower, "root": str(folders.root), **shared}
        argument = json.dumps({**told, "payload": payload})
        subprocess.run([sys.executable, "-c", ALONE, argument], check=True)

    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(one, jobs))


def ways(
    folders: StudyFolders, jobs: list[Mapping[str, Any]], preset: str, settings: Sequence[str]
) -> Iterator[tuple[str, int, Callable[[], None]]]:
    """Yield the name of each way, how many coalitions it evaluates, and what runs it."""
    few, count = jobs[: max(2, len(jobs) // 4)], len(jobs)
    cores = len(os.sched_getaffinity(0))
    old = partial(released, folders, few, preset, settings, cores)
    yield "a process for each, 100 steps (released code's way)", len(few), old
    engine = partial(by_engine, folders, jobs)
    yield "processes, 1 worker", count, partial(engine, workers=1)
    yield "processes, 2 workers", count, partial(engine, workers=2)
    yield "stacked, 2 workers", count, partial(engine, engine="stacked", workers=2)
    yield "ray, 2 workers", count, partial(engine, engine="ray", workers=2)


@click.command()
@click.option("--preset", default="designers", show_default=True)
@click.option("--set", "settings", multiple=True, metavar="A.B=C")
@click.option("--coalitions", default=24, show_default=True)
@click.option("--workdir", type=click.Path(path_type=Path))
def main(preset: str, settings: tuple[str, ...], coalitions: int, workdir: Path | None) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as scratch:
        place = (workdir or Path(scratch)).resolve()
        study: Study = load_study(preset, overrides=settings)
        folders, players = prepared(study, place)
        rows = design(players, coalitions + 1, "paired_border", 0)
        jobs = payloads(rows[rows.any(axis=1)][:coalitions])
        rates: dict[str, float] = {}
        print(f"{'way':<54}{'coalitions/h':>13}{'ratio':>8}{'memory':>10}")
        for name, count, run in ways(folders, jobs, preset, settings):
            found = measured(run)
            rates[name] = 3600 * count / found.seconds
            ratio = rates[name] / next(iter(rates.values()))
            print(f"{name:<54}{rates[name]:>13.0f}{ratio:>8.1f}{found.memory:>7.1f} GB", flush=True)
        one, two = (rates[f"processes, {w}"] for w in ("1 worker", "2 workers"))
        print(f"2 workers / 1 worker: {two / one:.2f}")
        print(f"ray / processes: {rates['ray, 2 workers'] / two:.2f}")


if __name__ == "__main__":
    main()
