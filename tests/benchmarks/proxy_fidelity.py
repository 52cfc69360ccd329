"""Does sparsified fine-tuning say what retraining says, and how much cheaper is it?

    python -m tests.benchmarks.proxy_fidelity --preset designers

Draws coalitions of half of the contributors, evaluates each by retraining from scratch and by the
preset's own utility, and prints the Pearson and Spearman correlation of every property with 95 %
intervals (bootstrap of coalitions), and the ratio of the seconds that a coalition costs. Both sides
are kept in ``--workdir`` and go on after an interruption; retraining is shared by every run with
the same training settings.
"""

import contextlib
import tempfile
from pathlib import Path

import click
import numpy as np
from scipy.stats import pearsonr, spearmanr

from credit_plugin.config import PruningSettings, Study, TrainingSettings, load_study
from credit_plugin.study import StudyResult, run_study


def evaluate(
    study: Study, workdir: Path, coalitions: int, utility: str, workers: int
) -> StudyResult:
    game = {
        "utility": utility,
        "design": "fixed_size",
        "budget": coalitions + 2,
        "border_repeats": 1,
        "repeated_coalitions": 0,
    }
    changes = {"execution": study.execution.model_copy(update={"workers": workers})}
    if utility == "retraining":  # what it does not use shall not name its table
        game["finetuning"] = TrainingSettings()
        changes["pruning"] = PruningSettings()
    changed = study.model_copy(update={**changes, "game": study.game.model_copy(update=game)})
    uri = f"sqlite:///{workdir / 'fidelity.db'}"
    with contextlib.chdir(workdir):  # MLflow keeps artifacts where it is started
        return run_study(changed, until="values", workdir=workdir, tracking_uri=uri)


def correlation(function, one: np.ndarray, two: np.ndarray) -> tuple[float, float, float]:
    generator = np.random.default_rng(0)
    resampled = []
    for _ in range(1000):
        rows = generator.integers(len(one), size=len(one))
        resampled.append(function(one[rows], two[rows])[0])
    low, high = np.nanpercentile(resampled, [2.5, 97.5])
    return function(one, two)[0], low, high


def seconds(result: StudyResult) -> float:
    from credit_plugin.game.ledger import Ledger

    found = [e for e in Ledger(result.folders.ledger).evaluations if "1" in e.coalition]
    half = [e for e in found if "0" in e.coalition]
    return float(np.median([sum(e.costs.values()) for e in half]))


@click.command()
@click.option("--preset", default="designers", show_default=True)
@click.option("--coalitions", default=30, show_default=True)
@click.option("--workers", default=0, help="Coalitions at once; 0 is one for each core.")
@click.option("--workdir", type=click.Path(path_type=Path), help="Kept between runs.")
@click.option("--set", "settings", multiple=True, metavar="A.B=C")
def main(preset: str, coalitions: int, workers: int, workdir: Path | None, settings) -> None:
    study = load_study(preset, overrides=settings)
    folder = (workdir or Path(tempfile.mkdtemp())).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    cheap = evaluate(study, folder, coalitions, study.game.utility, workers)
    exact = evaluate(study, folder, coalitions, "retraining", workers)
    inner = cheap.table.coalitions.any(1) & ~cheap.table.coalitions.all(1)
    print(f"{preset}: {coalitions} coalitions of half of the contributors, {study.game.utility}")
    print(f"{'property':<20}{'Pearson':>28}{'Spearman':>28}")
    for name in study.properties.names:
        rows = inner & (np.array(cheap.table.properties) == name)
        one, two = cheap.table.utilities[rows], exact.table.utilities[rows]
        cells = [
            "{:.3f} ({:.3f} to {:.3f})".format(*correlation(f, one, two))
            for f in (pearsonr, spearmanr)
        ]
        mark = "  <- headline" if name == study.properties.headline else ""
        print(f"{name:<20}{cells[0]:>28}{cells[1]:>28}{mark}")
    cost, reference = seconds(cheap), seconds(exact)
    print(
        f"seconds a coalition (median): {cost:.2f} against {reference:.2f} for retraining, "
        f"1/{reference / cost:.1f}"
    )


if __name__ == "__main__":
    main()
