"""What each estimator does beyond the axioms, and what it asks of a table."""

from itertools import pairwise, permutations

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import Lasso

from credit_plugin.errors import InputError
from credit_plugin.game import UtilityTable, design
from credit_plugin.game.toys import AdditiveGame, NoisyGame, SaturatingGame, VotingGame
from credit_plugin.values import estimate
from credit_plugin.values.adjusted import AdjustedReader
from credit_plugin.values.chains import find_chains
from credit_plugin.values.estimators.exact import enumerate_values
from credit_plugin.values.observations import observe
from credit_plugin.values.proxy import additive_proxy
from credit_plugin.values.registry import get_estimator
from credit_plugin.values.semivalues import banzhaf_chances, beta_chances
from credit_plugin.values.steps import find_steps
from credit_plugin.values.trees import shapley_of_trees
from credit_plugin.values.uncertainty import draw_weights
from credit_plugin.values.units import pair_units


def relative_error(values, exact):
    return float(((values - exact) ** 2).sum() / (exact**2).sum())


def test_the_default_needs_far_fewer_evaluations_than_the_papers_estimator():
    game = SaturatingGame([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], scale=18.0)
    exact = game.shapley()
    sd = game((np.arange(1024)[:, None] >> np.arange(10)) % 2 == 1).std()
    errors = {"regression_adjusted": [], "kernelshap_paper": []}
    kinds = {"regression_adjusted": "paired_border", "kernelshap_paper": "shapley_iid"}
    for seed in range(24):
        noisy = NoisyGame(game, 0.1 * sd, seed)
        for estimator, kind in kinds.items():
            rows = design(10, 128, kind, seed)
            table = UtilityTable.from_arrays(rows, noisy(rows))
            found = estimate(table, estimator, resamples=2)
            errors[estimator].append(relative_error(found.values, exact))
    assert np.mean(errors["regression_adjusted"]) <= np.mean(errors["kernelshap_paper"]) / 5


def test_the_papers_formula_written_out():
    rows = design(5, 20, "shapley_iid", 1)
    utilities = np.random.default_rng(0).normal(size=20)
    v0, v1 = utilities[0], utilities[1]
    X, y = rows[2:].astype(float), utilities[2:]
    # the formula knows rows, not coalitions: repeats are rows of their own
    A, b = X.T @ X / 18, X.T @ (y - v0) / 18
    plus, ones = np.linalg.pinv(A), np.ones(5)
    expected = plus @ (b - ones * (ones @ plus @ b - v1 + v0) / (ones @ plus @ ones))
    assert not np.array_equal(np.unique(rows, axis=0).shape, rows.shape), "repeats are in the case"
    found = estimate(UtilityTable.from_arrays(rows, utilities), "kernelshap_paper", resamples=2)
    assert found.values == pytest.approx(expected, abs=1e-9)


def test_the_paper_formula_says_how_far_the_design_is_from_its_own():
    def mismatch(kind):
        rows = design(10, 400, kind, 0)
        table = UtilityTable.from_arrays(rows, rows.sum(axis=1))
        return estimate(table, "kernelshap_paper", resamples=2).diagnostics["kernel_mismatch"]

    assert mismatch("shapley_iid") < 0.08
    assert mismatch("uniform") > 0.3


def test_few_evaluations_of_many_players_stay_close_to_equal_shares():
    """With fewer coalitions than players no estimate can be good, but none may explode."""
    n = 60
    worths = np.random.default_rng(1).uniform(0.5, 1.5, n)
    ours, equal, papers = [], [], []
    for seed in range(10):
        rows = design(n, 50, seed=seed)
        utilities = NoisyGame(AdditiveGame(worths), 3.0, seed)(rows)
        table = UtilityTable.from_arrays(rows, utilities)
        share = np.full(n, (utilities[1] - utilities[0]) / n)
        equal.append(relative_error(share, worths))
        ours.append(relative_error(estimate(table, resamples=2).values, worths))
        papers.append(
            relative_error(estimate(table, "kernelshap_paper", resamples=2).values, worths)
        )
    assert np.mean(ours) < 2 * np.mean(equal)
    assert np.mean(ours) < np.mean(papers) / 5


