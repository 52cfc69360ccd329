"""The axioms that define the Shapley value, for every estimator for which they hold exactly."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credit_plugin.game import UtilityTable, design
from credit_plugin.game.toys import (
    AdditiveGame,
    AirportGame,
    CarrierGame,
    GloveGame,
    SaturatingGame,
    VotingGame,
)
from credit_plugin.values import estimate, estimator_names
from credit_plugin.values.estimators.exact import enumerate_values
from credit_plugin.values.observations import observe
from credit_plugin.values.registry import get_estimator
from credit_plugin.values.uncertainty import resample

ESTIMATORS = ["exact", "kernelshap_paper", "permutation", "regression_adjusted"]
EXACT_WHEN_ENUMERATED = ["exact", "permutation", "regression_adjusted"]
ON_ANY_DESIGN = ["kernelshap_paper", "regression_adjusted"]
TOYS = [
    AdditiveGame([1.0, -2.0, 0.0, 3.5, 0.2], base=-4.0),
    GloveGame(2, 4),
    AirportGame([3, 1, 4, 1, 5, 9, 2]),
    CarrierGame(6, [0, 4]),
    VotingGame([5, 4, 3, 2, 1, 1, 1], quota=9),
    SaturatingGame([2, 7, 1, 8, 2, 8], scale=9.0),
]
QUICK = {"resamples": 2}
MANY = settings(max_examples=25, deadline=None)

seeds = st.integers(0, 2**32 - 1)


def everything(n):
    return (np.arange(2**n)[:, None] >> np.arange(n)) % 2 == 1


def random_table(n, budget, seed, kind="paired_border"):
    rows = design(n, budget, kind, seed)
    return UtilityTable.from_arrays(rows, np.random.default_rng(seed).normal(size=budget))


def values_of(rows, utilities, estimator):
    return estimate(UtilityTable.from_arrays(rows, utilities), estimator, **QUICK).values


def chained(n, orders, seed, scale=1.0):
    """Return coalitions of random orders and their reverses, and random utilities."""
    generator = np.random.default_rng(seed)
    rows = []
    for _ in range(orders):
        rank = generator.permutation(n)
        rows += [rank < size for size in range(n + 1)]
        rows += [rank >= size for size in range(1, n)]
    rows = np.unique(rows, axis=0)
    return rows, scale * generator.normal(size=len(rows))


def test_these_are_all_estimators():
    assert estimator_names() == ESTIMATORS


@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: type(toy).__name__)
@pytest.mark.parametrize("estimator", EXACT_WHEN_ENUMERATED)
def test_all_coalitions_give_the_closed_form(toy, estimator):
    rows = everything(toy.n_players)
    assert values_of(rows, toy(rows), estimator) == pytest.approx(toy.shapley(), abs=1e-9)


@pytest.mark.parametrize("n", [3, 4, 5])
def test_kernelshap_is_exact_when_rows_come_as_often_as_the_kernel_says(n):
    """Each size s has frequency 1/(s (n-s)) in the kernel: repeat its coalitions that often."""
    rows = everything(n)
    sizes = rows.sum(axis=1)
    inner = np.where((sizes > 0) & (sizes < n), sizes, 1)
    factorial = np.cumprod([1, *range(1, n + 1)])
    # (s-1)! (n-s-1)! is proportional to 1 / (s (n-s) C(n, s)), the kernel of one coalition
    times = np.where(inner == sizes, factorial[inner - 1] * factorial[n - inner - 1], 1)
    utilities = np.random.default_rng(n).normal(size=2**n)
    found = values_of(
        np.repeat(rows, times, axis=0), np.repeat(utilities, times), "kernelshap_paper"
    )
    assert found == pytest.approx(enumerate_values(utilities[:, None])[:, 0], abs=1e-9)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@given(seed=seeds, scale=st.sampled_from([1e-6, 1.0, 1e4]), extra=st.integers(0, 6))
@MANY
def test_efficiency_holds_for_values_and_for_every_resample(estimator, seed, scale, extra):
    generator = np.random.default_rng(seed)
    if estimator == "exact":
        rows = everything(4)
        utilities = scale * generator.normal(size=16)
    elif estimator == "permutation":
        rows, utilities = chained(6, 3, seed, scale)
    else:
        rows = design(7, 20 + extra, seed=seed)
        utilities = scale * generator.normal(size=len(rows))
    rows = np.concatenate([rows, rows[:extra]])
    utilities = np.concatenate([utilities, scale * generator.normal(size=extra)])
    table = UtilityTable.from_arrays(rows, utilities)
    found = estimate(table, estimator, **QUICK)
    total = found.v_full - found.v_empty
    assert found.values.sum() == pytest.approx(total, abs=1e-9 * max(scale, 1))
    observed = observe(table)
    drawn = resample(observed, get_estimator(estimator)(observed), 20, seed)
    assert drawn.values.sum(axis=1) == pytest.approx(drawn.totals, abs=1e-9 * max(scale, 1))


@pytest.mark.parametrize("estimator", EXACT_WHEN_ENUMERATED)
@given(seed=seeds)
@MANY
def test_symmetric_players_get_the_same(estimator, seed):
    rows = everything(5)
    # players 1 and 3 enter by their number only
    key = np.column_stack([rows[:, [0, 2, 4]], rows[:, 1].astype(int) + rows[:, 3]])
    _, group = np.unique(key, axis=0, return_inverse=True)
    utilities = np.random.default_rng(seed).normal(size=32)[group.ravel()]
    values = values_of(rows, utilities, estimator)
    assert values[1] == pytest.approx(values[3], abs=1e-9)


@pytest.mark.parametrize("estimator", EXACT_WHEN_ENUMERATED)
@given(seed=seeds, player=st.integers(0, 4))
@MANY
def test_a_player_who_changes_nothing_gets_nothing(estimator, seed, player):
    rows = everything(5)
    without = rows.copy()
    without[:, player] = False
    utilities = np.random.default_rng(seed).normal(size=32)[without @ (1 << np.arange(5))]
    assert values_of(rows, utilities, estimator)[player] == pytest.approx(0, abs=1e-9)


def linear_case(estimator, seed):
    """Return coalitions on which the estimator's answer is linear in the utilities."""
    if estimator == "permutation":
        return chained(5, 3, seed)[0]
    if estimator == "kernelshap_paper":
        return design(8, 40, "shapley_iid", seed)
    return everything(5)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@given(seed=seeds, factor=st.floats(-3, 3))
