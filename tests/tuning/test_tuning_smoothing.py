"""What trials with similar settings lead to expect, on toys whose true fidelity is known."""

import numpy as np
import pytest

from credit_plugin.tuning.smoothing import FEWEST_TO_SMOOTH, expected_fidelities
from credit_plugin.tuning.trial import COMPLETE, Trial

STEPS, RATES, METHODS = (25, 50, 100, 200), (0.001, 0.002, 0.004), ("magnitude", "taylor")


def toy(generator, noise, trials=30):
    """Fidelity grows with the steps and with the rate; the method does not matter."""
    made, true = [], []
    for number in range(trials):
        steps, rate = generator.choice(STEPS), generator.choice(RATES)
        settings = {"steps": int(steps), "rate": float(rate), "method": generator.choice(METHODS)}
        z = 0.8 + 0.15 * np.log2(steps / 25) + 0.1 * np.log2(rate / 0.001)
        seen = np.tanh(z + noise * generator.normal())
        true.append(np.tanh(z))
        made.append(Trial(number, settings, COMPLETE, fidelity=float(seen)))
    return made, np.array(true)


def test_without_noise_the_expectation_is_the_fidelity():
    trials, true = toy(np.random.default_rng(0), 0.0)
    assert list(expected_fidelities(trials).values()) == pytest.approx(true, abs=0.02)


def test_it_is_nearer_to_the_truth_than_what_was_measured_and_so_is_the_best_of_it():
    generator = np.random.default_rng(1)
    measured, expected, luck, choice = [], [], [], []
    for _ in range(40):
        trials, true = toy(generator, 0.33)  # a dozen coalitions
        seen = np.array([trial.fidelity for trial in trials])
        smooth = np.array(list(expected_fidelities(trials).values()))
        measured.append(np.abs(seen - true).mean())
        expected.append(np.abs(smooth - true).mean())
        luck.append(true[seen.argmax()])
        choice.append(true[smooth.argmax()])
    assert np.mean(expected) < 0.6 * np.mean(measured)
    assert np.mean(choice) > np.mean(luck) + 0.02


def test_few_trials_and_equal_settings_are_left_as_they_are():
    trials, _ = toy(np.random.default_rng(2), 0.3, FEWEST_TO_SMOOTH - 1)
    assert expected_fidelities(trials) == {t.number: t.fidelity for t in trials}
    same = [Trial(k, {"steps": 5}, COMPLETE, fidelity=k / 40) for k in range(30)]
    assert expected_fidelities(same) == {t.number: t.fidelity for t in same}
    assert expected_fidelities([]) == {}


def test_a_perfect_trial_and_odd_settings_do_no_harm():
    trials = [
        Trial(k, {"a": k % 3 - 1, "b": [k % 2], "c": bool(k % 2)}, COMPLETE, fidelity=1 - k / 30)
        for k in range(20)
    ]
    assert all(-1 < value < 1 for value in expected_fidelities(trials).values())
