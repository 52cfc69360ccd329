from collections import Counter
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credit_plugin.errors import InputError
from credit_plugin.game import design, design_names, to_bits
from credit_plugin.game.designs.shapley_iid import kernel_of_sizes
from credit_plugin.game.subsets import LISTABLE, distinct_subsets, first_distinct

KINDS = design_names()
WITHOUT_DUPLICATES = [kind for kind in KINDS if kind != "shapley_iid"]
OF_ALL_COALITIONS = ["border_first", "exact", "leverage", "paired_border", "permutation", "uniform"]
LARGEST_BUDGETS = {
    "fixed_size": lambda n: comb(n, n // 2) + 2,
    "leave_one_out": lambda n: n + 2,
    "add_one_in": lambda n: n + 2,
}
LAYER_WEIGHTS = {"paired_border": lambda n, k: 1 / (k * (n - k)), "leverage": lambda n, k: 1}


def largest_budget(kind, n):
    return LARGEST_BUDGETS.get(kind, lambda n: 2**n)(n)


@st.composite
def requests(draw, kind):
    few = st.integers(2, 12)
    n = draw(few if kind == "exact" else st.one_of(few, st.integers(13, 1000)))
    most = min(largest_budget(kind, n), 200)
    return n, draw(st.integers(4, most)), draw(st.integers(0, 2**31))


def test_the_designs_are_registered():
    assert set(KINDS) == {
        "add_one_in",
        "border_first",
        "exact",
        "fixed_size",
        "leave_one_out",
        "leverage",
        "paired_border",
        "permutation",
        "shapley_iid",
        "uniform",
    }


@pytest.mark.parametrize("kind", KINDS)
@given(st.data())
@settings(max_examples=25, deadline=None)
def test_a_design_has_the_budgets_rows_and_starts_with_empty_and_full(kind, data):
    n, budget, seed = data.draw(requests(kind))
    rows = design(n, budget, kind, seed)
    assert rows.shape == (budget, n)
    assert rows.dtype == bool
    assert not rows[0].any()
    assert rows[1].all()
    sizes = rows[2:].sum(axis=1)
    assert ((sizes > 0) & (sizes < n)).all()


@pytest.mark.parametrize("kind", WITHOUT_DUPLICATES)
@given(st.data())
@settings(max_examples=25, deadline=None)
def test_no_coalition_comes_twice(kind, data):
    n, budget, seed = data.draw(requests(kind))
    assert len(np.unique(design(n, budget, kind, seed), axis=0)) == budget


@pytest.mark.parametrize("kind", KINDS)
@given(st.data(), st.floats(0, 1))
@settings(max_examples=25, deadline=None)
def test_a_smaller_budget_is_the_beginning_of_a_larger_one(kind, data, share):
    n, budget, seed = data.draw(requests(kind))
    smaller = 4 + int(share * (budget - 4))
    assert np.array_equal(design(n, smaller, kind, seed), design(n, budget, kind, seed)[:smaller])


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_is_the_same_and_another_one_differs(kind):
    budget = min(60, largest_budget(kind, 12))
    assert np.array_equal(design(12, budget, kind, 5), design(12, budget, kind, 5))
    assert not np.array_equal(design(12, budget, kind, 5), design(12, budget, kind, 6))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "exact"])
def test_a_thousand_contributors_have_designs_of_thousands_of_rows(kind):
    budget = min(5000, largest_budget(kind, 1000))
    distinct = len(np.unique(np.packbits(design(1000, budget, kind, 2), axis=1), axis=0))
    assert distinct == budget or (kind == "shapley_iid" and distinct > 0.9 * budget)


@pytest.mark.parametrize("kind", ["border_first", "exact", "leverage", "paired_border"])
@given(st.data())
@settings(max_examples=25, deadline=None)
def test_complements_stand_next_to_each_other(kind, data):
    n, budget, seed = data.draw(requests(kind))
    rows = design(n, budget, kind, seed)
    pairs = rows[: budget - budget % 2]
    assert np.array_equal(pairs[0::2], ~pairs[1::2])


@pytest.mark.parametrize("n", range(2, 11))
@pytest.mark.parametrize("kind", OF_ALL_COALITIONS)
def test_the_largest_budget_is_every_coalition(n, kind):
    rows = design(n, 2**n, kind, seed=n)
    assert len(np.unique(rows, axis=0)) == 2**n


@pytest.mark.parametrize("kind", sorted(LARGEST_BUDGETS))
@pytest.mark.parametrize("n", [2, 3, 4, 7])
def test_a_design_with_fewer_coalitions_says_how_many_it_has(kind, n):
    most = largest_budget(kind, n)
    assert len(design(n, most, kind)) == most
    if most < 2**n:
        with pytest.raises(InputError) as caught:
            design(n, most + 1, kind)
        assert str(caught.value) == (
            f"game.budget: {most + 1} is more than the {most} coalitions of design {kind} for {n} "
            f"contributors; use {most} or less"
        )


