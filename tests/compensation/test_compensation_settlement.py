"""Laws of the division of a pool within bounds, and of what is paid, held and carried."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credit_plugin.compensation.payout import allocate
from credit_plugin.compensation.settlement import Hold, Terms, allocate_within, settle
from credit_plugin.errors import InputError

MANY = settings(max_examples=150, deadline=None)

weights = st.lists(
    st.integers(0, 5) | st.floats(0, 1e6) | st.floats(0, 1e-200), min_size=1, max_size=12
).filter(any)


@st.composite
def bounded(draw):
    """Return weights, a pool, a floor that it can pay, and a cap or none."""
    given = draw(weights)
    pool = draw(st.integers(0, 10**6))
    floor = draw(st.integers(0, pool // len(given)))
    cap = draw(st.none() | st.integers(floor, max(floor, pool)))
    return given, pool, floor, cap


def divided(weights, terms, holds=(), brought_forward=None):
    gross = allocate_within(weights, terms.pool, terms.floor, terms.cap, terms.tie_key)
    return settle(gross, terms, holds, brought_forward)


def ideal(weights, pool, floor, cap):
    """Return the division lambda * weight clipped to the bounds, exactly, by where it bends."""
    exact = [Fraction(w) for w in weights]
    top = pool if cap is None else cap

    def clipped(rate):
        return [min(max(rate * w, Fraction(floor)), Fraction(top)) for w in exact]

    bends = sorted({Fraction(bound) / w for w in exact if w for bound in (floor, top)})
    if sum(clipped(bends[-1])) <= pool:
        return clipped(bends[-1])
    last = Fraction(0)
    for bend in bends:
        above, below = sum(clipped(bend)), sum(clipped(last))
        if above > pool:
            return clipped(last + (bend - last) * (pool - below) / (above - below))
        last = bend
    raise AssertionError


@given(bounded())
@MANY
def test_within_bounds_everybody_is_within_one_unit_of_the_clipped_proportion(case):
    given, pool, floor, cap = case
    amounts = allocate_within(given, pool, floor, cap)
    assert all(floor <= a and (cap is None or a <= cap) for a in amounts)
    expected = ideal(*case)
    assert sum(amounts) == round(sum(expected))
    assert all(abs(a - e) <= 1 for a, e in zip(amounts, expected, strict=True))


@given(bounded())
@MANY
def test_within_bounds_larger_weights_never_get_less(case):
    given, pool, floor, cap = case
    amounts = allocate_within(given, pool, floor, cap)
    ranked = sorted(zip(given, amounts, strict=True))
    for (w, a), (v, b) in pairwise(ranked):
        assert a <= b if w < v else abs(a - b) <= 1


@given(weights, st.integers(0, 10**6))
@MANY
def test_bounds_that_hold_nobody_change_nothing(given, pool):
    assert allocate_within(given, pool, 0, pool) == allocate(given, pool)


@given(
    bounded(),
    st.integers(0, 10**4),
    st.fractions(0, Fraction(99, 100)),
    st.lists(st.tuples(st.integers(0, 11), st.none() | st.integers(0, 10**6)), max_size=6),
    st.dictionaries(st.integers(0, 11), st.integers(0, 1000), max_size=4),
)
@MANY
def test_paid_and_held_and_carried_are_all_there_is(case, threshold, reserve, doubts, earlier):
    given, pool, floor, cap = case
    n = len(given)
    found = divided(
        given,
        Terms(pool, floor, cap, threshold, int(reserve * pool)),
        [Hold(i % n, "a doubt", amount) for i, amount in doubts],
        brought := {i % n: amount for i, amount in earlier.items()},
    )
    sums = found.totals()
    assert sums["paid"] + sums["held"] + sums["carried"] == pool + sum(brought.values())
    for i in range(n):
        own = found.gross[i] + brought.get(i, 0)
        assert own == found.paid[i] + found.held[i] + found.carried[i]
        assert min(found.paid[i], found.held[i], found.carried[i], found.reserved[i]) >= 0
        assert max(found.reserved[i], found.doubted[i]) == found.held[i] <= found.gross[i]
        assert found.carried[i] < max(threshold, 1)
        # whoever's money is carried forward gets nothing of this report, others all but doubts
        all_of_it = own - found.doubted[i]
        assert found.carried[i] in (0, all_of_it)
        assert found.carried[i] or all_of_it == 0 or all_of_it >= threshold


def test_two_doubts_about_the_same_money_hold_it_once():
    found = divided([1, 1], Terms(100), [Hold(0, "copies", 30), Hold(0, "outlier", 20)])
    assert (found.held, found.paid) == ([30, 0], [20, 50])


def test_a_doubt_without_an_amount_holds_everything_of_this_pool_only():
    found = divided([1, 1], Terms(100), [Hold(1, "no licence")], {1: 7})
    assert (found.held, found.paid) == ([0, 50], [50, 7])


def test_the_threshold_is_for_all_that_is_due_the_reserve_among_it():
    found = divided([1, 1], Terms(20, threshold=10, reserve=2), [Hold(1, "copies", 3)])
    assert (found.paid, found.held, found.carried) == ([9, 0], [1, 3], [0, 7])


def test_a_cap_that_stops_everybody_leaves_money_that_is_held():
    found = divided([3, 2, 0], Terms(100, cap=30))
    assert (found.gross, found.unassigned) == ([30, 30, 0], 40)
    assert found.totals()["held"] == 40


def test_little_payments_wait_until_they_are_not():
    first = divided([98, 2], Terms(100, threshold=5))
    assert (first.paid, first.carried) == ([98, 0], [0, 2])
    second = divided([97, 3], Terms(100, threshold=5), brought_forward={1: 2})
    assert (second.paid, second.carried) == ([97, 5], [0, 0])


@pytest.mark.parametrize(
    ("weights", "pool", "floor", "cap", "message"),
    [
        ([1, 1, 1], 100, 34, None, "guaranteed 102, more than the pool, 100"),
        ([1, 1], 100, 20, 10, "cap: 10 is below the floor, 20"),
        ([0, 0], 100, 10, None, "no positive value"),
        ([1], -1, 0, 5, "must be 0 or more"),
        ([1], 1, -1, 5, "must be 0 or more"),
        ([1, -1], 10, 1, None, "weight 2 is -1"),
    ],
)
def test_bounds_that_cannot_be_kept_are_refused(weights, pool, floor, cap, message):
    with pytest.raises(InputError, match=message):
        allocate_within(weights, pool, floor, cap)


def test_floors_alone_pay_a_pool_that_they_use_up():
    assert allocate_within([0, 0], 100, 50) == [50, 50]


def test_very_many_payees_add_up():
    weights = [1 / (1 + i % 977) for i in range(10**5)]
    found = divided(weights, Terms(10**8, floor=100, cap=50_000, threshold=150, reserve=10**6))
    sums = found.totals()
    assert sums["paid"] + sums["held"] + sums["carried"] == 10**8
