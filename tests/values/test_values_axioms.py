"""Laws of single estimators beyond the suite that all of them keep."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credit_plugin.game import UtilityTable, design
from credit_plugin.values import estimate
from credit_plugin.values.estimators.exact import enumerate_values
from credit_plugin.values.observations import observe
from credit_plugin.values.registry import get_estimator
from credit_plugin.values.uncertainty import resample

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


@given(seed=seeds)
@MANY
def test_an_additive_game_is_recovered_from_a_single_chain(seed):
    worths = np.random.default_rng(seed).normal(size=8)
    rows, _ = chained(8, 1, seed)
    assert values_of(rows, rows @ worths, "permutation") == pytest.approx(worths, abs=1e-9)


@pytest.mark.parametrize("estimator", ["regression_adjusted", "kernelshap", "svarm"])
@given(seed=seeds)
@MANY
def test_every_resample_sums_to_its_own_total(estimator, seed):
    generator = np.random.default_rng(seed)
    rows = design(7, 24, seed=seed)
    rows = np.concatenate([rows, rows[:6]])
    table = UtilityTable.from_arrays(rows, generator.normal(size=len(rows)))
    observed = observe(table)
    drawn = resample(observed, get_estimator(estimator)(observed), 20, seed)
    assert drawn.values.sum(axis=1) == pytest.approx(drawn.totals, abs=1e-9)
