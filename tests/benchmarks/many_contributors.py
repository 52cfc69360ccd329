"""Hundreds of contributors: do values predict coalitions, and how long and how big is an estimate.

    python -m tests.benchmarks.many_contributors [--repetitions 10]
    python -m tests.benchmarks.many_contributors --scale

Without ``--scale``: the linear datamodeling score (100 times the Spearman correlation of summed
values with utilities of 100 test coalitions of half of the contributors) with n = 258 contributors
and M = 1,000 evaluations. The game is concave, v(S) = (amount of data in S / all data)^power, with
log-normal amounts, and every evaluation has normal noise of ``--noise`` standard deviations of the
test coalitions' utilities, the tests included. The last line is the score of the exact additive
ranking, which noise in the tests alone keeps from 100.

With ``--scale``: seconds and peak memory of the default estimate of 1,000 contributors and 20,000
rows with 200 resamples, on one core.
"""

import argparse
import os
import resource
import time

import numpy as np
from scipy.stats import spearmanr

from credit_plugin.game import UtilityTable, design
from credit_plugin.values import estimate

PLAYERS, EVALUATIONS, TESTS = 258, 1000, 100
LINES = [
    ("auto", "paired_border"),
    ("regression_adjusted", "paired_border"),
    ("ridge_kernelshap", "paired_border"),
    ("datamodel", "paired_border"),
    ("kernelshap", "paired_border"),
    ("svarm", "paired_border"),
    ("kernelshap_paper", "shapley_iid"),
]


def scores(seed: int, noise: float, power: float) -> dict[str, float]:
    """Return the linear datamodeling score of each line for one game."""
    generator = np.random.default_rng([seed, PLAYERS])
    amounts = generator.lognormal(0, 0.5, PLAYERS)
    amounts /= amounts.sum()

    def game(rows: np.ndarray) -> np.ndarray:
        return np.asarray((rows @ amounts) ** power)

    tests = design(PLAYERS, TESTS + 2, "fixed_size", seed)[2:]
    spread = noise * game(tests).std()

    def measured(rows: np.ndarray) -> np.ndarray:
        return game(rows) + spread * generator.standard_normal(len(rows))

    truth = measured(tests)
    found = {}
    for estimator, kind in LINES:
        rows = design(PLAYERS, EVALUATIONS, kind, seed)
        table = UtilityTable.from_arrays(rows, measured(rows))
        values = estimate(table, estimator, resamples=2).values
        found[estimator] = 100 * spearmanr(tests @ values, truth).statistic
    found["exact amounts"] = 100 * spearmanr(tests @ amounts, truth).statistic
    return found


def scale() -> None:
    """Print seconds and memory of a large estimate."""
    n, budget = 1000, 20_000
    generator = np.random.default_rng(0)
    amounts = generator.uniform(0.5, 2, n)
    rows = design(n, budget - 4)
    rows = np.concatenate([rows, rows[[0, 0, 1, 1]]])
    utilities = 1 - np.exp(-(rows @ amounts) / (amounts.sum() / 3))
    utilities += 0.01 * generator.standard_normal(budget)
    table = UtilityTable.from_arrays(rows, utilities)
    before = time.perf_counter()
    found = estimate(table, resamples=200)
    seconds = time.perf_counter() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{n} contributors, {budget} rows, 200 resamples: {seconds:.1f} s, peak {peak:.2f} GB")
    print(f"estimator: {found.diagnostics['chosen']}")


def main() -> None:
    """Print the scores, or the scale."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=10)
    parser.add_argument("--noise", type=float, default=1.0)
    parser.add_argument("--power", type=float, default=0.5)
    parser.add_argument("--scale", action="store_true")
    options = parser.parse_args()
    if options.scale:
        scale()
        return
    runs = [scores(seed, options.noise, options.power) for seed in range(options.repetitions)]
    for name in runs[0]:
        column = np.array([run[name] for run in runs])
        error = column.std(ddof=1) / len(column) ** 0.5
        print(f"{name:<22}{column.mean():>7.1f}  +- {error:.1f}")
    ours, paper = (np.mean([run[name] for run in runs]) for name in ("auto", "kernelshap_paper"))
    print(f"auto / kernelshap_paper: {ours / paper:.2f}")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
