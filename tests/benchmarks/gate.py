"""Does the reliability gate open for values that nobody should be paid by? Prints a table.

    python -m tests.benchmarks.gate [--repetitions 8] [--noises 0.1 0.3]

The games of :mod:`tests.benchmarks.games`, three instances of each family with 8 and 12 players,
two budgets each, with a study's repeats. True misallocation: half the sum of absolute differences
between the shares of the default estimate and those of the exact values.

Columns: players, family, tables, those that open the gate, the largest true misallocation among
these, tables whose true misallocation is above the gate's limit, and how many of those open it.
"""

import argparse

import numpy as np

from credit_plugin.values import assess, estimate
from credit_plugin.values.reliability import MISALLOCATION_LIMIT
from tests.benchmarks.coverage import INSTANCES, noisy_table
from tests.benchmarks.games import FAMILIES, EnumeratedGame

BUDGETS = {8: (48, 80), 12: (72, 128)}
RESAMPLES = 100


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=8, help="tables of each game")
    parser.add_argument("--noises", type=float, nargs="+", default=[0.1, 0.3])
    options = parser.parse_args()
    print(f"{'n':>3} {'family':<12}{'tables':>8}{'open':>6}{'worst':>8}{'bad':>6}{'bad open':>10}")
    for n, budgets in BUDGETS.items():
        for family in FAMILIES:
            found = []
            for instance in range(INSTANCES):
                game = EnumeratedGame(family, n, instance)
                exact = game.exact.clip(min=0)
                exact /= exact.sum()
                for budget in budgets:
                    for noise in options.noises:
                        for seed in range(options.repetitions):
                            table = noisy_table(game, budget, noise, seed)
                            values = estimate(table, resamples=RESAMPLES, seed=seed)
                            passed = assess(table, values, seed).passed
                            found.append((passed, np.abs(values.shares() - exact).sum() / 2))
            passed, wrong = (np.array(column) for column in zip(*found, strict=True))
            worst = wrong[passed].max() if passed.any() else 0.0
            bad = wrong > MISALLOCATION_LIMIT
            print(
                f"{n:>3} {family:<12}{len(found):>8}{passed.sum():>6}{worst:>8.3f}"
                f"{bad.sum():>6}{(bad & passed).sum():>10}",
                flush=True,
            )


if __name__ == "__main__":
    main()