@MANY
def test_values_of_a_sum_of_games_are_the_sum(estimator, seed, factor):
    rows = linear_case(estimator, seed)
    one, other = np.random.default_rng(seed).normal(size=(2, len(rows)))
    together = values_of(rows, one + factor * other, estimator)
    apart = values_of(rows, one, estimator) + factor * values_of(rows, other, estimator)
    assert together == pytest.approx(apart, abs=1e-7)


@given(seed=seeds)
@MANY
def test_the_default_is_linear_on_any_design_for_its_penalty(seed):
    """The ridge penalty is chosen from the utilities; once it is, values are linear in them."""
    table = random_table(8, 40, seed)
    observed = observe(table)
    readout = get_estimator("regression_adjusted")(observed)
    ones = np.ones(len(readout.strata))
    games = np.random.default_rng(seed).normal(size=(2, len(observed.utilities)))
    together = readout.solve((games[0] - 2 * games[1])[:, None], ones)
    apart = readout.solve(games.T, ones) @ [[1], [-2]]
    assert together == pytest.approx(apart, abs=1e-9)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@given(seed=seeds)
@MANY
def test_relabelling_players_and_shuffling_rows_relabels_values(estimator, seed):
    generator = np.random.default_rng(seed)
    n = 6
    if estimator == "exact":
        rows, utilities = everything(n), generator.normal(size=2**n)
    elif estimator == "permutation":
        rows, utilities = chained(n, 3, seed)
    else:
        rows, utilities = design(n, 30, seed=seed), generator.normal(size=30)
    names = generator.permutation(n)
    order = generator.permutation(len(rows))
    relabelled = values_of(rows[:, names][order], utilities[order], estimator)
    assert relabelled == pytest.approx(values_of(rows, utilities, estimator)[names], abs=1e-8)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@given(seed=seeds, shift=st.floats(-100, 100))
@MANY
def test_a_constant_added_to_every_utility_changes_no_value(estimator, seed, shift):
    rows = linear_case(estimator, seed)
    utilities = np.random.default_rng(seed).normal(size=len(rows))
    shifted = values_of(rows, utilities + shift, estimator)
    assert shifted == pytest.approx(values_of(rows, utilities, estimator), abs=1e-7)


@pytest.mark.parametrize("estimator", ON_ANY_DESIGN)
@given(seed=seeds, n=st.integers(3, 12))
@MANY
def test_additive_games_are_recovered_from_a_few_coalitions(estimator, seed, n):
    worths = np.random.default_rng(seed).normal(size=n)
    rows = design(n, min(6 * n, 2**n), seed=seed)
    game = AdditiveGame(worths, base=2.0)
    assert values_of(rows, game(rows), estimator) == pytest.approx(worths, abs=1e-6)


@given(seed=seeds)
@MANY
def test_an_additive_game_is_recovered_from_a_single_chain(seed):
    worths = np.random.default_rng(seed).normal(size=8)
    rows, _ = chained(8, 1, seed)
    assert values_of(rows, rows @ worths, "permutation") == pytest.approx(worths, abs=1e-9)
