"""Do intervals cover where coalitions are few for so many contributors? Prints a table.

    python -m tests.benchmarks.few_coalitions [--repetitions 6] [--estimator auto]

The families of :mod:`tests.benchmarks.games` with 12, 20 and 50 players and 2.4 to 5 evaluations
for each, by the default design and by ``border_first`` (every player alone and every one missing
come first), with a study's repeats and normal noise of .1 and .3 of the game's standard deviation.
Exact values are means over 2,000 random chains and their reverses.

Columns: players, design, evaluations a player, noise, then for each family the share of values that
the intervals contain by the bootstrap alone and as they are, and the root of mean squared error
over mean squared standard error (above 1: errors larger than stated).
"""

import argparse
from unittest import mock

import numpy as np

from credit_plugin.game import UtilityTable, design
from credit_plugin.values import estimate, unseen
from credit_plugin.values.result import ContributorValues
from tests.benchmarks.games import FAMILIES, with_repeats

PLAYERS, EACH, NOISES = (12, 20, 50), (2.4, 3, 4, 5), (0.1, 0.3)
DESIGNS = ("paired_border", "border_first")
CHAINS, RESAMPLES = 2000, 200


class SampledGame:
    """A game of a family, its values by chains, and the deviation of its utilities."""

    def __init__(self, family: str, n: int) -> None:
        self.game = FAMILIES[family](n, np.random.default_rng([0, n]))
        generator = np.random.default_rng(n)
        self.exact = np.zeros(n)
        for _ in range(CHAINS):
            order = generator.permutation(n)
            for chain in (order, order[::-1]):
                rows = np.zeros((n + 1, n), dtype=bool)
                rows[1:, chain] = np.tri(n, dtype=bool)
                self.exact[chain] += np.diff(self.game(rows)) / (2 * CHAINS)
        drawn = generator.random((2000, n)) < generator.random((2000, 1))
        self.deviation = float(self.game(drawn).std())

    def table(self, kind: str, budget: int, noise: float, seed: int) -> UtilityTable:
        """Return noisy utilities of a design and of a study's repeats."""
        rows = with_repeats(design(len(self.exact), budget - 8, kind, seed=seed))
        draws = np.random.default_rng([seed, len(rows)]).standard_normal(len(rows))
        return UtilityTable.from_arrays(rows, self.game(rows) + noise * self.deviation * draws)


def measure(game: SampledGame, tables: list[UtilityTable], estimator: str) -> tuple[float, ...]:
    """Return coverage by the bootstrap alone, coverage, and the ratio of errors."""
    alone, covered, errors, stated = [], [], [], []
    for table in tables:
        with mock.patch.object(unseen, "FEW", 0):
            alone.append(_contains(estimate(table, estimator, resamples=RESAMPLES), game.exact))
        found = estimate(table, estimator, resamples=RESAMPLES)
        covered.append(_contains(found, game.exact))
        errors.append((found.values - game.exact) ** 2)
        stated.append(found.standard_errors**2)
    ratio = float(np.sqrt(np.mean(errors) / np.mean(stated)))
    return float(np.mean(alone)), float(np.mean(covered)), ratio


def _contains(found: ContributorValues, exact: np.ndarray) -> np.ndarray:
    return np.asarray((found.ci_low <= exact) & (exact <= found.ci_high))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=6, help="tables of each setting")
    parser.add_argument("--estimator", default="auto")
    options = parser.parse_args()
    print(f"{'n':>3} {'design':<14}{'M/n':>4} {'noise':>5}" + "".join(f"{f:>24}" for f in FAMILIES))
    shares = []
    for n in PLAYERS:
        games = {family: SampledGame(family, n) for family in FAMILIES}
        for kind, each, noise in [(k, e, s) for k in DESIGNS for e in EACH for s in NOISES]:
            cells = ""
            for game in games.values():
                seeds = range(options.repetitions)
                tables = [game.table(kind, round(each * n), noise, seed) for seed in seeds]
                alone, covered, ratio = measure(game, tables, options.estimator)
                shares.append((alone, covered))
                cells += f"{alone:>11.2f} {covered:>5.2f} ({ratio:.2f})"
            print(f"{n:>3} {kind:<14}{each:>4} {noise:>5}{cells}", flush=True)
    for name, column in zip(("bootstrap alone", "as they are"), np.array(shares).T, strict=True):
        print(f"{name}: mean {column.mean():.2f}, least {column.min():.2f}")


if __name__ == "__main__":
    main()
