import numpy as np
import pytest

from credit_plugin.game.toys import (
    AdditiveGame,
    AirportGame,
    CarrierGame,
    GloveGame,
    NoisyGame,
    SaturatingGame,
    VotingGame,
)
from credit_plugin.values.estimators.exact import enumerate_values

GAMES = {
    "additive": AdditiveGame([1.0, -2.0, 0.0, 3.5], base=0.7),
    "glove 2:3": GloveGame(2, 3),
    "glove 4:1": GloveGame(4, 1),
    "airport": AirportGame([3, 1, 4, 1, 5, 0]),
    "carrier": CarrierGame(6, [1, 3, 4]),
    "voting": VotingGame([4, 3, 2, 1, 0], quota=6),
    "majority": VotingGame.majority(7),
    "saturating": SaturatingGame([3, 1, 4, 1, 5, 9, 0], scale=8.0),
}


@pytest.mark.parametrize("name", GAMES)
def test_formulas_agree_with_enumeration(name):
    game = GAMES[name]
    rows = (np.arange(2**game.n_players)[:, None] >> np.arange(game.n_players)) % 2 == 1
    utilities = game(rows)
    assert utilities.shape == (len(rows),)
    assert utilities.dtype == np.float64
    assert game.shapley() == pytest.approx(enumerate_values(utilities[:, None])[:, 0], abs=1e-12)


def test_known_answers():
    assert GloveGame(1, 2).shapley() == pytest.approx([2 / 3, 1 / 6, 1 / 6])
    assert VotingGame([3, 2, 1], quota=4).shapley() == pytest.approx([2 / 3, 1 / 6, 1 / 6])
    assert VotingGame.majority(9).shapley() == pytest.approx(np.full(9, 1 / 9))
    assert AirportGame([10, 20, 30]).shapley() == pytest.approx([10 / 3, 25 / 3, 55 / 3])


def test_saturating_values_are_exact_for_many_players():
    game = SaturatingGame([1 + i % 5 for i in range(40)], scale=30.0)
    values = game.shapley()
    ends = game(np.array([[False] * 40, [True] * 40]))
    assert values.sum() == pytest.approx(ends[1] - ends[0], abs=1e-12)
    assert np.all(np.diff(values[:5]) > 0)
    assert values[0] == pytest.approx(values[5], abs=1e-15)


def test_noise_has_the_stated_size_and_keeps_the_values():
    game = NoisyGame(GAMES["additive"], sd=0.3, seed=1)
    rows = np.zeros((20_000, 4), dtype=bool)
    noise = game(rows) - 0.7
    assert noise.std() == pytest.approx(0.3, rel=0.03)
    assert abs(noise.mean()) < 0.01
    assert not np.array_equal(game(rows), game(rows))
    assert np.array_equal(game.shapley(), GAMES["additive"].shapley())
