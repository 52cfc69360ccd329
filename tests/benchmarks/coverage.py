"""How often the intervals of ``estimate`` contain the exact value. Prints a table.

    python -m tests.benchmarks.coverage [--repetitions 10] [--estimator auto]

The games of :mod:`tests.benchmarks.games`, three instances of each family, whose exact Shapley
values are enumerated. Normal noise of 0.1 or 0.3 of a game's standard deviation is on every
evaluation, the empty and the full coalition included. The number of evaluations counts repeats: two
more of the empty and of the full coalition and one more of four others, as a study has by default.

Columns: contributors n, evaluations M, noise, then for each family the share of covered values,
and the root of mean squared error over mean squared standard error (above 1: errors larger than
stated; bias counts here, too).
"""

import argparse

import numpy as np

from credit_plugin.game import UtilityTable, design
from credit_plugin.values import estimate
from tests.benchmarks.games import FAMILIES, EnumeratedGame, with_repeats

SETTINGS = [
    (8, 48),
    (8, 96),
    (10, 64),
    (10, 128),
    (10, 256),
    (12, 48),
    (12, 60),
    (12, 96),
    (12, 128),
]
NOISES = (0.1, 0.3)
INSTANCES = 3
CONFIDENCE = 0.95
RESAMPLES = 200


def noisy_table(game: EnumeratedGame, budget: int, noise: float, seed: int) -> UtilityTable:
    """Evaluate a game with a study's design, repeats and noise."""
    rows = with_repeats(design(game.n_players, budget - 8, seed=seed))
    return UtilityTable.from_arrays(rows, game.noisy(rows, noise, seed))


def measure(
    games: list[EnumeratedGame], budget: int, noise: float, repetitions: int, estimator: str
) -> tuple[float, float]:
    """Return coverage and the root of mean squared error over mean squared standard error."""
    covered, errors, stated = [], [], []
    for game in games:
        for seed in range(repetitions):
            table = noisy_table(game, budget, noise, seed)
            found = estimate(table, estimator, confidence=CONFIDENCE, resamples=RESAMPLES)
            covered.append((found.ci_low <= game.exact) & (game.exact <= found.ci_high))
            errors.append((found.values - game.exact) ** 2)
            stated.append(found.standard_errors**2)
    return float(np.mean(covered)), float(np.sqrt(np.mean(errors) / np.mean(stated)))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=10, help="tables of each game")
    parser.add_argument("--estimator", default="auto")
    options = parser.parse_args()
    print(f"{'n':>3} {'M':>4} {'noise':>5}" + "".join(f"{name:>18}" for name in FAMILIES))
    coverages = []
    for n, budget in SETTINGS:
        games = {f: [EnumeratedGame(f, n, i) for i in range(INSTANCES)] for f in FAMILIES}
        for noise in NOISES:
            row = [
                measure(games[family], budget, noise, options.repetitions, options.estimator)
                for family in FAMILIES
            ]
            coverages += [coverage for coverage, _ in row]
            cells = "".join(f"{coverage:>11.3f} ({ratio:.2f})" for coverage, ratio in row)
            print(f"{n:>3} {budget:>4} {noise:>5}{cells}", flush=True)
    inside = np.mean([0.9 <= c <= 0.99 for c in coverages])
    print(
        f"nominal {CONFIDENCE}: mean {np.mean(coverages):.3f}, least {min(coverages):.3f}, "
        f"{inside:.0%} of the settings between .90 and .99"
    )


if __name__ == "__main__":
    main()
