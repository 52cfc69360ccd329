"""estimate() and what it returns: arguments, diagnostics, uncertainty, files."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest

from credit_plugin.errors import InputError
from credit_plugin.game import UtilityTable, design
from credit_plugin.game.toys import AdditiveGame, NoisyGame, SaturatingGame
from credit_plugin.values import ContributorValues, estimate, estimator_names
from credit_plugin.values.estimation import shares_a_total
from credit_plugin.values.observations import observe
from credit_plugin.values.uncertainty import draw_weights


def study_table(n=8, budget=48, sd=0.05, seed=0, game=None):
    """Return a table with a study's repeats: empty and full three times, four others twice."""
    rows = design(n, budget, seed=seed)
    rows = np.concatenate([rows, rows[[0, 0, 1, 1]], rows[5::9][:4]])
    noisy = NoisyGame(game or SaturatingGame(list(range(1, n + 1)), n * n / 6), sd, seed)
    return UtilityTable.from_arrays(rows, noisy(rows))


def test_seed_noise_is_pooled_over_repeats():
    rows = [[0, 0], [0, 0], [0, 0], [1, 1], [1, 1], [0, 1], [1, 0]]
    observed = observe(UtilityTable.from_arrays(rows, [1, 2, 3, 10, 14, 5, 6.0]))
    # squares about the means: 2 over 2 degrees of freedom, 8 over 1
    assert observed.noise_degrees == 3
    assert observed.noise_sd == pytest.approx((10 / 3) ** 0.5)
    assert observed.utilities.tolist() == [2, 12, 5, 6]
    assert observed.noise_variance == pytest.approx([10 / 9, 10 / 6, 10 / 3, 10 / 3])


def test_a_stated_baseline_has_no_noise_and_hides_none():
    rows = [[0, 0]] * 3 + [[1, 1]] * 3 + [[0, 1], [1, 0]]
    observed = observe(UtilityTable.from_arrays(rows, [0.1, 0.1, 0.1, 9, 10, 11, 5, 6.0]))
    assert observed.noise_degrees == 2
    assert observed.noise_sd == pytest.approx(1.0)
    assert observed.noise_variance == pytest.approx([0, 1 / 3, 1, 1])


def test_a_baseline_that_is_stated_twice_does_not_make_noise_known():
    rows = [[0, 0]] * 2 + [[1, 1], [0, 1], [1, 0]]
    observed = observe(UtilityTable.from_arrays(rows, [0.1, 0.1, 9, 5, 6.0]))
    assert observed.noise_degrees == 0
    both = observe(UtilityTable.from_arrays([*rows, [1, 1]], [0.1, 0.1, 9, 5, 6, 9.0]))
    assert both.noise_degrees == 2  # a game without noise


def test_diagnostics_say_what_the_estimate_rests_on():
    found = estimate(study_table()).diagnostics
    assert found["evaluations"] == 56
    assert found["coalitions"] == 48
    assert found["seed_noise"] == pytest.approx(0.05, rel=0.6)
    assert found["seed_noise_degrees"] == 8
    assert found["intervals"] == "choice of coalitions and seed noise"
    assert 0.5 < found["r_squared"] < 1
    assert isinstance(found["efficiency_gap_before"], float)


def test_r_squared_is_one_for_an_additive_game():
    table = study_table(sd=0.0, game=AdditiveGame(np.arange(8.0)))
    assert estimate(table).diagnostics["r_squared"] == pytest.approx(1.0)


@pytest.mark.parametrize("constant", [0.1, 0.7, 1e9 / 3, 0.0])
@pytest.mark.parametrize("budget", [24, 37, 48])
def test_r_squared_of_a_constant_is_one(constant, budget):
    rows = np.concatenate([design(8, budget)] * 3)
    found = estimate(UtilityTable.from_arrays(rows, np.full(len(rows), constant)), resamples=2)
    assert found.diagnostics["r_squared"] == 1.0


def test_without_repeats_the_intervals_say_that_seed_noise_is_unknown():
    rows = design(8, 48)
    game = SaturatingGame(list(range(1, 9)), 12.0)
    found = estimate(UtilityTable.from_arrays(rows, game(rows)))
    assert "seed noise is unknown" in found.diagnostics["intervals"]
    assert found.diagnostics["seed_noise"] == 0
    assert (found.standard_errors > 0).all()


@pytest.mark.parametrize("estimator", sorted({*estimator_names()} - {"exact", "permutation"}))
def test_the_error_of_a_single_draw_is_unknown_and_said_to_be(estimator):
    """Twelve coalitions of four: all of sizes 0, 1, 3, 4, and one of three pairs of size 2."""
    found = estimate(study_table(n=4, budget=12), estimator, resamples=2).diagnostics
    if estimator in ("leave_one_out", "add_one_in"):  # they read none of size 2
        assert found["intervals"] == "seed noise only: no coalition was left to chance"
        assert "single_draw" not in found
        return
    assert found["single_draw"]
    assert "other coalitions would change is unknown after a single draw" in found["intervals"]
    assert "single_draw" not in estimate(study_table(n=4, budget=13), resamples=2).diagnostics
    assert "single_draw" not in estimate(study_table(n=4, budget=16), resamples=2).diagnostics


