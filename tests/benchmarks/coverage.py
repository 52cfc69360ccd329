"""How often the intervals of ``estimate`` contain the exact value. Prints a table.

    python -m tests.benchmarks.coverage [--repetitions 10] [--estimator regression_adjusted]

Three families of games, three instances each, whose exact Shapley values are enumerated: a
saturating quantity with interactions, minus the distance between moments of pooled class-skewed
shards and those of all data (small coalitions blow up, as with the Frechet distance), and the
accuracy of a nearest-centroid classifier with two contributors whose labels are noise. Normal
noise of 0.1 or 0.3 of a game's standard deviation is on every evaluation, the empty and the full
coalition included. The number of evaluations counts repeats: two more of the empty and of the full
coalition and one more of four others, as a study has by default.

Columns: contributors n, evaluations M, noise, then for each family the share of covered values,
and the root of mean squared error over mean squared standard error (above 1: errors larger than
stated; bias counts here, too).
"""

import argparse
from collections.abc import Callable

import numpy as np

from credit_plugin.game import UtilityTable, design
from credit_plugin.values import estimate
from credit_plugin.values.estimators.exact import enumerate_values

SETTINGS = [(8, 48), (8, 96), (10, 64), (10, 128), (12, 48), (12, 60), (12, 96), (12, 128)]
NOISES = (0.1, 0.3)
INSTANCES = 3
CONFIDENCE = 0.95
RESAMPLES = 200

FEATURES = 6
CLASSES = 6


def all_coalitions(n: int) -> np.ndarray:
    """Return every coalition, bool [2**n, n]; row c has the players whose bit is set in c."""
    return (np.arange(2**n)[:, None] >> np.arange(n)) % 2 == 1


def saturating(n: int, generator: np.random.Generator) -> np.ndarray:
    """Return utilities [2**n] of a quantity that helps less and less, with interactions."""
    members = all_coalitions(n).astype(np.float64)
    amounts = generator.uniform(0.3, 2.0, n)
    pairs = np.triu(generator.normal(0, 0.15, (n, n)), 1)
    quantity = members @ amounts + ((members @ pairs) * members).sum(axis=1)
    return 1 - np.exp(-quantity.clip(min=0) / (0.35 * amounts.sum()))


def pooled_moments(n: int, generator: np.random.Generator) -> np.ndarray:
    """Return minus the distance of a coalition's mean and spread from those of all data."""
    centres = generator.normal(0, 1, (CLASSES, FEATURES))
    counts = generator.integers(20, 100, n)
    sums, squares = np.empty((n, FEATURES)), np.empty((n, FEATURES))
    for i, count in enumerate(counts):
        labels = generator.choice(CLASSES, count, p=generator.dirichlet(np.full(CLASSES, 0.5)))
        points = centres[labels] + 0.5 * generator.normal(size=(count, FEATURES))
        sums[i], squares[i] = points.sum(axis=0), (points**2).sum(axis=0)
    members = all_coalitions(n).astype(np.float64)
    total = (members @ counts).clip(min=1)[:, None]
    mean = members @ sums / total
    spread = np.sqrt((members @ squares / total - mean**2).clip(min=0))
    return np.asarray(-(((mean - mean[-1]) ** 2) + (spread - spread[-1]) ** 2).sum(axis=1))


def centroid_accuracy(n: int, generator: np.random.Generator) -> np.ndarray:
    """Return the accuracy of a nearest-centroid classifier; the last two players' labels lie."""
    centres = generator.normal(0, 0.8, (CLASSES, FEATURES))
    sums, counts = np.zeros((n, CLASSES, FEATURES)), np.zeros((n, CLASSES))
    for i in range(n):
        size = int(generator.integers(5, 25))
        labels = generator.choice(CLASSES, size, p=generator.dirichlet(np.full(CLASSES, 0.7)))
        points = centres[labels] + generator.normal(size=(size, FEATURES))
        if i >= n - 2:
            labels = generator.permutation(labels)
        np.add.at(sums[i], labels, points)
        np.add.at(counts[i], labels, 1)
    truth = generator.integers(0, CLASSES, 200)
    tests = centres[truth] + generator.normal(size=(200, FEATURES))
    members = all_coalitions(n).astype(np.float64)
    known = members @ counts
    found = np.tensordot(members, sums, 1) / known.clip(min=1)[..., None]
    distance = (found**2).sum(axis=-1)[:, None] - 2 * np.einsum("tf,scf->stc", tests, found)
    distance = np.where(known[:, None] > 0, distance, np.inf)
    return np.asarray((distance.argmin(axis=-1) == truth).mean(axis=1))


FAMILIES: dict[str, Callable[[int, np.random.Generator], np.ndarray]] = {
    "saturating": saturating,
    "moments": pooled_moments,
    "accuracy": centroid_accuracy,
}


def noisy_table(utilities: np.ndarray, budget: int, noise: float, seed: int) -> UtilityTable:
    """Evaluate a game of 2**n utilities with a study's design, repeats and noise."""
    n = len(utilities).bit_length() - 1
    rows = design(n, budget - 8, seed=seed)
    rows = np.concatenate([rows, rows[[0, 0, 1, 1]], rows[5:41:9][:4]])
    generator = np.random.default_rng([seed, budget])
    noises = noise * utilities.std() * generator.standard_normal(len(rows))
    return UtilityTable.from_arrays(rows, utilities[rows @ (1 << np.arange(n))] + noises)


def measure(
    family: str, n: int, budget: int, noise: float, repetitions: int, estimator: str
) -> tuple[float, float]:
    """Return coverage and the root of mean squared error over mean squared standard error."""
    covered, errors, stated = [], [], []
    for instance in range(INSTANCES):
        utilities = FAMILIES[family](n, np.random.default_rng([instance, n]))
        exact = enumerate_values(utilities[:, None])[:, 0]
        for seed in range(repetitions):
            table = noisy_table(utilities, budget, noise, seed)
            found = estimate(table, estimator, confidence=CONFIDENCE, resamples=RESAMPLES)
            covered.append((found.ci_low <= exact) & (exact <= found.ci_high))
            errors.append((found.values - exact) ** 2)
            stated.append(found.standard_errors**2)
    return float(np.mean(covered)), float(np.sqrt(np.mean(errors) / np.mean(stated)))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=10, help="tables of each game")
    parser.add_argument("--estimator", default="regression_adjusted")
    options = parser.parse_args()
    print(f"{'n':>3} {'M':>4} {'noise':>5}" + "".join(f"{name:>18}" for name in FAMILIES))
    coverages = []
    for n, budget in SETTINGS:
        for noise in NOISES:
            row = [
                measure(family, n, budget, noise, options.repetitions, options.estimator)
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
