"""Fidelity of trials and clear differences between them, on numbers with known answers."""

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from credit_plugin.tuning.scores import clearly_worse, fidelity, lead

RETRAINED = np.random.default_rng(0).normal(size=(24, 2)) * 0.1 + np.arange(24)[:, None] * 0.2


@pytest.mark.parametrize(("kind", "function"), [("pearson", pearsonr), ("spearman", spearmanr)])
def test_fidelity_is_the_correlation_with_the_mean_of_retrainings(kind, function):
    said = np.random.default_rng(1).normal(size=24) + RETRAINED[:, 0]
    found = fidelity(said, RETRAINED, kind, seed=0)
    assert found.value == pytest.approx(function(said, RETRAINED.mean(1))[0])
    assert found.low < found.value < found.high
    assert 0 < found.error < 0.3


def test_only_order_counts_for_spearman_and_only_linear_distance_for_pearson():
    curved = np.exp(RETRAINED.mean(1))
    assert fidelity(curved, RETRAINED, "spearman", 0).value == pytest.approx(1.0)
    assert fidelity(curved, RETRAINED, "pearson", 0).value < 0.95
    shifted = 7 + 3 * RETRAINED.mean(1)
    assert fidelity(shifted, RETRAINED, "pearson", 0).value == pytest.approx(1.0)


def test_the_standard_error_is_that_of_the_correlation():
    """For normal data it is (1 - r^2) / sqrt(m - 1), within what resampling can tell."""
    generator = np.random.default_rng(3)
    errors = []
    for _ in range(12):
        true = generator.normal(size=60)
        said = 0.8 * true + 0.6 * generator.normal(size=60)
        found = fidelity(said, true[:, None], "pearson", 0)
        errors.append(found.error / ((1 - found.value**2) / np.sqrt(59)))
    assert np.mean(errors) == pytest.approx(1.0, abs=0.25)


def test_noise_is_clearly_worse_than_the_truth_and_never_the_other_way_round():
    truth = RETRAINED.mean(1)
    noise = np.random.default_rng(2).normal(size=24)
    for kind in ("pearson", "spearman"):
        assert clearly_worse(noise, truth, RETRAINED, kind, 0)
        assert not clearly_worse(truth, noise, RETRAINED, kind, 0)


def test_what_is_equal_or_nearly_so_is_not_clearly_worse():
    truth = RETRAINED.mean(1)
    nearly = truth + np.random.default_rng(4).normal(size=24) * 1e-3
    other = truth + np.random.default_rng(5).normal(size=24) * 1e-3
    assert not clearly_worse(truth, truth, RETRAINED, "pearson", 0)
    assert not clearly_worse(nearly, other, RETRAINED, "pearson", 0)
    assert not clearly_worse(other, nearly, RETRAINED, "pearson", 0)


def test_what_does_not_vary_follows_nothing():
    assert fidelity(np.ones(24), RETRAINED, "pearson", 0).value == 0.0


def test_a_lead_is_the_difference_of_fidelities_and_knows_what_both_share():
    generator = np.random.default_rng(5)
    true = RETRAINED.mean(1)
    good = true + 0.2 * generator.normal(size=24)
    bad = true + 2.0 * generator.normal(size=24)
    found = lead(good, bad, RETRAINED, "pearson", 0)
    assert found.value == pytest.approx(pearsonr(good, true)[0] - pearsonr(bad, true)[0])
    assert 0 < found.low < found.value < found.high
    turned = lead(bad, good, RETRAINED, "pearson", 0)
    assert (turned.value, turned.low, turned.high) == pytest.approx(
        (-found.value, -found.high, -found.low)
    )
    same = lead(good, 3 * good + 1, RETRAINED, "pearson", 0)
    assert (same.low, same.high) == pytest.approx((0, 0), abs=1e-12)
