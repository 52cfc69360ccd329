"""Counterfactuals on games whose answers are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credit_plugin.config import FidelitySettings
from credit_plugin.fidelity.counterfactual import (
    RANDOM,
    Noise,
    change,
    plan_removals,
    random_removal,
    removal,
    removed_count,
)
from credit_plugin.game.coalitions import from_bits

WORTH = np.array([5.0, 1.0, 0.0, 3.0, -2.0, 2.0, 4.0, 1.5, 0.5, 2.5])
QUIET = Noise(0.0, 10)


def played(*removals, seeds=2, noise=0.0, worth=WORTH):
    """Return utilities of an additive game for everybody and for whoever stays."""
    generator = np.random.default_rng(0)
    rests = ["1" * len(worth), *(bits for r in removals for bits in r.rest)]
    return {b: worth @ from_bits(b) + noise * generator.normal(size=seeds) for b in rests}


@settings(max_examples=20, deadline=None)
@given(share=st.floats(0.05, 0.95), top=st.booleans())
def test_in_an_additive_game_the_change_is_what_those_removed_are_worth(share, top):
    gone = removal("worth", WORTH, share, top)
    (rest,) = gone.rest
    expected = -WORTH[~from_bits(rest)].sum()
    assert rest.count("0") == gone.removed == removed_count(10, share)
    found = change(gone, played(gone), QUIET)
    assert found.value == pytest.approx(expected)
    assert found.low == pytest.approx(found.high)
    # nobody else of that number is worth more, or less
    ranked = np.sort(WORTH)[::-1] if top else np.sort(WORTH)
    assert -expected == pytest.approx(ranked[: gone.removed].sum())


def test_shares_become_whole_contributors_at_least_one_and_never_all():
    assert [removed_count(8, share) for share in (0.05, 0.1, 0.4, 0.6, 0.99)] == [1, 1, 3, 5, 7]


def test_ties_leave_in_the_order_of_contributors():
    assert removal("equal", np.zeros(4), 0.5, True).rest == ("0011",)
    assert removal("equal", np.zeros(4), 0.5, False).rest == ("0011",)


def test_random_orders_are_nested_in_the_share():
    smaller, larger = (random_removal(10, share, 3, 0) for share in (0.2, 0.5))
    assert len(set(smaller.rest)) == 3
    for few, many in zip(smaller.rest, larger.rest, strict=True):
        assert not (from_bits(many) & ~from_bits(few)).any()
    assert random_removal(10, 0.2, 5, 0).rest[:3] == smaller.rest
    assert random_removal(10, 0.2, 3, 1).rest != smaller.rest


def test_the_change_of_random_orders_is_their_mean_and_as_unsure_as_they_differ():
    control = random_removal(10, 0.4, 4, 0)
    found = change(control, played(control), QUIET)
    each = [-WORTH[~from_bits(bits)].sum() for bits in control.rest]
    assert found.value == pytest.approx(np.mean(each))
    reach = 3.182446 * np.std(each, ddof=1) / 2  # Student's t of 3 degrees
    assert found.high - found.value == pytest.approx(reach, rel=1e-5)


def test_noise_is_pooled_over_every_coalition_that_was_retrained_twice():
    generator = np.random.default_rng(1)
    utilities = {f"{i:b}": i + 0.7 * generator.normal(size=3) for i in range(300)}
    noise = Noise.pooled({**utilities, "once": [5.0]})
    assert noise.sd == pytest.approx(0.7, rel=0.1)
    assert noise.degrees == 600
    assert Noise.pooled({"once": [5.0]}) == Noise(0.0, 0)


def test_intervals_cover_the_truth():
    gone = removal("worth", WORTH, 0.4, True)
    truth = change(gone, played(gone), QUIET).value
    hits = 0
    for trial in range(200):
        generator = np.random.default_rng(trial)
        exact = played(gone, seeds=1)
        noisy = {bits: own[0] + generator.normal(size=2) for bits, own in exact.items()}
        found = change(gone, noisy, Noise(1.0, 80))
        hits += found.low <= truth <= found.high
    assert 180 <= hits <= 199


def test_a_lost_retraining_leaves_the_change_unknown():
    gone = removal("worth", WORTH, 0.4, True)
    utilities = played(gone)
    assert change(gone, {"1" * 10: utilities["1" * 10]}, QUIET) is None
    assert change(gone, {gone.rest[0]: utilities[gone.rest[0]]}, QUIET) is None


def removals_of(**changes):
    """Return the shares and ends of every method's removals."""
    chosen = FidelitySettings(removals=(0.2, 0.4), compared_removal=0.3, **changes)
    scores = {"values": WORTH, "curve/avg": -WORTH, "other": WORTH}
    by_method = {}
    for gone in plan_removals(scores, chosen, 0):
        by_method.setdefault(gone.method, []).append((gone.share, gone.top))
    return by_method


def test_own_values_and_chosen_methods_get_curves_and_all_others_one_point():
    by_method = removals_of(curves=("curve",))
    assert by_method[RANDOM] == [(0.2, True), (0.3, True), (0.4, True)]
    assert by_method["other"] == [(0.3, True)]
    both = [(s, top) for s in (0.2, 0.3, 0.4) for top in (True, False)]
    assert by_method["values"] == by_method["curve/avg"] == both


def test_without_chosen_methods_every_one_gets_its_curve():
    by_method = removals_of(curves=())
    assert len(by_method["values"]) == 6
    assert by_method["values"] == by_method["curve/avg"] == by_method["other"]
