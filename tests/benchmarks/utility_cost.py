"""What v(S) costs by retraining, fine-tuning and sparsified fine-tuning, at equal fidelity.

    python -m tests.benchmarks.utility_cost [--preset designers] [--coalitions 16] [--workdir F]

Evaluates the same coalitions of half of the contributors by every utility, fine-tunings with
several numbers of steps. Fidelity is the Spearman correlation over coalitions with what retraining
measures, of the study's headline property. Retraining is run twice, with other seeds: how well it
agrees with itself is what nobody can beat but by luck. Seconds are those of training and sampling
on one thread.

The last lines compare the cheapest lengths of both fine-tunings whose fidelity reaches the
``--share`` of retraining's own with retraining, and with one another.
"""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np
from scipy.stats import spearmanr

from credit_plugin.config import Study, load_study
from credit_plugin.contributors.snapshot import load_snapshot
from credit_plugin.execution.engine import Job, create_engine
from credit_plugin.folders import StudyFolders
from credit_plugin.game.design import design
from credit_plugin.game.utilities.worker import WorkerFactory
from credit_plugin.study import run_study

STEPS = (30, 60, 120, 240)


def jobs_of(players: int, count: int, repeat: int) -> list[Job]:
    """Return the evaluations of coalitions of half of the contributors."""
    rows = design(players, count + 2, "fixed_size", 0)[2:]
    bits = ["".join(str(int(b)) for b in row) for row in rows]
    return [
        Job(
            f"{b}-{repeat}",
            {"job": "evaluate", "key": f"{b}-{repeat}", "coalition": b, "repeat": repeat},
        )
        for b in bits
    ]


def evaluated(
    folders: StudyFolders, utility: str, steps: int | None, jobs: list[Job]
) -> tuple[np.ndarray, float]:
    """Return v of every job, in their order, and the mean seconds of one."""
    study = folders.study
    game = study.game.model_copy(update={"utility": utility})
    if steps is not None:
        short = game.finetuning.model_copy(update={"steps": steps})
        game = game.model_copy(update={"finetuning": short})
    changed = study.model_copy(update={"game": game})
    found: dict[str, Mapping[str, Any]] = {}
    with create_engine(study.execution) as engine:
        for outcome in engine.run(WorkerFactory(changed, folders), jobs):
            assert outcome.error is None, outcome.error
            found[outcome.job.key] = outcome.result
    results = [found[job.key] for job in jobs]
    headline = study.properties.headline
    seconds = np.mean([r["costs"]["training"] + r["costs"]["sampling"] for r in results])
    return np.array([r["properties"][headline] for r in results]), float(seconds)


def lines(study: Study) -> Iterator[tuple[str, str, int | None]]:
    """Yield the name, utility and steps of each way."""
    for utility in ("finetuning", "sparsified_finetuning"):
        for steps in STEPS:
            yield utility.replace("_", " "), utility, steps


@click.command()
@click.option("--preset", default="designers", show_default=True)
@click.option("--set", "settings", multiple=True, metavar="A.B=C")
@click.option("--coalitions", default=16, show_default=True)
@click.option("--share", default=0.9, show_default=True)
@click.option("--workdir", type=click.Path(path_type=Path))
def main(
    preset: str, settings: tuple[str, ...], coalitions: int, share: float, workdir: Path | None
) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as scratch:
        place = (workdir or Path(scratch)).resolve()
        study = load_study(preset, overrides=settings)
        uri = f"sqlite:///{place / 'mlflow.db'}"
        folders = run_study(
            study, until="prune", workdir=place / "studies", tracking_uri=uri
        ).folders
        players = load_snapshot(folders.data).n_contributors
        first, again = (jobs_of(players, coalitions, repeat) for repeat in (0, 1))
        print(f"{'utility':<24}{'steps':>7}{'seconds':>9}{'ratio':>8}{'fidelity':>10}")
        truth, cost = evaluated(folders, "retraining", None, first)
        agreed = spearmanr(truth, evaluated(folders, "retraining", None, again)[0]).statistic
        steps = study.diffusion.training.steps
        print(f"{'retraining':<24}{steps:>7}{cost:>9.2f}{1.0:>8.1f}{agreed:>10.2f}", flush=True)
        enough: dict[str, float] = {}
        for name, utility, length in lines(study):
            values, seconds = evaluated(folders, utility, length, first)
            fidelity = spearmanr(truth, values).statistic
            print(
                f"{name:<24}{length:>7}{seconds:>9.2f}{cost / seconds:>8.1f}{fidelity:>10.2f}",
                flush=True,
            )
            if fidelity >= share * agreed:
                enough.setdefault(name, seconds)
        print(f"\nfidelity of at least {share * agreed:.2f}:")
        for name in ("finetuning", "sparsified finetuning"):
            known = f"{cost / enough[name]:.1f} times cheaper" if name in enough else "not reached"
            print(f"{name:<24}{known}")


if __name__ == "__main__":
    main()