def test_who_happens_to_be_seen_at_a_size_is_not_charged_for_it():
    """Small coalitions are bad, few of them are seen: nobody may lose by being in one of those."""
    n, differences = 20, []
    for seed in range(20):
        rows = design(n, 60, seed=seed)
        alone = rows[rows.sum(axis=1) == 1].any(axis=0)
        assert 0 < alone.sum() < n, "some players are seen alone and others are not"
        utilities = -np.exp(-rows.sum(axis=1) / 2.0)  # all players are the same
        found = estimate(UtilityTable.from_arrays(rows, utilities), resamples=2).values
        differences.append(found[alone].mean() - found[~alone].mean())
    assert abs(np.mean(differences)) < 0.08 / n  # everybody deserves 1 / n


def test_the_penalty_vanishes_without_noise_and_grows_with_it():
    rows = design(12, 48, seed=0)
    game = AdditiveGame(np.linspace(0.9, 1.1, 12))
    penalties = []
    for sd in (0.0, 0.05, 5.0):
        table = UtilityTable.from_arrays(rows, NoisyGame(game, sd, 1)(rows))
        penalties.append(additive_proxy(observe(table)).penalty)
    assert penalties[0] == 0
    assert penalties[0] < penalties[1] < penalties[2]


def test_the_penalty_is_what_left_out_pairs_and_the_likelihood_ask():
    """The closed forms against refitting without each pair, and against the normal density."""
    rows = design(6, 25, seed=3)  # the last coalition has no partner
    utilities = np.random.default_rng(5).normal(size=25) + rows @ np.arange(6)
    observed = observe(UtilityTable.from_arrays(rows, utilities))
    chosen = additive_proxy(observed).penalty
    inner = np.arange(2, 25)
    X = rows[inner] - 0.5
    spread = np.linalg.eigvalsh((X - X.mean(axis=0)).T @ (X - X.mean(axis=0))).mean()
    centre = (utilities[1] - utilities[0]) / 6
    errors = {}
    for penalty in spread * np.concatenate([[0.0], 10.0 ** np.arange(-4, 2.01, 0.5)]):
        squares = []
        for start in range(0, 23, 2):
            out = np.arange(start, min(start + 2, 23))
            kept = np.setdiff1d(np.arange(23), out)
            y = utilities[inner] - X.sum(axis=1) * centre
            Z = X[kept] - X[kept].mean(axis=0)
            slopes = np.linalg.solve(Z.T @ Z + penalty * np.eye(6), Z.T @ y[kept])
            predicted = y[kept].mean() + (X[out] - X[kept].mean(axis=0)) @ slopes
            squares += list((y[out] - predicted) ** 2)
        errors[penalty] = np.array(squares)
    best = min(errors.values(), key=np.mean)
    close = [
        penalty
        for penalty, squares in errors.items()
        if np.mean(squares - best) <= 0.3 * np.std(squares - best) / (23 / 2) ** 0.5
    ]
    assert len(close) < len(errors)
    pairs = np.arange(2, 24, 2)
    D = (X[pairs - 2] - X[pairs - 1]) / 2**0.5
    y = utilities[inner] - X.sum(axis=1) * centre
    d = (y[pairs - 2] - y[pairs - 1]) / 2**0.5
    densities = {}
    for penalty in list(errors)[1:]:
        covariance = np.eye(len(d)) + D @ D.T / penalty
        scale = d @ np.linalg.solve(covariance, d) / len(d)
        densities[penalty] = multivariate_normal(cov=scale * covariance).logpdf(d)
    assert chosen == pytest.approx(max(max(close), max(densities, key=densities.get)))