@pytest.mark.parametrize(
    ("kind", "n", "budget"),
    [
        ("paired_border", 8, 40),
        ("paired_border", 10, 64),
        ("paired_border", 10, 200),
        ("paired_border", 12, 100),
        ("paired_border", 16, 500),
        ("leverage", 8, 80),
        ("leverage", 10, 200),
        ("leverage", 11, 600),
        ("leverage", 16, 500),
    ],
)
def test_the_border_is_enumerated_where_expected_draws_exceed_it(kind, n, budget):
    """The rule as estimators state it: walk inwards, take a size whole if draws would exceed it."""
    layers = {k: comb(n, k) * (1 if 2 * k == n else 2) for k in range(1, n // 2 + 1)}
    weights = {k: (1 if 2 * k == n else 2) * LAYER_WEIGHTS[kind](n, k) for k in layers}
    left, whole = budget - 2, set()
    for k in layers:
        open_weight = sum(w for j, w in weights.items() if j not in whole)
        if left * weights[k] / open_weight < layers[k]:
            break
        whole.add(k)
        left -= layers[k]
    assert whole, "the case must have an enumerated layer"
    open_weight = sum(w for j, w in weights.items() if j not in whole)
    for seed in range(5):
        sizes = design(n, budget, kind, seed)[2:].sum(axis=1)
        counts = np.bincount(np.minimum(sizes, n - sizes), minlength=n // 2 + 1)
        for k, total in layers.items():
            if k in whole:
                assert counts[k] == total
            else:
                # within two pairs of the expected draws, not a random number of them
                assert abs(counts[k] - left * weights[k] / open_weight) <= 4


def test_a_border_larger_than_the_budget_is_sampled_from_the_kernel():
    n, budget = 1000, 402
    counts = np.zeros(n + 1)
    for seed in range(8):
        counts += np.bincount(design(n, budget, seed=seed)[2:].sum(axis=1), minlength=n + 1)
    found = np.cumsum(counts[1:n]) / counts[1:n].sum()
    expected = np.cumsum(kernel_of_sizes(n))
    assert np.abs(found - expected).max() < 0.01


def test_leverage_has_all_sizes_equally_often_whatever_the_number_of_contributors():
    n, budget = 1000, 402
    counts = np.zeros(n + 1)
    for seed in range(8):
        counts += np.bincount(design(n, budget, "leverage", seed)[2:].sum(axis=1), minlength=n + 1)
    found = np.cumsum(counts[1:n]) / counts[1:n].sum()
    assert np.abs(found - np.arange(1, n) / (n - 1)).max() < 0.01


@pytest.mark.parametrize("kind", ["leverage", "paired_border", "permutation"])
def test_members_of_a_sampled_size_are_uniform(kind):
    rows = np.concatenate([design(30, 60, kind, seed)[2:] for seed in range(150)])
    if kind == "permutation":
        # the sizes of a chain share members: one coalition of each
        rows = np.array([chain[seed % 15] for seed, chain in enumerate(rows.reshape(150, 58, 30))])
    smaller = rows[rows.sum(axis=1) <= 15]
    share = smaller.mean(axis=0)
    sd = (smaller.mean() * (1 - smaller.mean()) / len(smaller)) ** 0.5
    assert np.abs(share - share.mean()).max() < 4.5 * sd


def test_shapley_iid_draws_sizes_from_the_kernel_and_may_repeat():
    n = 6
    rows = np.concatenate([design(n, 64, "shapley_iid", seed)[2:] for seed in range(200)])
    found = np.bincount(rows.sum(axis=1), minlength=n + 1)[1:n] / len(rows)
    assert np.abs(found - kernel_of_sizes(n)).max() < 4 * (0.25 / len(rows)) ** 0.5
    assert len(np.unique(design(n, 64, "shapley_iid", 0), axis=0)) < 64


def test_fixed_size_has_one_size():
    assert set(design(20, 50, "fixed_size", size=7)[2:].sum(axis=1)) == {7}
    assert set(design(9, 50, "fixed_size")[2:].sum(axis=1)) == {4}


def test_uniform_includes_each_player_half_of_the_time():
    rows = design(300, 1000, "uniform", seed=3)[2:]
    assert abs(rows.mean() - 0.5) < 0.005


@pytest.mark.parametrize("seed", range(3))
def test_permutation_is_a_chain_then_its_reverse(seed):
    n = 9
    rows = design(n, 2 + 2 * (n - 1), "permutation", seed)[2:]
    forward, backward = rows[: n - 1], rows[n - 1 :]
    for chain in (forward, backward):
        assert chain.sum(axis=1).tolist() == list(range(1, n))
        assert (chain[1:] >= chain[:-1]).all()
    assert np.array_equal(backward, ~forward[::-1])


def number_of_chains(rows):
    """Count the arrival orders all of whose coalitions are among the rows."""
    ways = {}
    for row in sorted(rows, key=sum):
        before = [to_bits(row & (np.arange(len(row)) != i)) for i in np.flatnonzero(row)]
        ways[to_bits(row)] = sum(ways.get(b, 0) for b in before) if before else 1
    return ways["1" * rows.shape[1]]


@pytest.mark.parametrize("n", [2, 3, 4, 6, 9])
def test_permutation_completes_its_chains_one_after_the_other(n):
    rows = design(n, min(2 + 6 * (n - 1), 2**n), "permutation", seed=4)
    for count in range(1, len(rows) - 1):
        assert number_of_chains(rows[: count + 2]) >= count // (n - 1)


def test_permutation_orders_are_uniform():
    counts = Counter()
    for seed in range(1200):
        alone, two = design(3, 4, "permutation", seed)[2:]
        counts[alone.argmax(), two.argmin()] += 1  # who arrives first and who last
    assert len(counts) == 6
    assert max(abs(count - 200) for count in counts.values()) < 4.5 * (1200 * 5 / 36) ** 0.5


def test_leave_one_out_and_add_one_in_have_each_contributor_once():
    for n in (2, 3, 11, 1000):
        most = n + 2
        without, alone = design(n, most, "leave_one_out")[2:], design(n, most, "add_one_in")[2:]
        assert (without.sum(axis=1) == n - 1).all()
        assert (alone.sum(axis=1) == 1).all()
        assert sorted(without.argmin(axis=1)) == sorted(alone.argmax(axis=1)) == list(range(n))


@pytest.mark.parametrize("n", [4, 7, 19, 50])
def test_border_first_has_everybody_alone_and_everybody_but_one_before_others(n):
    rows = design(n, 2 * n + 2, "border_first", 3)[2:]
    assert sorted(rows.sum(axis=1).tolist()) == [1] * n + [n - 1] * n
    assert len(np.unique(rows, axis=0)) == 2 * n
    more = design(n, min(2 * n + 12, 2**n), "border_first", 3)[2 * n + 2 :]
    assert set(more.sum(axis=1).tolist()) <= set(range(2, n - 1))


def test_exact_goes_on_where_paired_border_stopped():
    assert np.array_equal(design(9, 2**9, "exact", 3)[:100], design(9, 100, "paired_border", 3))
    assert len(np.unique(design(16, 2**16, "exact") @ (1 << np.arange(16)))) == 2**16


def test_nearly_exhausted_streams_end():
    """More subsets than can be listed, of which nearly all are wanted, in a small alphabet."""
    generator = np.random.default_rng(0)
    rows = first_distinct(lambda count: generator.random((count, 10)) < 0.5, 1024)
    assert len(np.unique(rows, axis=0)) == 1024


def test_layers_that_cannot_be_listed_are_nested_too():
    assert comb(40, 10) > LISTABLE
    few = distinct_subsets(np.random.default_rng(1), 40, 10, 30)
    many = distinct_subsets(np.random.default_rng(1), 40, 10, 3000)
    assert np.array_equal(few, many[:30])
    assert (many.sum(axis=1) == 10).all()
    assert len(np.unique(many, axis=0)) == 3000


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((5, 3), {}, "game.budget: 3 is too small"),
        ((5, 33), {}, "game.budget: 33 is more than the 32 coalitions of 5 contributors"),
        ((1, 4), {}, "n_players: 1 is outside"),
        ((1001, 4), {}, "n_players: 1001 is outside"),
        (
            (5, 8, "borders"),
            {},
            "game.design: 'borders' is not a design; did you mean border_first?",
        ),
        ((5, 8, "x"), {}, "game.design: 'x' is not a design; choose from add_one_in, border_first"),
        (
            (17, 8, "exact"),
            {},
            "game.design: exact is for at most 16 contributors and there are 17",
        ),
        ((5, 8), {"size": 2}, "size: not an option of design paired_border; it has none"),
        ((5, 8, "fixed_size"), {"sizes": 2}, "sizes: not an option of design fixed_size; its opt"),
        ((5, 8, "fixed_size"), {"size": 5}, "size: 5 is outside 1..4"),
        ((5, 8, "fixed_size"), {"size": 1}, "use 7 or less"),
    ],
)
def test_what_cannot_be_designed_is_said_in_one_line(arguments, options, message):
    with pytest.raises(InputError) as caught:
        design(*arguments, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
