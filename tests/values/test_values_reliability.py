"""Ranks, misallocation, split halves, and the gate that they make."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, spearmanr, t

from credit_plugin.errors import InputError
from credit_plugin.game import UtilityTable, design
from credit_plugin.game.toys import AdditiveGame, NoisyGame, SaturatingGame
from credit_plugin.seeding import numpy_generator
from credit_plugin.values import (
    ContributorValues,
    assess,
    estimate,
    misallocation,
    probability_above,
    rank_intervals,
    settled_ranks,
    split_half,
)
from credit_plugin.values.halves import deal_halves, spearman
from credit_plugin.values.observations import observe
from credit_plugin.values.reliability import CORRELATION_LIMIT


def found_values(values, draws, degrees=np.inf, confidence=0.95):
    """Return values with given draws, whose intervals rest on so many degrees of freedom."""
    values, draws = np.array(values, dtype=float), np.array(draws, dtype=float)
    errors = draws.std(axis=0, ddof=1)
    half = t.ppf((1 + confidence) / 2, degrees) * errors
    return ContributorValues(
        contributors=tuple(f"c{i + 1}" for i in range(len(values))),
        values=values,
        standard_errors=errors,
        ci_low=values - half,
        ci_high=values + half,
        v_empty=0.0,
        v_full=float(values.sum()),
        estimator="regression_adjusted",
        property="utility",
        confidence=confidence,
        draws=draws,
    )


def normal_values(values, sd, draws=400, seed=0, **others):
    noise = sd * np.random.default_rng(seed).standard_normal((draws, len(values)))
    return found_values(values, values + noise - noise.mean(axis=0), **others)


def study_table(n=8, budget=96, sd=0.02, seed=0, game=None):
    """Return a table with a study's repeats: empty and full three times, four others twice."""
    rows = design(n, budget, seed=seed)
    rows = np.concatenate([rows, rows[[0, 0, 1, 1]], rows[5::9][:4]])
    noisy = NoisyGame(game or SaturatingGame(list(range(1, n + 1)), n * n / 6), sd, seed)
    return UtilityTable.from_arrays(rows, noisy(rows))


def test_the_chance_to_be_above_is_the_normal_law_of_the_difference():
    found = normal_values([3.0, 2.0, 0.0], 0.7)
    spread = (found.draws[:, 0] - found.draws[:, 1]).std(ddof=1)
    chances = probability_above(found)
    assert chances[0, 1] == pytest.approx(norm.cdf(1 / spread))
    assert np.diag(chances).tolist() == [0.5] * 3
    assert chances + chances.T == pytest.approx(np.ones((3, 3)))


def test_errors_that_contributors_share_do_not_blur_who_is_above():
    common = np.random.default_rng(1).normal(0, 10, (200, 1))
    own = np.random.default_rng(2).normal(0, 0.01, (200, 2))
    found = found_values([1.0, 2.0], np.array([1.0, 2.0]) + common + own)
    assert found.standard_errors.min() > 5
    assert probability_above(found)[1, 0] > 0.999
    assert rank_intervals(found).tolist() == [[2, 2], [1, 1]]


def test_differences_without_spread_are_known_and_ties_stay_ties():
    values = np.array([0.3, 0.1 + 0.2, 1.0])  # the first two differ by rounding alone
    found = found_values(values, np.tile(values, (50, 1)))
    assert probability_above(found).tolist() == [[0.5, 0.5, 0], [0.5, 0.5, 0], [1, 1, 0.5]]
    assert rank_intervals(found).tolist() == [[2, 3], [2, 3], [1, 1]]
    assert settled_ranks(found) == 1


def test_two_contributors_are_apart_when_students_interval_of_the_difference_is():
    """With one comparison the critical value is that of a single t test."""
    for degrees in (np.inf, 6):
        limit = t.ppf(0.975, degrees)
        for factor, apart in ((0.85, False), (1.15, True)):
            noise = normal_values([0.0, 0.0], 1.0, draws=4000).draws
            spread = (noise[:, 0] - noise[:, 1]).std(ddof=1)
            values = [factor * limit * spread, 0.0]
            found = found_values(values, values + noise, degrees)
            assert (settled_ranks(found) == 2) == apart


def test_more_contributors_to_be_told_from_need_larger_differences():
    """The level is for all comparisons of a contributor at once."""

    def widest(n):
        noise = normal_values(np.zeros(n), 1.0, draws=2000).draws
        values = np.append(3.2, np.zeros(n - 1))  # 2.26 standard deviations of a difference
        return int(np.diff(rank_intervals(found_values(values, values + noise))[0])[0])

    assert widest(2) == 0
    assert widest(12) == 11


