"""Error of every estimator by number of evaluations. Prints tables, and draws the figure.

    python -m tests.benchmarks.estimators [--players 10] [--budgets 64 128 256]
        [--repetitions 20] [--only auto kernelshap_paper] [--figure PATH]

Three families of games (:mod:`tests.benchmarks.games`), three instances each with 10 players and
one of the first two families with 20, whose exact Shapley values are enumerated. Normal noise of
0.1 and 0.3 of a game's standard deviation is on every evaluation, the empty and the full coalition
included; the budget counts all evaluations. A cell is the squared error of the values relative to
the squared exact values: the median over the repetitions, and of these the geometric mean over
games and noises; the last column is the mean Spearman correlation with the exact values at the
second budget.

Estimators of this package read a table of the design that each is made for. Where the package
``shapiq`` is installed, its approximators of Shapley values evaluate the same games with the same
budgets. Quantities that are no Shapley values are read as if they were, below a line.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module, metadata
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from credit_plugin.game import UtilityTable, design
from credit_plugin.values import estimate
from tests.benchmarks.games import EnumeratedGame

NOISES = (0.1, 0.3)
GAMES_OF = {10: {"saturating": 3, "frechet": 3, "accuracy": 3}, 20: {"saturating": 1, "frechet": 1}}

Evaluate = Callable[[np.ndarray], np.ndarray]
Rival = Callable[[Evaluate, int, int, int], np.ndarray]
"""(evaluate, players, budget, seed) -> values [n]."""


@dataclass(frozen=True)
class Entry:
    """A line of the table.

    Attributes:
        name: As printed.
        values: How it gets values.
        group: Under which heading.
    """

    name: str
    values: Rival
    group: str = "this package"


def ours(estimator: str, kind: str = "paired_border", group: str = "", **options: Any) -> Entry:
    """Return an estimator of this package with a design."""
    settings = ", ".join(str(value) for value in options.values())
    name = f"{estimator} ({settings})" if settings else estimator
    if kind != "paired_border":
        name += f" on {kind}"

    def values(evaluate: Evaluate, n: int, budget: int, seed: int) -> np.ndarray:
        rows = design(n, budget, kind, seed)
        table = UtilityTable.from_arrays(rows, evaluate(rows))
        return np.asarray(estimate(table, estimator, resamples=2, options=options).values)

    return Entry(name, values, group or "this package")


def shapiqs(name: str, **options: Any) -> Entry:
    """Return an approximator of shapiq."""
    settings = ", ".join(f"{key}={value}" for key, value in options.items() if key != "index")

    def values(evaluate: Evaluate, n: int, budget: int, seed: int) -> np.ndarray:
        approximator = getattr(import_module("shapiq.approximator"), name)
        found = approximator(n=n, random_state=seed, **options).approximate(
            budget, lambda rows: evaluate(np.atleast_2d(np.asarray(rows, dtype=bool)))
        )
        return np.array([found[(player,)] for player in range(n)])

    return Entry(f"{name} ({settings})" if settings else name, values, _shapiq())


OTHER = "no Shapley values, read as if they were"
OURS = [
    ours("auto"),
    ours("regression_adjusted", proxy="ridge"),
    ours("regression_adjusted", proxy="ols"),
    ours("regression_adjusted", proxy="equal"),
    ours("regression_adjusted", proxy="trees"),
    ours("svarm"),
    ours("unbiased_kernelshap"),
    ours("kernelshap"),
    ours("leverage_shap", "leverage"),
    ours("ridge_kernelshap"),
    ours("stratified", "permutation"),
    ours("permutation", "permutation"),
    ours("kernelshap_paper", "shapley_iid"),
    ours("banzhaf", "uniform", OTHER, method="msr"),
    ours("banzhaf", "uniform", OTHER, method="regression"),
    ours("datamodel", "uniform", OTHER, penalty="ridge"),
    ours("datamodel", "uniform", OTHER, penalty="lasso"),
    ours("beta_shapley", group=OTHER, alpha=4.0, beta=1.0),
    ours("leave_one_out", group=OTHER),
]
NAMED = {
    "auto",
    "regression_adjusted (ols)",
    "svarm",
    "kernelshap",
    "ridge_kernelshap",
    "permutation on permutation",
    "kernelshap_paper on shapley_iid",
    "KernelSHAP (pairing_trick=True)",
    "SVARM (pairing_trick=True)",
    "PermutationSamplingSV",
    "LeverageSHAP",
    "RegressionMSR (proxy_model=linear)",
    "RegressionMSR (proxy_model=xgboost)",
}
"""Lines that the figure names."""
SHAPIQS: list[tuple[str, dict[str, Any]]] = [
    ("KernelSHAP", {"pairing_trick": True}),
    ("KernelSHAP", {"pairing_trick": False}),
    ("UnbiasedKernelSHAP", {"pairing_trick": True}),
    ("SVARM", {"pairing_trick": True}),
    ("PermutationSamplingSV", {}),
    ("StratifiedSamplingSV", {}),
    ("OwenSamplingSV", {}),
    ("LeverageSHAP", {}),
    ("RegressionMSR", {"index": "SV", "proxy_model": "linear"}),
    ("RegressionMSR", {"index": "SV", "proxy_model": "xgboost"}),
    ("OddSHAP", {}),
    ("PolySHAP", {}),
    ("ProxySHAP", {"index": "SV", "max_order": 1, "adjustment": True}),
]


def entries(only: list[str]) -> list[Entry]:
    """Return the lines that can be measured here."""
    lines = list(OURS)
    if find_spec("shapiq"):
        present = dir(import_module("shapiq.approximator"))
        lines += [shapiqs(name, **options) for name, options in SHAPIQS if name in present]
    return [line for line in lines if not only or line.name.split(" ")[0] in only]


def measure(
    entry: Entry, games: list[EnumeratedGame], budget: int, repetitions: int
) -> tuple[float, float]:
    """Return the error and the rank correlation of one line at one budget; nan if it cannot."""
    errors, ranks = [], []
    for game in games:
        for noise in NOISES:
            found = []
            for seed in range(repetitions):
                try:
                    values = entry.values(_noisy(game, noise, seed), game.n_players, budget, seed)
                except Exception as error:  # noqa: BLE001 - rivals fail in their own ways
                    print(f"  {entry.name} at {budget}: {error}", flush=True)
                    return float("nan"), float("nan")
                found.append(values)
            errors.append(np.median([game.error(values) for values in found]))
            ranks += [spearmanr(values, game.exact).statistic for values in found]
    return float(np.exp(np.mean(np.log(errors)))), float(np.mean(ranks))


_JOBS: list[tuple[Entry, list[EnumeratedGame], list[int], int]] = []


def _run(number: int) -> list[tuple[float, float]]:
    """Measure one line in a worker, which inherits the jobs: closures cannot be sent to it."""
    entry, games, budgets, repetitions = _JOBS[number]
    return [measure(entry, games, budget, repetitions) for budget in budgets]


def _noisy(game: EnumeratedGame, noise: float, seed: int) -> Evaluate:
    generator = np.random.default_rng([seed, 17])

    def evaluate(rows: np.ndarray) -> np.ndarray:
        clean = game.utilities[rows @ (1 << np.arange(game.n_players))]
        return np.asarray(clean + noise * game.utilities.std() * generator.normal(size=len(rows)))

    return evaluate


def draw(
    errors: dict[str, list[float]], groups: dict[str, str], budgets: list[int], path: Path
) -> None:
    """Draw error against evaluations: the telling estimators with names, the others in grey."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5.8), layout="constrained")
    axes = figure.add_subplot()
    shown = {
        name: line
        for name, line in errors.items()
        if groups[name] != OTHER and np.isfinite(line).all()
    }
    for name, line in shown.items():
        colour = _colour(name, groups[name]) if name in NAMED else "#d5d8dc"
        style = {"color": colour, "ls": "-" if groups[name] == "this package" else "--"}
        width = 2.8 if name == "auto" else 1.4 if name in NAMED else 0.9
        order = 3 if name == "auto" else 2 if name in NAMED else 1
        axes.plot(budgets, line, lw=width, marker="o", ms=2 * width, zorder=order, **style)
    named = sorted((shown[name][-1], name) for name in NAMED if name in shown)
    heights = _apart(np.log10([end for end, _ in named]), 0.1)
    for (end, name), height in zip(named, heights, strict=True):
        axes.annotate(
            name if groups[name] == "this package" else f"shapiq {name}",
            (budgets[-1], end),
            (budgets[-1] * 1.07, 10**height),
            size=9,
            va="center",
            weight="bold" if name == "auto" else "normal",
            color=_colour(name, groups[name]),
            arrowprops={"arrowstyle": "-", "lw": 0.5, "color": "#b0b5ba"},
            annotation_clip=False,
        )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlim(budgets[0] * 0.95, budgets[-1] * 2.6)
    axes.set_ylim(bottom=10 ** (min(heights) - 0.15))
    axes.set_xticks(budgets, [str(budget) for budget in budgets])
    axes.minorticks_off()
    axes.set_xlabel("evaluations")
    axes.set_ylabel("squared error relative to the exact values")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#eceef0", lw=0.8)
    rivals = sorted(set(groups.values()) - {"this package", OTHER})
    solid = "Error by evaluations: estimators of this package solid"
    title = f"{solid}, of {rivals[0]} dashed" if rivals else solid
    axes.set_title(title, loc="left", size=11)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def _colour(name: str, group: str) -> str:
    if name == "auto":
        return "#0b6e4f"
    return "#2f5fa8" if group == "this package" else "#a8611f"


