"""Where coalitions are few, intervals count what resampling cannot see."""

from unittest import mock

import numpy as np
import pytest

from credit_plugin.game import UtilityTable, design
from credit_plugin.game.toys import SaturatingGame
from credit_plugin.values import estimate, unseen
from credit_plugin.values.estimation import prepare
from credit_plugin.values.estimators.exact import enumerate_values
from credit_plugin.values.observations import observe
from credit_plugin.values.unseen import games_like, unseen_variance


def saturating(n):
    """A game in which more helps less and less, whose values are known for any n."""
    return SaturatingGame(list(range(1, n + 1)), n * n / 6)


def study(n, budget, kind="border_first", seed=0, noise=0.02):
    rows = design(n, budget, kind, seed=seed)
    rows = np.concatenate([rows, rows[[0, 0, 1, 1]], rows[5:41:9][:4]])
    own = np.random.default_rng([seed, 3])
    return UtilityTable.from_arrays(
        rows, saturating(n)(rows) + noise * own.standard_normal(len(rows))
    )


def test_the_values_of_drawn_games_are_their_exact_shapley_values():
    n = 6
    rows = (np.arange(2**n)[:, None] >> np.arange(n)) % 2 == 1
    observed = observe(UtilityTable.from_arrays(rows, saturating(n)(rows)))
    utilities, values = games_like(observed, 5, np.random.default_rng(1))
    order = observed.coalitions @ (1 << np.arange(n))
    sorted_utilities = np.empty_like(utilities)
    sorted_utilities[order] = utilities
    assert enumerate_values(sorted_utilities) == pytest.approx(values, abs=1e-12)
    assert utilities[[observed.empty, observed.full]] == pytest.approx(0, abs=1e-12)


def test_drawn_games_vary_as_much_as_the_measured_one():
    observed = observe(study(16, 400, "uniform", noise=0.0))
    utilities, _ = games_like(observed, 300, np.random.default_rng(2))
    measured = drawn = 0.0
    for size in range(4, 13):
        rows = observed.sizes == size
        measured += observed.utilities[rows].var(ddof=1)
        drawn += utilities[rows].var(axis=0, ddof=1).mean()
    assert drawn == pytest.approx(measured, rel=0.25)


@pytest.mark.parametrize(
    ("n", "budget", "kind", "estimator"),
    [
        (5, 32, "exact", "auto"),  # nothing was left to chance
        (8, 48, "paired_border", "auto"),  # six coalitions for each player
        (12, 30, "paired_border", "banzhaf"),  # another quantity
    ],
)
def test_where_it_is_not_needed_nothing_is_added(n, budget, kind, estimator):
    observed = observe(study(n, budget, kind))
    assert unseen_variance(observed, prepare(observed, estimator, {}), 0) == 0
    found = estimate(study(n, budget, kind), estimator)
    assert "allowance" not in found.diagnostics["intervals"]


def test_intervals_of_few_coalitions_cover_where_the_bootstrap_alone_does_not():
    n, exact = 20, saturating(20).shapley()
    alone, covered = [], []
    for seed in range(4):
        table = study(n, 48, seed=seed)
        with mock.patch.object(unseen, "FEW", 0):
            found = estimate(table, seed=seed)
        alone.append((found.ci_low <= exact) & (exact <= found.ci_high))
        found = estimate(table, seed=seed)
        covered.append((found.ci_low <= exact) & (exact <= found.ci_high))
        assert found.diagnostics["intervals"] == (
            "choice of coalitions and seed noise; "
            "an allowance for what so few coalitions do not show"
        )
    assert np.mean(alone) < 0.7
    assert np.mean(covered) > 0.9


def test_values_stay_and_draws_still_sum_to_their_totals():
    table = study(20, 44)
    with mock.patch.object(unseen, "FEW", 0):
        alone = estimate(table)
    found = estimate(table)
    assert (found.values == alone.values).all()
    assert (found.standard_errors > alone.standard_errors).all()
    assert found.draws.std(axis=0, ddof=1) == pytest.approx(found.standard_errors, rel=0.2)
    assert found.draws.sum(axis=1) == pytest.approx(alone.draws.sum(axis=1), abs=1e-9)
    assert (estimate(table).standard_errors == found.standard_errors).all()


def test_an_additive_game_that_is_known_needs_no_allowance():
    """Where left-out coalitions are predicted, effects are the same at every size."""
    worths = np.linspace(0.5, 2.0, 20)
    rows = design(20, 60, seed=0)
    noise = 0.05 * np.random.default_rng(0).standard_normal(len(rows))
    observed = observe(UtilityTable.from_arrays(rows, rows @ worths + noise))
    hidden = unseen_variance(observed, prepare(observed, "auto", {}), 0)
    assert hidden**0.5 < 0.1 * worths.std()


@pytest.mark.parametrize(
    ("repeats", "included"),
    [
        (2, "seed noise; an allowance for what so few coalitions do not show"),
        (
            1,
            "an allowance for what so few coalitions do not show; "
            "no coalition was repeated, so seed noise is unknown",
        ),
    ],
)
def test_sizes_that_a_design_leaves_out_count_too(repeats, included):
    """Nothing is left to chance where all are alone and all are missing, but much is unseen."""
    exact = saturating(12).shapley()
    rows = np.repeat(design(12, 26, "border_first"), repeats, axis=0)
    noise = 1e-4 * np.random.default_rng(4).standard_normal(len(rows))
    found = estimate(UtilityTable.from_arrays(rows, saturating(12)(rows) + noise))
    assert found.diagnostics["intervals"] == included
    assert np.mean((found.ci_low <= exact) & (exact <= found.ci_high)) > 0.8


def test_after_a_single_draw_the_allowance_is_named_and_the_rest_is_unknown():
    table = study(6, 16)  # all six alone, all six missing, and one pair more
    found = estimate(table).diagnostics
    assert found["single_draw"]
    assert found["intervals"] == (
        "seed noise and an allowance for what so few coalitions do not show: "
        "what other coalitions would change is unknown after a single draw"
    )