def test_few_resamples_settle_nothing():
    values = np.arange(4) * 100.0
    assert settled_ranks(normal_values(values, 1.0, draws=18)) == 0
    assert settled_ranks(normal_values(values, 1.0, draws=19)) == 4


def test_where_draws_lie_does_not_matter_but_how_they_spread():
    found = normal_values([1.0, 1.8, 2.6, 5.0], 0.2)
    moved = replace(found, draws=found.draws + np.array([3.0, -1.0, 0.5, 2.0]))
    assert np.array_equal(rank_intervals(found), rank_intervals(moved))


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(2, 9),
    seed=st.integers(0, 10_000),
    levels=st.tuples(st.floats(0.5, 0.98), st.floats(0.5, 0.98)),
)
def test_rank_intervals_hold_the_estimated_rank_and_grow_with_confidence(n, seed, levels):
    generator = np.random.default_rng(seed)
    values = generator.normal(size=n).round(1)
    found = normal_values(values, generator.uniform(0, 1, n), seed=seed, draws=60)
    narrow, wide = (rank_intervals(found, level) for level in sorted(levels))
    highest = 1 + (values[None] > values[:, None]).sum(axis=1)
    lowest = n - (values[None] < values[:, None]).sum(axis=1)
    assert (wide[:, 0] <= narrow[:, 0]).all()
    assert (narrow[:, 0] <= highest).all()
    assert (lowest <= narrow[:, 1]).all()
    assert (narrow[:, 1] <= wide[:, 1]).all()
    order = generator.permutation(n)
    shuffled = replace(
        found,
        **{
            name: getattr(found, name)[order]
            for name in ("values", "standard_errors", "ci_low", "ci_high")
        },
        draws=found.draws[:, order],
    )
    assert np.array_equal(
        rank_intervals(shuffled, levels[0]), rank_intervals(found, levels[0])[order]
    )


def test_rank_intervals_cover():
    """Half of the contributors are equal, the others too and a little more: the hardest case."""
    game = SaturatingGame([5] * 4 + [6] * 4, scale=16.0)
    lowest, highest = np.repeat([[5, 1], [8, 4]], 4, axis=1)
    covered = []
    for seed in range(40):
        table = study_table(8, 48, 0.03, seed, game)
        low, high = rank_intervals(estimate(table, "regression_adjusted", resamples=100)).T
        covered.append((low <= lowest) & (highest <= high))
    assert np.mean(covered) >= 0.95
    assert np.mean(np.all(covered, axis=1)) > 0.85


def test_hundreds_of_contributors_are_ranked_to_a_few_places():
    found = normal_values(np.arange(300.0), 0.5, draws=200)
    best, worst = rank_intervals(found).T
    assert (best <= 300 - np.arange(300)).all()
    assert (300 - np.arange(300) <= worst).all()
    assert (worst - best).max() < 10


def test_misallocation_is_the_mean_part_that_moves():
    found = found_values([3.0, 1.0, -2.0], [[1, 1, 0], [3, 1, -5], [0, 0, 2], [8, -1, 0]])
    # shares .75 .25 0 against .5 .5 0, .75 .25 0, 0 0 1, and 1 0 0
    assert misallocation(found) == pytest.approx(np.mean([0.25, 0, 1, 0.25]))


def test_a_resample_in_which_nobody_can_be_paid_moves_everything():
    assert misallocation(found_values([1.0, 1.0], [[1, 1], [-1, -2]])) == pytest.approx(0.5)
    assert misallocation(found_values([-1.0, 0.0], [[1, 1], [-1, -2]])) == 1


def test_misallocation_does_not_depend_on_the_unit():
    found = normal_values([1.0, 2.0, 3.0], 0.5)
    scaled = replace(found, values=1e6 * found.values, draws=1e6 * found.draws)
    assert misallocation(scaled) == pytest.approx(misallocation(found))


def test_halves_are_disjoint_and_keep_pairs_and_layers():
    rows = np.concatenate([design(9, 61, seed=1), design(9, 61, "uniform", seed=2)[2:]])
    observed = observe(UtilityTable.from_arrays(rows, np.arange(len(rows))))
    halves = deal_halves(observed, np.random.default_rng(0))
    keys = [{row.tobytes() for row in half.coalitions} for half in halves]
    ends = {bytes(9), b"\x01" * 9}
    assert keys[0] & keys[1] == ends
    assert keys[0] | keys[1] == {row.tobytes() for row in observed.coalitions}
    assert abs(len(keys[0]) - len(keys[1])) <= 2  # one pair
    for half, own in zip(halves, keys, strict=True):
        assert not half.coalitions[half.empty].any()
        assert half.coalitions[half.full].all()
        for row in observed.coalitions[observed.interior]:
            pair = row.tobytes(), (~row).tobytes()
            if pair[1] in keys[0] | keys[1]:
                assert (pair[0] in own) == (pair[1] in own)
    layers = [np.bincount(np.minimum(h.sizes, 9 - h.sizes), minlength=5) for h in halves]
    # a pair and a coalition of each size may be odd
    assert np.abs(layers[0] - layers[1]).max() <= 4


