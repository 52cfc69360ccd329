"""What every estimator has to keep: the axioms, and manners with tables as studies leave them."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from credit_plugin.game.design import design
from credit_plugin.game.table import UtilityTable
from credit_plugin.game.toys import (
    AdditiveGame,
    AirportGame,
    CarrierGame,
    GloveGame,
    SaturatingGame,
    VotingGame,
)
from credit_plugin.values import ContributorValues, estimate
from credit_plugin.values.readout import SHAPLEY

TOYS = (
    AdditiveGame([1.0, -2.0, 0.0, 3.5, 0.2], base=-4.0),
    GloveGame(2, 3),
    AirportGame([3, 1, 4, 1, 5]),
    CarrierGame(5, [0, 4]),
    VotingGame([5, 4, 3, 2, 1], quota=8),
    SaturatingGame([2, 7, 1, 8, 2], scale=9.0),
)

# one suite is run by many classes, each of which is an executor of its own
law = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.differing_executors]
)
seeds = st.integers(0, 2**32 - 1)


def all_coalitions(n: int) -> np.ndarray:
    """Return all coalitions, bool [2**n, n]; row c holds the players whose bit is set in c."""
    return (np.arange(2**n)[:, None] >> np.arange(n)) % 2 == 1


_CLAIMS = {
    "test_all_coalitions_give_the_closed_form": ("shapley", "exact_when_enumerated"),
    "test_values_and_draws_sum_to_the_total": ("shapley",),
    "test_symmetric_players_get_the_same": ("exact_when_enumerated",),
    "test_a_player_who_changes_nothing_gets_nothing": ("exact_when_enumerated",),
    "test_all_coalitions_make_values_of_a_sum_the_sum": ("exact_when_enumerated",),
    "test_values_of_a_sum_of_games_are_the_sum": ("linear",),
    "test_relabelling_players_and_shuffling_rows_relabels_values": ("unordered",),
    "test_additive_games_are_recovered_from_a_few_coalitions": ("recovers_additive",),
}
"""What an estimator must claim for a law to be a test of it."""


class EstimatorSuite:
    """The laws of an estimator; inherit, and set what is different.

    Attributes:
        estimator: Its registered name.
        options: Its options.
        shapley: Whether it estimates the Shapley value, which sums to v(full) - v(empty).
        exact_when_enumerated: Whether it is its quantity by definition once all coalitions are
            evaluated.
        linear: Whether, on a given design, it is linear in the utilities; not if it chooses
            something (a penalty, a proxy) by them.
        recovers_additive: Whether additive games are found from a part of the coalitions.
        unordered: Whether the order of rows and contributors cannot matter, as it does where folds
            are dealt by it.
        kind: A design that it can read.
    """

    estimator: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}
    shapley: ClassVar[bool] = True
    exact_when_enumerated: ClassVar[bool] = True
    linear: ClassVar[bool] = False
    recovers_additive: ClassVar[bool] = False
    unordered: ClassVar[bool] = True
    kind: ClassVar[str] = "paired_border"

    def __init_subclass__(cls) -> None:
        """Take away the laws that the estimator does not claim: they would test nothing."""
        for law_name, claims in _CLAIMS.items():
            if not all(getattr(cls, claim) for claim in claims):
                setattr(cls, law_name, None)

    def estimate(self, rows: np.ndarray, utilities: np.ndarray, **more: Any) -> ContributorValues:
        """Estimate from coalitions and utilities, with few resamples unless told otherwise."""
        table = UtilityTable.from_arrays(rows, utilities, weights=more.pop("weights", None))
        found: ContributorValues = estimate(
            table, self.estimator, options=self.options, **{"resamples": 2, **more}
        )
        return found

    def coalitions(self, n: int, budget: int, seed: int) -> np.ndarray:
        """Return coalitions that the estimator can read, bool [budget, n]."""
        return design(n, budget, self.kind, seed)

    def test_the_quantity_is_named(self) -> None:
        """Only what sums to the total may be called a Shapley value."""
        rows = all_coalitions(3)
        found = self.estimate(rows, rows.sum(axis=1) ** 0.5)
        assert found.estimator == self.estimator
        assert (found.quantity == SHAPLEY) == self.shapley

    @pytest.mark.parametrize("toy", TOYS, ids=lambda toy: type(toy).__name__)
    def test_all_coalitions_give_the_closed_form(self, toy: Any) -> None:
        """With nothing left to chance, the textbook's values come out."""
        rows = all_coalitions(toy.n_players)
        found = self.estimate(rows, toy(rows)).values
        assert found == pytest.approx(toy.shapley(), abs=1e-7)

    @given(seed=seeds, scale=st.sampled_from([1e-6, 1.0, 1e4]))
    @law
    def test_values_and_draws_sum_to_the_total(self, seed: int, scale: float) -> None:
        """Efficiency, for the estimate and for each of its resamples."""
        rows = self.coalitions(6, 30, seed)
        utilities = scale * np.random.default_rng(seed).normal(size=len(rows))
        found = self.estimate(rows, utilities, resamples=8)
        total = found.v_full - found.v_empty
        assert found.values.sum() == pytest.approx(total, abs=1e-8 * max(scale, 1))
        # nothing was repeated, so seeds are not redrawn and no draw has another total
        assert found.draws.sum(axis=1) == pytest.approx(np.full(8, total), abs=1e-8 * max(scale, 1))

    @given(seed=seeds)
    @law
    def test_standard_errors_are_numbers(self, seed: int) -> None:
        """With repeats, and with coalitions that were drawn once."""
        generator = np.random.default_rng(seed)
        rows = self.coalitions(6, 30, seed)
        rows = np.concatenate([rows, rows[:4]])
        utilities = 3.0 * rows.sum(axis=1) + generator.normal(size=len(rows))
        found = self.estimate(rows, utilities, resamples=8)
        assert np.isfinite(found.standard_errors).all()
        assert (found.standard_errors > 0).any()

    @given(seed=seeds)
    @law
    def test_symmetric_players_get_the_same(self, seed: int) -> None:
        """Players that enter the utilities by their number alone are alike."""
        rows = all_coalitions(5)
        key = np.column_stack([rows[:, [0, 2, 4]], rows[:, 1].astype(int) + rows[:, 3]])
        _, group = np.unique(key, axis=0, return_inverse=True)
        utilities = np.random.default_rng(seed).normal(size=32)[group.ravel()]
        values = self.estimate(rows, utilities).values
        assert values[1] == pytest.approx(values[3], abs=1e-7)

    @given(seed=seeds, player=st.integers(0, 4))
    @law
    def test_a_player_who_changes_nothing_gets_nothing(self, seed: int, player: int) -> None:
        """Null player, once all coalitions are known."""
        rows = all_coalitions(5)
        without = rows.copy()
        without[:, player] = False
        utilities = np.random.default_rng(seed).normal(size=32)[without @ (1 << np.arange(5))]
        assert self.estimate(rows, utilities).values[player] == pytest.approx(0, abs=1e-7)

    @given(seed=seeds, factor=st.floats(-3, 3))
    @law
    def test_values_of_a_sum_of_games_are_the_sum(self, seed: int, factor: float) -> None:
        """Linearity, on any design."""
        self._check_sum(self.coalitions(6, 30, seed), seed, factor)

    @given(seed=seeds, factor=st.floats(-3, 3))
    @law
    def test_all_coalitions_make_values_of_a_sum_the_sum(self, seed: int, factor: float) -> None:
        """Linearity, once all coalitions are known."""
        self._check_sum(all_coalitions(5), seed, factor)

    def _check_sum(self, rows: np.ndarray, seed: int, factor: float) -> None:
        one, other = np.random.default_rng(seed).normal(size=(2, len(rows)))
        together = self.estimate(rows, one + factor * other).values
        apart = self.estimate(rows, one).values + factor * self.estimate(rows, other).values
        assert together == pytest.approx(apart, abs=1e-6)

    @given(seed=seeds)
    @law
    def test_relabelling_players_and_shuffling_rows_relabels_values(self, seed: int) -> None:
        """Nobody is worth more for standing in another column."""
        generator = np.random.default_rng(seed)
        rows = self.coalitions(6, 30, seed)
        utilities = generator.normal(size=len(rows))
        names, order = generator.permutation(6), generator.permutation(len(rows))
        relabelled = self.estimate(rows[:, names][order], utilities[order]).values
        expected = self.estimate(rows, utilities).values[names]
        assert relabelled == pytest.approx(expected, abs=1e-6)

    @given(seed=seeds, shift=st.floats(-100, 100))
    @law
    def test_a_constant_added_to_every_utility_changes_no_value(
        self, seed: int, shift: float
    ) -> None:
        """Values are about differences."""
        rows = self.coalitions(6, 30, seed)
        utilities = np.random.default_rng(seed).normal(size=len(rows))
        shifted = self.estimate(rows, utilities + shift).values
        assert shifted == pytest.approx(self.estimate(rows, utilities).values, abs=1e-5)

    @given(seed=seeds, n=st.integers(3, 9))
    @law
    def test_additive_games_are_recovered_from_a_few_coalitions(self, seed: int, n: int) -> None:
        """An additive game is its players' worths."""
        worths = np.random.default_rng(seed).normal(size=n)
        rows = self.coalitions(n, min(6 * n, 2**n), seed)
        found = self.estimate(rows, 2.0 + rows @ worths).values
        assert found == pytest.approx(worths, abs=1e-5)

    @given(seed=seeds)
    @law
    def test_the_weight_of_rows_is_their_part_in_a_mean(self, seed: int) -> None:
        """Splitting an evaluation in two of half its weight changes nothing."""
        generator = np.random.default_rng(seed)
        rows = self.coalitions(5, 24, seed)
        utilities = generator.normal(size=len(rows))
        whole = self.estimate(rows, utilities).values
        doubled = self.estimate(
            np.concatenate([rows, rows]),
            np.concatenate([utilities - 0.1, utilities + 0.1]),
            weights=np.full(2 * len(rows), 0.5),
        ).values
        assert doubled == pytest.approx(whole, abs=1e-6)

    def test_more_repeats_make_the_seed_noise_smaller(self) -> None:
        """Ten evaluations of every coalition leave about a third of the noise of one."""
        rows = np.repeat(all_coalitions(4), 20, axis=0)
        noise = np.random.default_rng(0).normal(size=len(rows))
        utilities = rows.sum(axis=1) + noise
        two = np.sort(np.concatenate([np.arange(0, len(rows), 20), np.arange(1, len(rows), 20)]))
        many = self.estimate(rows, utilities, resamples=400).standard_errors
        few = self.estimate(rows[two], utilities[two], resamples=400).standard_errors
        assert 0.2 < (many / few).mean() < 0.5  # 1 / sqrt(10), and the noise itself is estimated