def _apart(heights: np.ndarray, least: float) -> np.ndarray:
    """Return ascending heights that keep a distance, as near to the given ones as that allows."""
    placed = np.array(heights, dtype=float)
    for _ in range(200):
        for i in range(len(placed) - 1):
            lack = least - (placed[i + 1] - placed[i])
            if lack > 0:
                placed[i] -= lack / 2
                placed[i + 1] += lack / 2
    return placed


def _shapiq() -> str:
    return f"shapiq {metadata.version('shapiq')}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--players", type=int, choices=sorted(GAMES_OF), default=10)
    parser.add_argument("--budgets", type=int, nargs="+", default=[64, 128, 256])
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--only", nargs="*", default=[], help="names of estimators")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--figure", type=Path, help="write a PNG here")
    options = parser.parse_args()
    families = GAMES_OF[options.players].items()
    games = [
        EnumeratedGame(family, options.players, instance)
        for family, instances in families
        for instance in range(instances)
    ]
    ranked_at = options.budgets[min(1, len(options.budgets) - 1)]
    header = "".join(f"{budget:>9}" for budget in options.budgets)
    print(f"{options.players} players, {len(games)} games, noise {NOISES}")
    print(f"{'error at':<44}{header}  Spearman at {ranked_at}")
    lines = entries(options.only)
    jobs = [(line, games, options.budgets, options.repetitions) for line in lines]
    _JOBS.extend(jobs)
    group, errors, groups = "", {}, {}
    with get_context("fork").Pool(options.workers) as pool:
        for line, cells in zip(lines, pool.imap(_run, range(len(jobs))), strict=True):
            if line.group != group:
                group = line.group
                print(f"-- {group}")
            errors[line.name], groups[line.name] = [error for error, _ in cells], group
            rank = cells[options.budgets.index(ranked_at)][1]
            numbers = "".join(f"{error:>9.4f}" for error in errors[line.name])
            print(f"{line.name:<44}{numbers}  {rank:.2f}", flush=True)
    if "auto" in errors and "kernelshap_paper on shapley_iid" in errors:
        ratios = np.array(errors["kernelshap_paper on shapley_iid"]) / errors["auto"]
        print("kernelshap_paper / auto:" + "".join(f"  {ratio:.1f}" for ratio in ratios))
    if options.figure:
        draw(errors, groups, options.budgets, options.figure)


if __name__ == "__main__":
    main()