def test_permutation_is_the_mean_over_the_chains_in_the_table():
    n = 4
    generator = np.random.default_rng(3)
    orders = [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)]
    rows = {frozenset(order[:size]) for order in orders for size in range(n + 1)}
    utilities = {members: generator.normal() for members in rows}
    gains = []
    for order in permutations(range(n)):  # the orders that cross between the three, too
        steps = [frozenset(order[:size]) for size in range(n + 1)]
        if all(step in rows for step in steps):
            gain = np.zeros(n)
            for player, (before, after) in zip(order, pairwise(steps), strict=True):
                gain[player] = utilities[after] - utilities[before]
            gains.append(gain)
    assert len(gains) >= 3
    coalitions = np.array([[i in members for i in range(n)] for members in utilities])
    table = UtilityTable.from_arrays(coalitions, np.array(list(utilities.values())))
    assert estimate(table, "permutation").values == pytest.approx(np.mean(gains, axis=0))


def test_chains_of_hundreds_of_players_are_counted_without_overflow():
    n = 300
    rank = np.random.default_rng(0).permutation(n)
    # at every other size a second coalition: 2**149 chains
    rows = [rank < size for size in range(n + 1)]
    rows += [(rank < size - 1) | (rank == size) for size in range(1, n, 2)]
    chains = find_chains(np.array(rows), 0, n)
    assert chains is not None
    assert np.isfinite(chains.chance).all()
    assert chains.chance.sum() == pytest.approx(n)


def test_units_are_pairs_within_layers_and_whole_layers_are_left_alone():
    rows = design(6, 31, seed=0)  # size 1 and 5 whole, the last coalition alone
    observed = observe(UtilityTable.from_arrays(rows, np.arange(31)))
    units = pair_units(observed)
    sizes = rows.sum(axis=1)
    layer = np.minimum(sizes, 6 - sizes)
    assert (units.unit[layer <= 1] == -1).all()
    drawn = units.unit >= 0
    assert drawn.sum() == (layer > 1).sum()
    for unit in range(len(units.strata)):
        members = rows[units.unit == unit]
        assert len(members) == 1 or np.array_equal(members[0], ~members[1])
    assert (np.bincount(units.unit[drawn]) == 1).sum() == 1


MISSING = {
    "empty": ([[1, 1], [0, 1]], "regression_adjusted", "the empty coalition is missing"),
    "full": ([[0, 0], [0, 1]], "regression_adjusted", "the full coalition is missing"),
    "interior": ([[0, 0], [1, 1]], "regression_adjusted", "only the empty and the full"),
    "interior of the paper": ([[0, 0], [1, 1]], "kernelshap_paper", "only the empty and the full"),
    "chain": ([[0, 0, 0], [1, 0, 0], [0, 1, 1], [1, 1, 1]], "permutation", "has none"),
    "step": (
        [[0, 0, 0], [1, 0, 0], [0, 1, 1], [1, 1, 1]],
        "stratified",
        "contributor 2 has none",
    ),
    "leaving": (
        [[0, 0, 0], [1, 1, 0], [0, 1, 1], [1, 1, 1]],
        "leave_one_out",
        "1 of 3 are missing, for instance without contributor 2",
    ),
    "adding": (
        [[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 1]],
        "add_one_in",
        "1 of 3 are missing, for instance of contributor 3",
    ),
    "all": (
        [[0, 0], [0, 1], [1, 1]],
        "exact",
        "needs all 4 coalitions and 1 are missing, for instance 10",
    ),
}


@pytest.mark.parametrize("case", MISSING)
def test_what_a_table_lacks_is_said_in_one_line(case):
    rows, estimator, message = MISSING[case]
    table = UtilityTable.from_arrays(np.array(rows), np.arange(len(rows), dtype=float))
    with pytest.raises(InputError) as caught:
        estimate(table, estimator)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_exact_is_for_few_players():
    rows = design(17, 40)
    with pytest.raises(InputError, match="at most 16 contributors, not 17"):
        estimate(UtilityTable.from_arrays(rows, rows.sum(axis=1)), "exact")


