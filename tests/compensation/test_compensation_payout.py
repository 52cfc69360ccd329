"""Laws of the division of money: nothing lost, nothing invented, nobody favoured."""

import math
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credit_plugin.compensation.payout import (
    allocate,
    as_amount,
    format_amount,
    format_money,
    pool_in_minor_units,
)
from credit_plugin.currency import decimals
from credit_plugin.errors import InputError

MANY = settings(max_examples=40, deadline=None)

numbers = (
    st.integers(0, 10**6)
    | st.floats(0, 1e9)
    | st.floats(0, 1e-300)
    | st.fractions(0, 1000, max_denominator=97)
)
weights = st.lists(numbers, min_size=1, max_size=25).filter(any)
few_sizes = st.lists(st.integers(0, 3), min_size=2, max_size=25).filter(any)
pools = st.integers(0, 200) | st.integers(0, 10**20)
keys = st.sampled_from(["", "a", "b", "0" * 64])
currencies = st.sampled_from(["EUR", "JPY", "KWD"])


def quotas(weights, pool):
    total = sum(Fraction(w) for w in weights)
    return [Fraction(w) * pool / total for w in weights]


@given(weights | few_sizes, pools)
@MANY
def test_whole_units_within_one_of_the_quota_sum_to_the_pool(weights, pool):
    amounts = allocate(weights, pool)
    assert all(type(amount) is int for amount in amounts)
    assert sum(amounts) == pool
    for amount, quota in zip(amounts, quotas(weights, pool), strict=True):
        assert math.floor(quota) <= amount < quota + 1


@given(weights, pools)
@MANY
def test_no_weight_no_money(weights, pool):
    amounts = allocate([*weights, 0, 0.0], pool)
    assert [a for a, w in zip(amounts, [*weights, 0, 0.0], strict=True) if w == 0 and a] == []


@given(weights | few_sizes, pools, keys)
@MANY
def test_a_larger_weight_never_gets_less_and_equal_ones_differ_by_at_most_one(weights, pool, key):
    paid = sorted(zip(weights, allocate(weights, pool, key), strict=True))
    for (lighter, less), (heavier, more) in pairwise(paid):
        assert abs(less - more) <= 1 if lighter == heavier else less <= more


@given(
    st.lists(st.fractions(0, 100, max_denominator=50), min_size=1, max_size=20).filter(any),
    pools,
    st.integers(1, 1000) | st.integers(1, 1000).map(lambda k: Fraction(1, k)),
)
@MANY
def test_only_proportions_count(weights, pool, factor):
    assert allocate([w * factor for w in weights], pool) == allocate(weights, pool)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=20).filter(any), pools)
@MANY
def test_the_type_of_a_weight_does_not_count(weights, pool):
    amounts = allocate(weights, pool)
    assert allocate([float(w) for w in weights], pool) == amounts
    assert allocate([Fraction(w) for w in weights], pool) == amounts
    assert allocate(np.array(weights, dtype=float), pool) == amounts


@given(few_sizes | weights, pools, keys, keys)
@MANY
def test_the_key_moves_contested_units_only(weights, pool, one, other):
    exact = quotas(weights, pool)
    remainders = [quota - math.floor(quota) for quota in exact]
    spare = pool - sum(math.floor(quota) for quota in exact)
    edge = sorted(remainders, reverse=True)[spare - 1] if spare else None
    first, second = allocate(weights, pool, one), allocate(weights, pool, other)
    moved = [i for i, (a, b) in enumerate(zip(first, second, strict=True)) if a != b]
    assert all(remainders[i] == edge for i in moved)
    assert all(abs(first[i] - second[i]) == 1 for i in moved)
    assert allocate(weights, pool, one) == first


def test_every_one_of_equal_payees_can_win_the_last_unit():
    winners = {allocate([1, 1, 1], 100, f"study {i}").index(34) for i in range(40)}
    assert winners == {0, 1, 2}


def test_equal_remainders_go_to_the_larger_weight_first():
    # quotas 1.5 and 0.5: both are left with a half
    assert all(allocate([3, 1], 2, str(key)) == [2, 0] for key in range(20))


def test_the_largest_remainders_win():
    # quotas 6.6, 2.75, 0.65
    assert allocate([6.6, 2.75, 0.65], 10) == [6, 3, 1]


