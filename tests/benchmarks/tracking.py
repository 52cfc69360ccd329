"""What MLflow costs a large study: seconds for 10,000 coalition runs, and for looking at them.

    python -m tests.benchmarks.tracking [--runs 10000] [--contributors 100]

Logs evaluations of a toy game to a new sqlite store, through the tracker that studies use, then
asks the store for what the run table shows (a page of 100 nested runs with their metrics and tags),
and opens the store once more as a resumed study does.
"""

import statistics
import tempfile
import time
from pathlib import Path

import click
import mlflow
import numpy as np

from credit_plugin.config import load_study
from credit_plugin.contributors.intake import take_in
from credit_plugin.contributors.sources import load_contributors
from credit_plugin.game.ledger import Evaluation
from credit_plugin.study import tracked


def evaluation(number: int, players: int, generator: np.random.Generator) -> Evaluation:
    """Return an evaluation of a random coalition, with as many numbers as real ones have."""
    bits = "".join(str(bit) for bit in generator.integers(0, 2, players))
    names = ("inception_score", "frechet_distance", "diversity", "colourfulness")
    now = time.time()
    return Evaluation(
        key=f"{number:016x}",
        coalition=bits,
        seed=0,
        repeat=0,
        properties=dict(zip(names, generator.normal(size=4).tolist(), strict=True)),
        losses={"first": 1.0, "final": 0.1},
        costs={"training": 60.0, "sampling": 20.0, "measuring": 5.0},
        started=now - 85,
        finished=now,
        attempts=1,
        error=None,
    )


@click.command()
@click.option("--runs", default=10_000, show_default=True)
@click.option("--contributors", "players", default=100, show_default=True)
def main(runs: int, players: int) -> None:
    """Measure and print."""
    generator = np.random.default_rng(0)
    study = load_study("digits", overrides=("name=large",))
    dataset = take_in(load_contributors(study.data, study.seed), study.compensation).dataset
    with tempfile.TemporaryDirectory() as scratch:
        uri, memory = f"sqlite:///{scratch}/mlflow.db", Path(scratch) / "tracking.json"
        with tracked(study, dataset, memory, uri, None) as tracker:
            parent, started = tracker.parent_run_id, time.perf_counter()
            parts = []
            for number in range(runs):
                before = time.perf_counter()
                found = evaluation(number, players, generator)
                tracker.log_evaluation(found, number + 1, runs, found.coalition.count("1"))
                parts.append(time.perf_counter() - before)
            seconds = time.perf_counter() - started
        ends = [statistics.mean(part) * 1e3 for part in (parts[:500], parts[-500:])]
        print(f"{runs} runs logged in {seconds:.0f} s")
        print(f"{ends[0]:.1f} ms each at first, {ends[1]:.1f} ms at last")
        client = mlflow.MlflowClient(uri)
        experiment = client.get_run(parent).info.experiment_id
        started = time.perf_counter()
        asked = f"tags.mlflow.parentRunId = '{parent}'"
        page = client.search_runs([experiment], asked, max_results=100)
        print(f"a page of {len(page)} runs: {time.perf_counter() - started:.2f} s")
        started = time.perf_counter()
        with tracked(study, dataset, memory, uri, None):
            print(f"opened again: {time.perf_counter() - started:.2f} s")


if __name__ == "__main__":
    main()