def test_halves_of_an_additive_game_agree_and_halves_of_noise_do_not():
    game = AdditiveGame([0.5, 1, 2, 3, 5, 8, 9, 11])
    exact = split_half(study_table(sd=0.0, game=game), "regression_adjusted")
    assert exact.correlation == pytest.approx(1.0)
    assert exact.reason == ""
    noise = split_half(study_table(sd=1.0, game=AdditiveGame([0.0] * 8)), "regression_adjusted")
    # a correlation of noise has variance 1/7, and the median of seven varies less
    assert abs(noise.correlation) < 2.1 * (1 / 7) ** 0.5
    assert exact.correlation == np.median(exact.correlations)


def test_one_swap_among_four_is_exactly_at_the_limit():
    assert spearman(np.array([1.0, 2, 3, 4]), np.array([2.0, 1, 3, 4])) >= CORRELATION_LIMIT
    assert spearman(np.array([1.0, 2, 3, 4]), np.array([2.0, 1, 4, 3])) == 0.6


def test_each_half_is_read_by_the_estimator_itself():
    table = study_table(budget=48)
    found = split_half(table, "banzhaf", seed=4, splits=1, options={"method": "regression"})
    assert found.estimator == "banzhaf"
    halves = deal_halves(observe(table), numpy_generator(4, "", "split halves"))
    values = [
        estimate(
            UtilityTable.from_arrays(half.coalitions, half.utilities),
            "banzhaf",
            resamples=2,
            options={"method": "regression"},
        ).values
        for half in halves
    ]
    assert found.correlation == pytest.approx(spearmanr(*values).statistic)


@pytest.mark.parametrize("estimator", ["exact", "leave_one_out", "permutation"])
def test_who_cannot_read_a_half_is_replaced_and_the_result_says_so(estimator):
    rows = (np.arange(32)[:, None] >> np.arange(5)) % 2 == 1
    table = UtilityTable.from_arrays(rows, AdditiveGame([1, 2, 3, 4, 5])(rows))
    found = split_half(table, estimator)
    assert found.estimator == "regression_adjusted"
    assert f"{estimator} cannot read half of a table" in found.reason
    assert found.correlation == pytest.approx(1.0)


def test_what_the_whole_table_lacks_is_an_error_and_not_a_replacement():
    with pytest.raises(InputError, match="exact needs all 256 coalitions"):
        split_half(study_table(), "exact")
    with pytest.raises(InputError, match="proxy 'forest' does not exist"):
        split_half(study_table(), "regression_adjusted", options={"proxy": "forest"})
    with pytest.raises(InputError, match="'kernel' is not an estimator"):
        split_half(study_table(), "kernel")
    with pytest.raises(InputError, match="splits: 0 is too few"):
        split_half(study_table(), "regression_adjusted", splits=0)


def test_a_table_that_is_too_small_gives_a_reason_instead_of_a_number():
    rows = [[0, 0], [1, 1], [0, 1], [1, 0]]
    found = split_half(UtilityTable.from_arrays(rows, [0, 3, 1, 2.0]), "regression_adjusted")
    assert found.correlation is None
    assert "too few coalitions for two halves: 1 pairs" in found.reason


def test_one_property_is_compared_at_a_time():
    sharp = study_table()
    varied = UtilityTable.from_arrays(sharp.coalitions, -sharp.utilities, property="varied")
    both = UtilityTable.concat(sharp, varied)
    one = split_half(both, "regression_adjusted", property="varied")
    assert one == split_half(varied, "regression_adjusted")
    with pytest.raises(InputError, match="name one of utility, varied"):
        split_half(both, "regression_adjusted")


def judged(table, estimator="regression_adjusted", **others):
    return assess(table, estimate(table, estimator, resamples=100, **others))


def test_a_clear_study_passes_in_words():
    found = judged(study_table(sd=0.002))
    assert found.passed
    assert found.failures == ()
    assert found.statement == (
        f"{found.settled_ranks} of 8 ranks are settled (at 95 % each); resampling moves "
        f"{100 * found.misallocation:.1f} % of the payout; two half-budgets rank contributors "
        f"alike (Spearman {found.split_half.correlation:.2f}): reliable."
    )