def test_one_payee_gets_all_and_an_empty_pool_gives_nothing():
    assert allocate([1e-320], 10**40) == [10**40]
    assert allocate([1, 2, 0], 0) == [0, 0, 0]


def test_weights_as_far_apart_as_floats_can_be():
    tiny, huge = 5e-324, 1.7e308
    assert allocate([tiny, huge], 10**12) == [0, 10**12]
    assert allocate([tiny, tiny], 10**12) == [5 * 10**11, 5 * 10**11]


def test_a_hundred_thousand_payees_and_a_pool_beyond_floats():
    weights = np.random.default_rng(0).exponential(size=100_000).tolist()
    amounts = allocate(weights, 10**30 + 7, "key")
    assert sum(amounts) == 10**30 + 7
    total = math.fsum(weights)
    for amount, weight in zip(amounts[:100], weights, strict=False):
        assert amount == pytest.approx(weight / total * 1e30, rel=1e-12)


@pytest.mark.parametrize(
    ("weights", "pool", "named"),
    [
        ([1, 2], -1, "pool: -1"),
        ([1, -0.5], 10, "weight 2 is -0.5"),
        ([math.nan, 1], 10, "weight 1 is nan"),
        ([1, math.inf], 10, "weight 2 is inf"),
        ([1, -math.inf], 10, "weight 2 is -inf"),
        ([0, 0.0, Fraction(0)], 10, "no positive value"),
        ([], 10, "no positive value"),
    ],
)
def test_what_cannot_be_paid_out_is_refused_and_named(weights, pool, named):
    with pytest.raises(InputError, match=named):
        allocate(weights, pool)


@pytest.mark.parametrize(
    ("pool", "currency", "minor"),
    [
        ("1234.50", "EUR", 123450),
        ("0.01", "EUR", 1),
        ("1E+3", "EUR", 100_000),
        ("1234", "JPY", 1234),
        ("10000.00", "JPY", 10_000),
        ("1.234", "KWD", 1234),
        ("0.5", "KWD", 500),
        ("123456789012345678901234567890.12", "USD", 12345678901234567890123456789012),
    ],
)
def test_pools_in_minor_units(pool, currency, minor):
    assert pool_in_minor_units(Decimal(pool), currency) == minor


@pytest.mark.parametrize(
    ("pool", "currency"), [("0.001", "EUR"), ("0.5", "JPY"), ("1.2345", "KWD"), ("1E-30", "EUR")]
)
def test_smaller_units_than_the_currency_has_are_refused(pool, currency):
    with pytest.raises(InputError, match=r"compensation\.pool.*more decimals"):
        pool_in_minor_units(Decimal(pool), currency)


def test_decimals_follow_iso_4217():
    assert [decimals(c) for c in ("EUR", "USD", "CHF", "MGA")] == [2, 2, 2, 2]
    assert [decimals(c) for c in ("JPY", "KRW", "ISK", "XPF")] == [0, 0, 0, 0]
    assert [decimals(c) for c in ("KWD", "BHD", "TND", "OMR")] == [3, 3, 3, 3]


@given(st.integers(-(10**20), 10**20), currencies)
@MANY
def test_amounts_read_back_exactly(minor, currency):
    text = as_amount(minor, currency)
    assert pool_in_minor_units(Decimal(text), currency) == minor
    assert -Decimal(text).as_tuple().exponent == decimals(currency)
    assert format_amount(minor, currency).replace(",", "") == text
    assert format_money(minor, currency) == f"{format_amount(minor, currency)} {currency}"


@pytest.mark.parametrize(
    ("minor", "currency", "machine", "people"),
    [
        (123450, "EUR", "1234.50", "1,234.50"),
        (5, "EUR", "0.05", "0.05"),
        (-5, "EUR", "-0.05", "-0.05"),
        (-123456, "EUR", "-1234.56", "-1,234.56"),
        (1234567, "JPY", "1234567", "1,234,567"),
        (1234567, "KWD", "1234.567", "1,234.567"),
        (0, "JPY", "0", "0"),
    ],
)
def test_amounts_as_texts(minor, currency, machine, people):
    assert as_amount(minor, currency) == machine
    assert format_amount(minor, currency) == people
