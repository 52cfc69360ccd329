"""two_level(): a cheap game everywhere, the exact one where it counts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credit_plugin.errors import InputError
from credit_plugin.game import UtilityTable, design
from credit_plugin.game.toys import AdditiveGame, AirportGame, NoisyGame, SaturatingGame
from credit_plugin.values import estimate
from credit_plugin.values.estimators.exact import enumerate_values
from credit_plugin.values.half_differences import covariances, value_covariances, value_variances
from credit_plugin.values.two_level import two_level

N = 8
EXACT = SaturatingGame(list(range(1, N + 1)), scale=14.0)
BIAS = AdditiveGame(0.06 * np.array([1, -1, 1, 1, -1, 1, -1, -1.0]))
SD = 0.03  # about a sixth of the game's deviation


def biased(coalitions):
    """A cheap game: another scale, and a bias for each contributor."""
    return 1.1 * EXACT(coalitions) + BIAS(coalitions)


def table(game, rows, sd=SD, seed=0):
    """Evaluate with the repeats of a study: the empty and the full coalition three times."""
    generator = np.random.default_rng(seed)
    rows = np.concatenate([rows, rows[[0, 0, 1, 1]]])
    return UtilityTable.from_arrays(rows, game(rows) + sd * generator.standard_normal(len(rows)))


def pair(exact_budget=32, cheap=biased, sd=SD, seed=0, kind="paired_border"):
    rows = design(N, 100, kind=kind, seed=seed)
    return (
        table(cheap, rows, sd, 2 * seed),
        table(EXACT, rows[:exact_budget], sd, 2 * seed + 1),
    )


def error(values, game=EXACT):
    return float(((values - game.shapley()) ** 2).sum())


def all_coalitions(n):
    return (np.arange(2**n)[:, None] >> np.arange(n)) % 2 == 1


@pytest.mark.parametrize("n", [2, 3, 4, 6])
def test_the_priors_shapley_values_are_those_of_the_definition(n):
    """Applying the definition to the prior covariance of all coalitions, once and on both sides."""
    signs = 2.0 * all_coalitions(n) - 1
    shapley = enumerate_values(np.eye(2**n))
    deviations = shapley - shapley.mean(axis=0)
    prior = covariances(signs, np.zeros(2**n, dtype=bool))
    inner = np.abs(signs.sum(axis=1)) < n
    towards, variances = value_covariances(signs[inner]), value_variances(n)
    for part in range(len(prior)):
        once = deviations @ prior[part]
        assert towards[part] == pytest.approx(once[:, inner], abs=1e-12)
        twice = variances[part] * (np.eye(n) - 1 / n)
        assert once @ deviations.T == pytest.approx(twice, abs=1e-12)


def test_prior_draws_are_odd_games():
    signs = 2.0 * all_coalitions(4) - 1
    for part in covariances(signs, np.zeros(16, dtype=bool)):
        # the complement of coalition c is coalition 15 - c
        assert part[::-1] == pytest.approx(-part)


def test_values_sum_to_the_exact_total():
    cheap, exact = pair()
    found = two_level(cheap, exact)
    ends = exact.coalitions.sum(axis=1)
    assert found.v_empty == pytest.approx(exact.utilities[ends == 0].mean())
    assert found.v_full == pytest.approx(exact.utilities[ends == N].mean())
    assert found.values.sum() == pytest.approx(found.v_full - found.v_empty)
    assert found.estimator == "two_level"
    assert found.quantity == "Shapley value"


@pytest.mark.parametrize("cheap", [AirportGame([1, 2, 3, 3, 5, 6]), AdditiveGame([0.0] * 6)])
def test_with_every_coalition_and_no_noise_the_cheap_game_does_not_matter(cheap):
    rows = all_coalitions(6)[[0, 63, *range(1, 63)]]
    exact = SaturatingGame([1, 2, 3, 4, 5, 6], 8.0)
    found = two_level(table(cheap, rows, sd=0.0), table(exact, rows, sd=0.0))
    assert found.values == pytest.approx(exact.shapley(), abs=1e-5)
    assert found.diagnostics["difference_weight"] > 0.99


def test_a_wrong_scale_is_mended_by_a_few_exact_evaluations():
    cheap, exact = pair(2 * N, cheap=lambda rows: 1.5 * EXACT(rows), sd=1e-3)
    found = two_level(cheap, exact)
    assert found.diagnostics["scale"] == pytest.approx(1 / 1.5, rel=0.05)
    # the scale alone makes the proxy wrong by a half
    assert error(found.values) < 0.02 * error(estimate(cheap, resamples=2).values)


@pytest.mark.parametrize("ratio", [0.01, 0.002, 1e-5])
def test_a_cheap_game_that_hardly_varies_does_not_silence_retraining(ratio):
    errors, covered = [], []
    for seed in range(4):
        cheap, exact = pair(6 * N, cheap=lambda rows: 0.3 + ratio * EXACT(rows), sd=0, seed=seed)
        exact = table(EXACT, exact.coalitions[: 6 * N], seed=seed)
        found, alone = two_level(cheap, exact), estimate(exact, resamples=2)
        errors.append([error(found.values), error(alone.values)])
        covered.append((found.ci_low <= EXACT.shapley()) & (EXACT.shapley() <= found.ci_high))
    both, alone = np.median(errors, axis=0)
    assert both < 1.5 * alone
    assert np.mean(covered) > 0.85


def test_few_exact_evaluations_beat_both_alone():
    errors = []
    for seed in range(8):
        cheap, exact = pair(2 * N, seed=seed)
        alone = [estimate(t, "regression_adjusted", resamples=2).values for t in (cheap, exact)]
        errors.append([error(two_level(cheap, exact).values), *map(error, alone)])
    both, proxy, retraining = np.median(errors, axis=0)
    assert both < 0.8 * proxy
    assert both < 0.8 * retraining


def test_many_exact_evaluations_outvote_the_proxy():
    errors = []
    for seed in range(8):
        cheap, exact = pair(8 * N, seed=seed)
        retraining = estimate(exact, "regression_adjusted", resamples=2).values
        errors.append([error(two_level(cheap, exact).values), error(retraining)])
    both, alone = np.median(errors, axis=0)
    assert both < 1.2 * alone  # eight tables tell no more exactly


def test_a_cheap_game_about_something_else_is_not_believed():
    other = SaturatingGame([9, 1, 7, 1, 8, 1, 9, 1][::-1], scale=10.0)
    errors, scales = [], []
    for seed in range(6):
        cheap, exact = pair(6 * N, cheap=lambda rows: -other(rows), seed=seed)
        found = two_level(cheap, exact)
        scales.append(found.diagnostics["scale"])
        retraining = estimate(exact, "regression_adjusted", resamples=2).values
        errors.append([error(found.values), error(retraining)])
    both, alone = np.median(errors, axis=0)
    assert both < 1.5 * alone
    assert np.median(np.abs(scales)) < 0.5


def test_more_exact_evaluations_count_more():
    weights = [two_level(*pair(r)).diagnostics["difference_weight"] for r in (8, 32, 96)]
    assert 0 < weights[0] < weights[1] < weights[2] < 1


@pytest.mark.parametrize("budget", [2 * N, 6 * N])
def test_intervals_cover(budget):
    covered = []
    for seed in range(40):
        found = two_level(*pair(budget, seed=seed))
        covered.append((found.ci_low <= EXACT.shapley()) & (EXACT.shapley() <= found.ci_high))
    # 320 intervals that are not independent; nominal .95
    assert 0.88 < np.mean(covered) < 0.995


def test_without_repeats_the_intervals_say_that_the_noise_is_a_guess():
    rows = design(N, 60)
    tables = [UtilityTable.from_arrays(r, EXACT(r)) for r in (rows, rows[:20])]
    assert "guess" in two_level(*tables).diagnostics["intervals"]
    assert "guess" not in two_level(*pair()).diagnostics["intervals"]


def test_draws_have_the_standard_errors_and_totals_that_only_seeds_move():
    cheap, exact = pair()
    found = two_level(cheap, exact, resamples=4000)
    assert found.draws.shape == (4000, N)
    assert found.draws.mean(axis=0) == pytest.approx(found.values, abs=0.1 * SD)
    assert found.draws.std(axis=0) == pytest.approx(found.standard_errors, rel=0.06)
    # the empty and the full coalition are means of three evaluations each
    total = found.diagnostics["seed_noise"] * (2 / 3) ** 0.5
    assert found.draws.sum(axis=1).std() == pytest.approx(total, rel=0.06)


def test_the_seed_moves_draws_alone():
    cheap, exact = pair()
    one, two, three = (two_level(cheap, exact, seed, resamples=10) for seed in (1, 1, 2))
    assert np.array_equal(one.draws, two.draws)
    assert not np.array_equal(one.draws, three.draws)
    assert np.array_equal(one.values, three.values)
    assert np.array_equal(one.ci_high, three.ci_high)


def test_diagnostics_say_what_the_values_rest_on():
    cheap, exact = pair(32)
    found = two_level(cheap, exact)
    facts = found.diagnostics
    assert facts["evaluations"] == 104 + 36
    assert facts["exact_evaluations"] == 36
    assert facts["coalitions"] == 100
    assert facts["paired"] == 32
    assert facts["seed_noise"] == estimate(exact, resamples=2).diagnostics["seed_noise"]
    assert facts["left_out_error_two_level"] < facts["left_out_error_exact_alone"]
    assert facts["left_out_error_two_level"] < facts["left_out_error_proxy_alone"]
    parts = [facts[f"standard_error_{part}"] for part in ("cheap_seeds", "exact_seeds")]
    parts.append(facts["standard_error_coalitions"])
    assert np.sum(np.square(parts)) == pytest.approx((found.standard_errors**2).mean())


def test_exact_coalitions_that_the_cheap_table_lacks_count_too():
    errors = []
    for seed in range(6):
        rows = design(N, 132, seed=seed)
        cheap = table(biased, rows[:100], seed=seed)
        exact = table(EXACT, np.concatenate([rows[:2], rows[100:]]), seed=seed + 100)
        found = two_level(cheap, exact)
        assert found.diagnostics["paired"] == 2
        errors.append([error(found.values), error(estimate(cheap, resamples=2).values)])
    both, proxy = np.median(errors, axis=0)
    assert both < 0.8 * proxy


@pytest.mark.parametrize("kind", ["permutation", "shapley_iid"])
def test_coalitions_without_their_complement_are_read(kind):
    errors = []
    for seed in range(6):
        cheap, exact = pair(48, seed=seed, kind=kind)
        found = two_level(cheap, exact)
        errors.append([error(found.values), error(estimate(cheap, resamples=2).values)])
    both, proxy = np.median(errors, axis=0)
    assert both < 0.8 * proxy


def test_constant_games_are_shared_equally():
    rows = design(5, 20)
    found = two_level(*(UtilityTable.from_arrays(r, np.ones(len(r))) for r in (rows, rows[:8])))
    assert found.values == pytest.approx(np.zeros(5), abs=1e-12)
    assert np.isfinite(found.ci_high).all()


def test_several_properties_come_by_name():
    cheap, exact = pair(16)
    named = [
        UtilityTable.concat(
            *(
                UtilityTable.from_arrays(t.coalitions, sign * t.utilities, property=name)
                for name, sign in (("quality", 1), ("loss", -1))
            )
        )
        for t in (cheap, exact)
    ]
    found = two_level(*named)
    assert list(found) == ["quality", "loss"]
    assert found["loss"].property == "loss"
    assert found["loss"].values == pytest.approx(-found["quality"].values, abs=1e-6)
    alone = two_level(*named, property="loss")
    assert np.array_equal(alone.values, found["loss"].values)


@settings(max_examples=20, deadline=None)
@given(
    order=st.permutations(range(N)),
    factor=st.floats(0.01, 100.0),
    levels=st.tuples(st.floats(-5, 5), st.floats(-5, 5)),
    shuffle=st.integers(0, 99),
)
def test_names_units_levels_and_row_order_do_not_matter(order, factor, levels, shuffle):
    tables = pair(24)
    before = two_level(*tables, resamples=2)
    order = np.array(order)
    generator = np.random.default_rng(shuffle)
    changed = []
    for given_table, level in zip(tables, levels, strict=True):
        rows = generator.permutation(len(given_table))
        utilities = factor * (given_table.utilities[rows] + level)
        changed.append(UtilityTable.from_arrays(given_table.coalitions[rows][:, order], utilities))
    after = two_level(*changed, resamples=2)
    # weights are found by a search that stops a little off the top
    tolerance = 0.05 * before.standard_errors.mean()
    assert after.values / factor == pytest.approx(before.values[order], abs=tolerance)
    assert after.standard_errors / factor == pytest.approx(before.standard_errors[order], rel=0.1)


def test_bad_input_is_named():
    cheap, exact = pair(16)
    renamed = UtilityTable.from_arrays(exact.coalitions, exact.utilities, list("abcdefgh"))
    with pytest.raises(InputError, match="same order"):
        two_level(cheap, renamed)
    ends = exact.coalitions.sum(axis=1)
    for size, name in ((0, "empty"), (N, "full")):
        keep = ends != size
        part = UtilityTable.from_arrays(exact.coalitions[keep], exact.utilities[keep])
        with pytest.raises(InputError, match=f"exact table: the {name} coalition is missing"):
            two_level(cheap, part)
        with pytest.raises(InputError, match=f"cheap table: the {name} coalition is missing"):
            two_level(part, exact)
    keep = (ends == 0) | (ends == N)
    bare = UtilityTable.from_arrays(exact.coalitions[keep], exact.utilities[keep])
    with pytest.raises(InputError, match="exact table: only the empty and the full"):
        two_level(cheap, bare)
    with pytest.raises(InputError, match="'other' is not in the table"):
        two_level(cheap, exact, property="other")
    with pytest.raises(InputError, match="confidence"):
        two_level(cheap, exact, confidence=1.0)
    with pytest.raises(InputError, match="resamples"):
        two_level(cheap, exact, resamples=1)


def test_noisy_evaluations_average_out():
    """More repeats of the same exact coalitions lower the error that their seeds leave."""
    rows = design(N, 24)
    sds = []
    for repeats in (1, 6):
        exact_rows = np.concatenate([rows, *[rows] * repeats])
        exact = UtilityTable.from_arrays(exact_rows, NoisyGame(EXACT, SD, 3)(exact_rows))
        found = two_level(pair()[0], exact)
        sds.append(found.diagnostics["standard_error_exact_seeds"])
    # at most by the root of 7/2; less, since what is less noisy is also believed more
    assert sds[1] < 0.8 * sds[0]