def test_a_noisy_study_fails_and_says_by_which_criterion():
    found = judged(study_table(sd=1.0))
    assert not found.passed
    assert found.misallocation > 0.15
    assert "resampling may move 15 % at most and the halves' rank corr" in found.statement
    assert "differently" in found.statement
    assert "not reliable" in found.statement


def test_equal_contributors_fail_by_their_halves_alone():
    found = judged(study_table(sd=0.01, game=AdditiveGame([1.0] * 8)))
    assert found.misallocation < 0.15
    assert found.failures == ("the halves' rank correlation must be 0.8 at least",)


def test_nobody_above_zero_fails():
    found = judged(study_table(sd=0.01, game=AdditiveGame(-np.arange(1.0, 9.0))))
    assert found.misallocation == 1
    assert found.failures == ("no contributor has a value above 0",)


def test_resamples_that_cannot_vary_open_no_gate():
    rows = (np.arange(32)[:, None] >> np.arange(5)) % 2 == 1
    utilities = AdditiveGame([1, 2, 3, 4, 5])(rows)
    once = judged(UtilityTable.from_arrays(rows, utilities), "exact")
    assert once.misallocation == 0
    assert not once.passed
    assert "nothing could be resampled" in once.statement
    assert "No coalition was repeated" in once.statement
    twice = UtilityTable.from_arrays(np.tile(rows, (2, 1)), np.tile(utilities, 2))
    assert judged(twice, "exact").passed
    stated = UtilityTable.from_arrays(np.append(rows, rows[:1], axis=0), [*utilities, utilities[0]])
    assert "nothing could be resampled" in judged(stated, "exact").statement


def test_a_single_draw_opens_no_gate():
    def failures(budget):
        game = AdditiveGame([1, 2, 4, 8])
        return judged(study_table(n=4, budget=budget, sd=1e-3, game=game)).failures

    single = "a single draw of coalitions does not show what others would change; raise game.budget"
    assert single in failures(12)
    assert single not in failures(14)


def test_other_readers_of_the_halves_are_noted():
    found = judged(study_table(n=5, budget=32, sd=0.002), "exact")
    assert "Exact cannot read half of a table, so regression_adjusted read" in found.statement


def test_a_verdict_is_json():
    found = judged(study_table())
    record = found.to_json_dict()
    assert json.loads(json.dumps(record)) == record
    assert record["passed"] is found.passed
    assert record["statement"] == found.statement
    assert record["rank_low"] == found.rank_low.tolist()
    assert record["split_half"]["correlation"] == found.split_half.correlation
    assert (record["misallocation_limit"], record["correlation_limit"]) == (0.15, 0.8)


def test_payouts_of_studies_that_pass_are_right_within_the_limit():
    """Over noise from none to as large as the game's own spread."""
    passed, off = [], []
    for seed in range(40):
        generator = np.random.default_rng(seed)
        game = SaturatingGame(generator.integers(1, 12, 8).tolist(), 18.0)
        table = study_table(8, 96, [0.01, 0.05, 0.1, 0.2][seed % 4], seed, game)
        values = estimate(table, "regression_adjusted", resamples=60)
        truth = game.shapley() / game.shapley().sum()
        off.append(np.abs(values.shares() - truth).sum() / 2)
        passed.append(assess(table, values).passed)
    off, passed = np.array(off), np.array(passed)
    assert 5 < passed.sum() < 35
    assert off[passed].max() <= 0.15
    assert off[passed].mean() < off[~passed].mean()


@pytest.mark.parametrize("judge", [probability_above, rank_intervals, settled_ranks, misallocation])
def test_values_from_json_have_no_draws_to_judge_by(judge):
    found = estimate(study_table(), "regression_adjusted", resamples=4)
    values = ContributorValues.from_json_dict(found.to_json_dict())
    with pytest.raises(InputError, match="0 draws are too few"):
        judge(values)


def test_arguments_that_cannot_be_used():
    table = study_table()
    values = estimate(table, "regression_adjusted", resamples=30)
    with pytest.raises(InputError, match="confidence: 1 is not between 0 and 1"):
        rank_intervals(values, 1)
    others = replace(values, contributors=tuple("abcdefgh"))
    with pytest.raises(InputError, match="their contributors are not the table's"):
        assess(table, others)
    with pytest.raises(InputError, match="'colour' is not in the table"):
        assess(table, replace(values, property="colour"))