def test_a_single_chain_is_a_single_draw():
    rows = np.tri(5, 4, -1, dtype=bool)
    table = UtilityTable.from_arrays([*rows, rows[0], rows[4]], [0, 1, 3, 4, 6, 0.1, 6.2])
    found = estimate(table, "permutation", resamples=2).diagnostics
    assert found["single_draw"]
    assert found["intervals"] == (
        "seed noise and an allowance for what so few coalitions do not show: "
        "what other coalitions would change is unknown after a single draw"
    )


def test_enumerated_games_keep_their_seed_noise():
    """Nothing is left to chance but seeds: the standard error is that of a linear combination."""
    rows = (np.arange(16)[:, None] >> np.arange(4)) % 2 == 1
    rows = np.concatenate([rows, rows])
    table = UtilityTable.from_arrays(rows, NoisyGame(AdditiveGame([1, 2, 3, 4]), 0.2, 1)(rows))
    for estimator in ("exact", "regression_adjusted", "permutation"):
        found = estimate(table, estimator, resamples=4000)
        assert found.diagnostics["intervals"] == "seed noise only: no coalition was left to chance"
        # each of the 16 coalitions enters with its Shapley weight, as a mean of two
        weights = np.array([1 / 4, 1 / 12, 1 / 12, 1 / 4])
        counts = np.array([1, 3, 3, 1])
        variance = 2 * (counts * weights**2).sum() * found.diagnostics["seed_noise"] ** 2 / 2
        assert found.standard_errors == pytest.approx(variance**0.5, rel=0.06)


def test_intervals_cover():
    game = SaturatingGame([1, 2, 3, 4, 5, 6, 7, 8], scale=14.0)
    covered = []
    for seed in range(40):
        table = study_table(n=8, budget=48, sd=0.04, seed=seed, game=game)
        found = estimate(table, resamples=100)
        covered.append((found.ci_low <= game.shapley()) & (game.shapley() <= found.ci_high))
    # 320 intervals that are not independent; nominal .95
    assert 0.88 < np.mean(covered) < 0.995


def test_more_confidence_is_wider_and_more_evaluations_are_narrower():
    def width(budget, confidence):
        found = estimate(study_table(budget=budget), confidence=confidence, resamples=100)
        assert found.ci_high - found.values == pytest.approx(found.values - found.ci_low)
        return (found.ci_high - found.ci_low).mean()

    assert width(48, 0.5) < width(48, 0.95) < width(48, 0.999)
    assert width(200, 0.95) < width(48, 0.95)


def test_the_seed_moves_intervals_but_never_values():
    table = study_table()
    one, same, other = (estimate(table, seed=s, resamples=50) for s in (1, 1, 2))
    assert np.array_equal(one.ci_low, same.ci_low)
    assert np.array_equal(one.values, other.values)
    assert not np.array_equal(one.ci_low, other.ci_low)


def test_redrawn_weights_have_mean_one_and_the_variance_of_a_mean():
    strata = np.array([2, 2, 2, 5, 5, 5, 5, 9])
    weights = draw_weights(strata, 20_000, np.random.default_rng(0))
    assert weights[:, strata == 9].tolist() == [[1.0]] * 20_000
    for label in (2, 5):
        units = weights[:, strata == label]
        assert units.sum(axis=1) == pytest.approx((strata == label).sum())
        data = np.arange(units.shape[1], dtype=float) ** 2
        means = units @ data / units.shape[1]
        assert means.var() == pytest.approx(data.var(ddof=1) / len(data), rel=0.05)


def test_a_permutation_interval_covers_what_more_chains_would_say():
    game = SaturatingGame([1, 2, 3, 4, 5, 6], scale=7.0)
    covered, stated, errors = [], [], []
    for seed in range(60):
        generator = np.random.default_rng(seed)
        rows = []
        for _ in range(5):
            rank = generator.permutation(6)
            rows += [rank < size for size in range(7)] + [rank >= size for size in range(1, 6)]
        rows = np.unique(rows, axis=0)
        found = estimate(UtilityTable.from_arrays(rows, game(rows)), "permutation", resamples=60)
        covered.append((found.ci_low <= game.shapley()) & (game.shapley() <= found.ci_high))
        stated.append(found.standard_errors**2)
        errors.append((found.values - game.shapley()) ** 2)
    assert np.mean(covered) > 0.85
    assert 0.5 < np.sqrt(np.mean(errors) / np.mean(stated)) < 1.5


