"""LDS, its ceilings and the agreement of utilities, on games whose answers are known."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from credit_plugin.fidelity.agreement import agreement
from credit_plugin.fidelity.lds import linear_datamodeling_score
from credit_plugin.fidelity.resampling import correlate, resample_both


def coalitions(n, size, count, seed=0):
    rows = [np.isin(np.arange(n), chosen) for chosen in combinations(range(n), size)]
    every = np.array(rows)
    return every[np.random.default_rng(seed).permutation(len(every))[:count]]


MEMBERS = coalitions(10, 5, 60)
WORTH = np.linspace(-1, 3, 10) ** 2


def score(scores, utilities, **options):
    options = {"resamples": 100, **options}
    return linear_datamodeling_score(scores, MEMBERS, utilities, **options)


def test_an_additive_game_is_predicted_perfectly_and_its_ceilings_are_one():
    utilities = np.repeat(np.round(MEMBERS @ WORTH + 7, 9)[:, None], 2, axis=1)
    found = score({"true": WORTH, "reversed": -WORTH, "equal": np.ones(10)}, utilities)
    assert found.scores["true"].value == pytest.approx(1)
    assert found.scores["reversed"].value == pytest.approx(-1)
    assert found.scores["equal"].value == 0
    for ceiling in (found.additive, found.additive_left_out, found.noise_ceiling, found.cross_seed):
        assert ceiling.value == pytest.approx(1)
    assert found.possible == pytest.approx(1)
    assert found.lead["reversed"].value == pytest.approx(2)
    assert found.lead["true"].to_json() == [0, 0, 0]


def test_the_score_is_the_mean_of_the_seeds_spearman_correlations():
    generator = np.random.default_rng(1)
    utilities, said = generator.normal(size=(60, 3)), generator.normal(size=10)
    by_seed = [spearmanr(MEMBERS @ said, utilities[:, s])[0] for s in range(3)]
    pairs = [spearmanr(utilities[:, a], utilities[:, b])[0] for a, b in ((0, 1), (0, 2), (1, 2))]
    found = score({"said": said}, utilities)
    assert found.scores["said"].value == pytest.approx(np.mean(by_seed))
    assert found.cross_seed.value == pytest.approx(np.mean(pairs))


def test_the_noise_ceiling_is_what_the_truth_itself_reaches():
    """Signal and noise of equal variance: seeds agree at 1/2, the truth reaches its root."""
    generator = np.random.default_rng(2)
    members = np.array([generator.permutation(12) < 6 for _ in range(1500)])
    worth = generator.normal(size=12)
    signal = members @ worth
    noise = generator.normal(scale=signal.std(), size=(1500, 2))
    found = linear_datamodeling_score(
        {"truth": worth}, members, signal[:, None] + noise, resamples=100
    )
    assert found.cross_seed.value == pytest.approx(6 / np.pi * np.arcsin(1 / 4), abs=0.06)
    assert found.scores["truth"].value == pytest.approx(found.noise_ceiling.value, abs=0.04)


def test_an_additive_fit_left_out_is_a_fit_to_the_others():
    generator = np.random.default_rng(3)
    target = MEMBERS @ WORTH + generator.normal(scale=2, size=60)
    system = np.column_stack([np.ones(60), MEMBERS])
    predicted = []
    for row in range(60):
        others = np.arange(60) != row
        slopes = np.linalg.lstsq(system[others], target[others], rcond=None)[0]
        predicted.append(system[row] @ slopes)
    expected = spearmanr(predicted, target)[0]
    found = score({"worth": WORTH}, np.repeat(target[:, None], 2, axis=1))
    assert found.additive_left_out.value == pytest.approx(expected)
    assert found.additive.value > found.additive_left_out.value


def test_with_no_more_coalitions_than_contributors_there_is_no_additive_ceiling():
    members = MEMBERS[:10]
    utilities = np.random.default_rng(4).normal(size=(10, 2))
    found = linear_datamodeling_score({"own": WORTH}, members, utilities, resamples=100)
    assert found.additive is None
    assert found.additive_left_out is None
    assert found.possible == found.noise_ceiling.value


def test_seeds_that_contradict_each_other_leave_nothing_to_predict():
    utilities = np.column_stack([np.arange(60.0), -np.arange(60.0)])
    found = score({"own": WORTH}, utilities)
    assert found.cross_seed.value == pytest.approx(-1)
    assert found.noise_ceiling.value == 0


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(0.01, 100), shift=st.floats(-5, 5))
def test_scores_count_by_their_order_of_coalitions_alone(scale, shift):
    utilities = np.random.default_rng(5).normal(size=(60, 2))
    found = score({"own": WORTH, "moved": WORTH * scale + shift}, utilities)
    assert found.scores["moved"].value == pytest.approx(found.scores["own"].value)


def test_an_interaction_that_no_sum_can_express_lowers_the_additive_ceiling():
    pair = MEMBERS[:, 0] ^ MEMBERS[:, 1]
    utilities = np.repeat((10.0 * pair + 0.01 * (MEMBERS @ WORTH))[:, None], 2, axis=1)
    found = score({"own": WORTH}, utilities)
    assert found.noise_ceiling.value == pytest.approx(1)
    assert found.additive.value < 0.7


def test_intervals_redraw_coalitions_and_not_only_seeds():
    generator = np.random.default_rng(6)
    utilities = np.repeat(generator.normal(size=60)[:, None], 2, axis=1)
    found = score({"own": WORTH}, utilities, resamples=400)
    interval = found.scores["own"]
    assert interval.low < interval.value < interval.high
    # of 60 independent pairs, Spearman has a standard error of about 1 / sqrt(59)
    assert (interval.high - interval.low) / (2 * 1.96) == pytest.approx(1 / 59**0.5, rel=0.3)


def test_intervals_cover_the_score_of_all_coalitions():
    """95 % intervals of 25 coalitions, against the score on all 252 of their size."""
    every = coalitions(10, 5, 252)
    generator = np.random.default_rng(7)
    truth = every @ WORTH + generator.normal(scale=4, size=252)
    said = WORTH + generator.normal(scale=1.5, size=10)
    expected = spearmanr(every @ said, truth)[0]
    hits = 0
    for trial in range(40):
        rows = np.random.default_rng(trial).permutation(252)[:25]
        utilities = np.repeat(truth[rows, None], 2, axis=1)
        found = linear_datamodeling_score({"own": said}, every[rows], utilities, resamples=200)
        hits += found.scores["own"].low <= expected <= found.scores["own"].high
    assert hits >= 34


def test_resamples_are_the_same_for_the_same_seed_and_for_all_statistics():
    values = np.random.default_rng(8).normal(size=(20, 3))

    def statistic(rows, seeds):
        mean = values[rows[:, :, None], seeds[:, None, :]].mean(axis=(1, 2))
        return np.column_stack([mean, mean + 1])

    one, two = (resample_both(statistic, 20, 3, 50, 1, 0.9) for _ in range(2))
    assert (one.draws == two.draws).all()
    assert one.difference(1, 0).to_json() == pytest.approx([1, 1, 1])
    assert (resample_both(statistic, 20, 3, 50, 2, 0.9).draws != one.draws).any()


def test_rows_that_do_not_vary_correlate_with_nothing():
    rows = np.array([[1.0, 2.0, 3.0], [0.1, 0.1, 0.1]])
    assert correlate(rows[:, None], rows) == pytest.approx(np.array([[1, 0], [0, 0]]))


def test_a_shifted_and_scaled_proxy_agrees_in_order_and_not_in_size():
    retrained = np.random.default_rng(9).normal(size=(40, 2))
    mean = retrained.mean(axis=1)
    same = agreement(mean, np.repeat(mean[:, None], 2, axis=1), resamples=100)
    assert [same.pearson.value, same.spearman.value] == pytest.approx([1, 1])
    assert same.error.value == same.bias.value == 0
    moved = agreement(2 * mean + 5, retrained, resamples=100)
    assert [moved.pearson.value, moved.spearman.value] == pytest.approx([1, 1])
    assert moved.bias.value == pytest.approx(mean.mean() + 5)
    assert moved.error.value == pytest.approx(np.abs(mean + 5).mean())
    assert moved.spread == pytest.approx(mean.std(ddof=1))


def test_a_proxy_that_says_nothing_is_not_told_from_zero():
    generator = np.random.default_rng(10)
    found = agreement(generator.normal(size=40), generator.normal(size=(40, 2)), resamples=300)
    assert found.pearson.low < 0 < found.pearson.high
    assert found.spearman.low < 0 < found.spearman.high