def everything(n):
    return (np.arange(2**n)[:, None] >> np.arange(n)) % 2 == 1


def test_trees_have_the_shapley_values_of_their_predictions():
    rows = design(6, 40, seed=0).astype(float)
    utilities = np.random.default_rng(0).normal(size=40)
    model = GradientBoostingRegressor(n_estimators=20, max_depth=4, random_state=0)
    model.fit(rows, utilities)
    enumerated = enumerate_values(model.predict(everything(6).astype(float))[:, None])[:, 0]
    assert shapley_of_trees(model, 6) == pytest.approx(enumerated, abs=1e-12)


def test_trees_are_corrected_by_what_they_miss():
    game = VotingGame([5, 4, 3, 2, 1, 1], quota=9)
    rows = everything(6)
    table = UtilityTable.from_arrays(rows, game(rows))
    found = estimate(table, "regression_adjusted", options={"proxy": "trees"}, resamples=2)
    assert found.values == pytest.approx(game.shapley(), abs=1e-9)


def test_auto_enumerates_when_it_can_and_says_so():
    rows = everything(4)
    found = estimate(UtilityTable.from_arrays(rows, rows.sum(axis=1) ** 2.0), resamples=2)
    assert found.estimator == "auto"
    assert found.diagnostics["chosen"] == "exact"
    assert found.diagnostics["why"] == "every coalition was evaluated"


def test_auto_takes_the_proxy_that_pays():
    """Thresholds are for trees; additive games for the additive proxy."""

    def chosen(game, budget):
        rows = design(12, budget, seed=0)
        table = UtilityTable.from_arrays(rows, NoisyGame(game, 0.02, 0)(rows))
        return estimate(table, resamples=2).diagnostics

    votes = chosen(VotingGame([9, 8, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], quota=15), 600)
    assert votes["chosen"] == "regression_adjusted, proxy trees"
    assert "ridge" in votes["why"]
    additive = chosen(AdditiveGame(np.arange(12.0)), 160)
    assert additive["chosen"] == "regression_adjusted, proxy ridge"
    # a size that is enumerated costs nothing, so what happens to small coalitions is no reason
    assert "trees" not in chosen(AdditiveGame(np.arange(12.0)), 60)["why"]


def test_auto_takes_one_pair_of_coalitions_as_it_is():
    rows = design(6, 4, seed=0)
    found = estimate(UtilityTable.from_arrays(rows, rows.sum(axis=1) ** 0.5), resamples=2)
    assert found.values.sum() == pytest.approx(6**0.5)
    assert "a single pair" in found.diagnostics["why"]


def test_semivalues_are_what_enumeration_says():
    n, utilities = 6, np.random.default_rng(2).normal(size=64)
    rows = everything(n)
    table = UtilityTable.from_arrays(rows, utilities)
    sizes = rows.sum(axis=1)
    cases = {
        ("banzhaf", "msr"): banzhaf_chances(n),
        ("banzhaf", "regression"): banzhaf_chances(n),
        ("beta_shapley", ""): beta_chances(n, 16.0, 1.0),
    }
    for (estimator, method), chances in cases.items():
        assert chances.sum() == pytest.approx(1)
        expected = np.empty(n)
        for player in range(n):
            without = np.flatnonzero(~rows[:, player])
            gains = utilities[without | 1 << player] - utilities[without]
            means = [gains[sizes[without] == size].mean() for size in range(n)]
            expected[player] = chances @ means
        options = {"method": method} if method else {}
        found = estimate(table, estimator, options=options, resamples=2)
        assert found.values == pytest.approx(expected, abs=1e-7)


