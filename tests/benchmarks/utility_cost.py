"""What v(S) costs by retraining, fine-tuning and sparsified fine-tuning, at equal fidelity.

    python -m tests.benchmarks.utility_cost [--preset designers] [--coalitions 16] [--workdir F]

Evaluates the same coalitions of half of the contributors by every utility, fine-tunings with
several numbers of steps. Fidelity is the Spearman correlation over coalitions with what retraining
measures, of the study's headline property. Retraining is run twice, with other seeds and other
noise, which fine-tunings share with the second: how well retraining agrees with itself is what
nobody can beat but by luck. Seconds are those of training and sampling
on one thread.

The last lines compare the cheapest lengths of both fine-tunings whose fidelity reaches the
``--share`` of retraining's own with retraining.
"""

import tempfile
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import click
import numpy as np
from scipy.stats import spearmanr

from credit_plugin.config import load_study
from credit_plugin.folders import StudyFolders
from credit_plugin.game.design import design
from tests.benchmarks.throughput import evaluated, payloads, prepared

STEPS = (30, 60, 120, 240)
FINETUNINGS = ("finetuning", "sparsified_finetuning")


def measured(
    folders: StudyFolders, utility: str, steps: int | None, jobs: list[Mapping[str, Any]]
) -> tuple[np.ndarray, float]:
    """Return v of every job, in their order, and the mean seconds of one."""
    study = folders.study
    game = study.game.model_copy(update={"utility": utility})
    if steps is not None:
        short = game.finetuning.model_copy(update={"steps": steps})
        game = game.model_copy(update={"finetuning": short})
    results = evaluated(study.model_copy(update={"game": game}), folders, jobs)
    seconds = np.mean([r["costs"]["training"] + r["costs"]["sampling"] for r in results])
    headline = study.properties.headline
    return np.array([r["properties"][headline] for r in results]), float(seconds)


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
        folders, players = prepared(study, place)
        rows = design(players, coalitions + 2, "fixed_size", 0)[2:]
        first, again = (payloads(rows, repeat) for repeat in (0, 1))
        print(f"{'utility':<24}{'steps':>7}{'seconds':>9}{'ratio':>8}{'fidelity':>10}")
        truth, cost = measured(folders, "retraining", None, first)
        agreed = spearmanr(truth, measured(folders, "retraining", None, again)[0]).statistic
        steps = study.diffusion.training.steps
        print(f"{'retraining':<24}{steps:>7}{cost:>9.2f}{1.0:>8.1f}{agreed:>10.2f}", flush=True)
        enough: dict[str, float] = {}
        for utility, length in product(FINETUNINGS, STEPS):
            name = utility.replace("_", " ")
            values, seconds = measured(folders, utility, length, again)
            fidelity = spearmanr(truth, values).statistic
            print(
                f"{name:<24}{length:>7}{seconds:>9.2f}{cost / seconds:>8.1f}{fidelity:>10.2f}",
                flush=True,
            )
            if fidelity >= share * agreed:
                enough.setdefault(name, seconds)
        print(f"\nfidelity of at least {share * agreed:.2f}:")
        for name in (utility.replace("_", " ") for utility in FINETUNINGS):
            known = f"{cost / enough[name]:.1f} times cheaper" if name in enough else "not reached"
            print(f"{name:<24}{known}")


if __name__ == "__main__":
    main()