def test_one_of_several_properties_is_named():
    sharp = study_table()
    varied = UtilityTable.from_arrays(sharp.coalitions, 2 * sharp.utilities, property="varied")
    both = UtilityTable.concat(sharp, varied)
    every = estimate(both, resamples=20)
    assert list(every) == ["utility", "varied"]
    assert every["varied"].values == pytest.approx(2 * every["utility"].values)
    one, other = (estimate(both, property=p, resamples=20) for p in ("utility", "varied"))
    assert other.property == "varied"
    assert other.values == pytest.approx(2 * one.values)
    with pytest.raises(InputError, match="'colour' is not in the table"):
        estimate(both, property="colour")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"estimator": "xyz"}, "'xyz' is not an estimator; choose from add_one_in, auto, "),
        ({"estimator": "kernelshap", "options": {"proxy": "ols"}}, "'proxy' is not an option of"),
        ({"estimator": "regression_adjusted", "options": {"proxy": "gp"}}, "proxy 'gp' does not"),
        ({"estimator": "banzhaf", "options": {"method": "mc"}}, "method 'mc' does not exist"),
        ({"estimator": "datamodel", "options": {"penalty": "l0"}}, "penalty 'l0' does not exist"),
        ({"confidence": 1.0}, "confidence: 1.0 is not between 0 and 1"),
        ({"confidence": 1 - 2**-53}, "confidence: 0.9999999999999999 is 1 but for rounding"),
        ({"resamples": 1}, "resamples: 1 is too few"),
    ],
)
def test_arguments_that_cannot_be_used(arguments, message):
    with pytest.raises(InputError, match=message):
        estimate(study_table(), **arguments)


@pytest.mark.parametrize("value", [0, -1.0, "1e1", np.inf, np.nan, 1e308, True, None])
@pytest.mark.parametrize("option", ["alpha", "beta"])
def test_a_parameter_of_beta_shapley_is_a_number_that_can_be_computed_with(option, value):
    with pytest.raises(InputError) as caught:
        estimate(study_table(), "beta_shapley", options={option: value})
    assert str(caught.value) == (
        f"values.options: {option} {value!r} must be a number above 0, at most 1000000; write it "
        "like 16.0"
    )
    for extreme in (1e-6, 1e6):
        found = estimate(study_table(), "beta_shapley", options={option: extreme}, resamples=2)
        assert np.isfinite(found.values).all()


def test_the_surest_level_has_ends():
    found = estimate(study_table(), confidence=1 - 2**-52, resamples=20)
    assert np.isfinite(found.ci_low).all()


def test_shares_clip_negative_values():
    found = estimate(study_table(sd=0.0, game=AdditiveGame([3, 1, -2, 0, 0, 0, 0, 0])))
    assert found.shares() == pytest.approx([0.75, 0.25, 0, 0, 0, 0, 0, 0], abs=1e-6)
    worthless = estimate(study_table(sd=0.0, game=AdditiveGame([-1.0] * 8)))
    assert worthless.shares().tolist() == [0.0] * 8


def test_json_and_frame_hold_everything():
    found = estimate(study_table(), resamples=20)
    record = found.to_json_dict()
    again = ContributorValues.from_json_dict(json.loads(json.dumps(record)))
    assert again.to_json_dict() == record
    assert np.array_equal(again.values, found.values)
    assert again.contributors == found.contributors
    frame = found.to_frame()
    assert list(frame.columns) == [
        "contributor",
        "value",
        "standard_error",
        "ci_low",
        "ci_high",
        "share",
    ]
    assert frame["value"].sum() == pytest.approx(found.v_full - found.v_empty, abs=1e-9)


def test_values_are_light_to_import():
    program = (
        "import sys, time; start = time.perf_counter(); import credit_plugin.values; "
        "print(time.perf_counter() - start); "
        "heavy = {'torch', 'mlflow', 'pandas', 'sklearn', 'pydantic'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    fastest = min(
        float(
            subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
        )
        for _ in range(3)
    )
    assert fastest < 0.5


def test_a_study_sized_estimate_takes_a_fraction_of_a_second():
    table = study_table(n=12, budget=60)
    estimate(table, resamples=2)
    seconds = []
    for _ in range(3):
        start = time.process_time()
        estimate(table, resamples=400)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.3


def test_hundreds_of_contributors():
    generator = np.random.default_rng(0)
    amounts = generator.uniform(0.5, 2, 258)
    rows = design(258, 1000, seed=0)
    rows = np.concatenate([rows, rows[:4]])
    utilities = 1 - np.exp(-(rows @ amounts) / (amounts.sum() / 3))
    table = UtilityTable.from_arrays(rows, utilities + 0.01 * generator.standard_normal(len(rows)))
    found = estimate(table, resamples=20)
    assert np.isfinite(found.standard_errors).all()
    assert found.values.sum() == pytest.approx(found.v_full - found.v_empty, abs=1e-9)
    papers = estimate(table, "kernelshap_paper", resamples=2)
    assert np.corrcoef(found.values, amounts)[0, 1] > 0.4
    assert np.corrcoef(papers.values, amounts)[0, 1] < 0.4


def test_only_shapley_values_share_a_total():
    """Every estimator can be asked on two contributors; a study pays by those that sum up."""
    sharing = {name for name in estimator_names() if shares_a_total(name, {})}
    others = {"add_one_in", "banzhaf", "beta_shapley", "datamodel", "leave_one_out"}
    assert sharing == set(estimator_names()) - others