def test_beta_one_one_is_the_shapley_value_but_for_efficiency():
    game = SaturatingGame([1, 2, 3, 4, 5, 6, 7, 8], scale=14.0)
    rows = design(8, 60, seed=1)
    table = UtilityTable.from_arrays(rows, game(rows))
    beta = estimate(table, "beta_shapley", options={"alpha": 1}, resamples=2).values
    shapley = estimate(table, "regression_adjusted", resamples=2).values
    assert beta - beta.mean() == pytest.approx(shapley - shapley.mean(), abs=1e-9)


def test_large_alpha_listens_to_small_coalitions():
    chances = beta_chances(40, 16.0, 1.0)
    assert chances @ np.arange(40) == pytest.approx(39 / 17)
    assert np.isfinite(beta_chances(1000, 16.0, 1.0)).all()
    assert np.isfinite(banzhaf_chances(1000)).all()


@pytest.mark.parametrize("n", [1100, 1200])
def test_banzhaf_regression_reads_sizes_that_are_no_part_of_all_coalitions(n):
    """Of 2^1200 coalitions the part with three members is 0 in floating-point numbers."""
    generator = np.random.default_rng(0)
    rows = np.zeros((12, n), dtype=bool)
    rows[1] = True
    for row in rows[2:]:
        row[generator.choice(n, 3, replace=False)] = True
    table = UtilityTable.from_arrays(rows, rows[:, :600].sum(axis=1) * 1.0)
    found = estimate(table, "banzhaf", options={"method": "regression"}, resamples=2)
    assert np.isfinite(found.values).all()
    evaluated = rows[2:].any(axis=0)
    assert found.values[:600][evaluated[:600]].mean() > found.values[600:].max()


def test_the_lasso_is_scikit_learns():
    rows = design(10, 80, seed=0)
    worths = np.array([3.0, 2, 1, 0, 0, 0, 0, 0, 0, 0])
    utilities = NoisyGame(AdditiveGame(worths), 0.5, 1)(rows)
    found = estimate(
        UtilityTable.from_arrays(rows, utilities),
        "datamodel",
        options={"penalty": "lasso"},
        resamples=2,
    )
    model = Lasso(alpha=found.diagnostics["penalty"], tol=1e-10, max_iter=100_000)
    assert found.values == pytest.approx(model.fit(rows - 0.5, utilities).coef_, abs=1e-3)
    assert 3 <= found.diagnostics["selected"] < 10


def test_steps_are_all_pairs_that_differ_by_one():
    rows = design(6, 40, seed=0)
    found = {(int(s), int(t), int(i)) for s, t, i in zip(*find_steps(rows), strict=True)}
    expected = set()
    for s, t in permutations(range(len(rows)), 2):
        differ = np.flatnonzero(rows[s] != rows[t])
        if len(differ) == 1 and rows[t, differ[0]]:
            expected.add((s, t, int(differ[0])))
    assert found == expected
    assert found


def test_the_influence_of_units_is_what_redrawing_them_does():
    """What hundreds of contributors get instead of hundreds of solutions, against these."""
    rows = design(30, 400, seed=0)
    game = SaturatingGame(list(range(1, 31)), 150.0)
    sd = game(rows).std()
    observed = observe(UtilityTable.from_arrays(rows, NoisyGame(game, 0.2 * sd, 0)(rows)))
    readout = get_estimator("regression_adjusted")(observed)
    reader = readout.solve.__self__
    assert isinstance(reader, AdjustedReader)
    weights = draw_weights(readout.strata, 300, np.random.default_rng(0))
    y = observed.utilities
    exact = np.array([readout.solve(y[:, None], row)[:, 0] for row in weights])
    linear = readout.solve(y[:, None], np.ones(len(readout.strata)))[:, 0] + (
        weights - 1
    ) @ reader.influence(y)
    ratio = linear.std(axis=0) / exact.std(axis=0)
    assert ratio.mean() == pytest.approx(1, abs=0.12)
    assert ratio.min() > 0.8
    agreement = [np.corrcoef(linear[:, i], exact[:, i])[0, 1] for i in range(30)]
    assert min(agreement) > 0.6  # ratios of few rows are not linear
