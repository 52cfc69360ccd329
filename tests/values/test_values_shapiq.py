"""Against shapiq, an independent implementation: the same numbers from the same evaluations."""

from math import comb

import numpy as np
import pytest
from shapiq import ExactComputer
from shapiq.approximator import SVARM, KernelSHAP, UnbiasedKernelSHAP

from credit_plugin.game import UtilityTable
from credit_plugin.game.toys import AirportGame, GloveGame, SaturatingGame, VotingGame
from credit_plugin.values import estimate
from credit_plugin.values.interactions import interactions

GAMES = [
    SaturatingGame([2, 7, 1, 8, 2, 8], scale=9.0),
    VotingGame([5, 4, 3, 2, 1, 1], quota=9),
    AirportGame([3, 1, 4, 1, 5, 9]),
    GloveGame(2, 4),
]


class Recorder:
    """A game that remembers which coalitions it was asked for."""

    def __init__(self, game):
        self.game, self.rows = game, []

    def __call__(self, rows):
        rows = np.atleast_2d(np.asarray(rows, dtype=bool))
        self.rows.append(rows)
        return self.game(rows)

    def table(self, **columns):
        rows = np.concatenate(self.rows)
        return UtilityTable.from_arrays(rows, self.game(rows), **columns)


def everything(n):
    return (np.arange(2**n)[:, None] >> np.arange(n)) % 2 == 1


@pytest.mark.parametrize("game", GAMES, ids=lambda game: type(game).__name__)
def test_exact_values_and_interactions(game):
    n = game.n_players
    computer = ExactComputer(n_players=n, game=lambda rows: game(np.atleast_2d(rows)))
    values, pairs = computer("SV"), computer("SII", order=2)
    rows = everything(n)
    table = UtilityTable.from_arrays(rows, game(rows))
    found = estimate(table, "exact", resamples=2).values
    assert found == pytest.approx([values[(i,)] for i in range(n)], abs=1e-9)
    index = interactions(table, resamples=2).index
    for i in range(n):
        for j in range(i + 1, n):
            assert index[i, j] == pytest.approx(pairs[(i, j)], abs=1e-7)


@pytest.mark.parametrize(
    ("approximator", "estimator"),
    [
        (KernelSHAP, "kernelshap"),
        (KernelSHAP, "leverage_shap"),
        (UnbiasedKernelSHAP, "unbiased_kernelshap"),
        (SVARM, "svarm"),
    ],
)
@pytest.mark.parametrize("game", GAMES, ids=lambda game: type(game).__name__)
def test_the_same_from_all_coalitions(game, approximator, estimator):
    n = game.n_players
    recorder = Recorder(game)
    theirs = approximator(n=n, random_state=0).approximate(2**n, recorder)
    ours = estimate(recorder.table(), estimator, resamples=2).values
    # their efficiency is a large weight and not a constraint
    assert ours == pytest.approx([theirs[(i,)] for i in range(n)], abs=1e-5)


@pytest.mark.parametrize("budget", [30, 44])
@pytest.mark.parametrize("game", GAMES, ids=lambda game: type(game).__name__)
def test_the_same_least_squares_from_the_same_part(game, budget):
    """With their weights in the table, the paper's formula is their regression."""
    n = game.n_players
    recorder = Recorder(game)
    approximator = KernelSHAP(n=n, random_state=3, pairing_trick=True)
    theirs = approximator.approximate(budget, recorder)
    rows = np.concatenate(recorder.rows)
    sizes = rows.sum(axis=1)
    kernel = [1.0 if s in (0, n) else 1 / ((n - 1) * comb(n - 2, s - 1)) for s in sizes]
    weights = np.array(kernel) * approximator._sampler.sampling_adjustment_weights
    table = recorder.table(weights=weights / weights.max())
    ours = estimate(table, "kernelshap_paper", resamples=2).values
    assert ours == pytest.approx([theirs[(i,)] for i in range(n)], abs=1e-5)
