from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credit_plugin.errors import InputError
from credit_plugin.game import design, design_names
from credit_plugin.game.designs.shapley_iid import kernel_of_sizes
from credit_plugin.game.subsets import LISTABLE, distinct_subsets, first_distinct

KINDS = ["fixed_size", "paired_border", "shapley_iid", "uniform"]
WITHOUT_DUPLICATES = ["fixed_size", "paired_border", "uniform"]


def largest_budget(kind, n):
    return comb(n, n // 2) + 2 if kind == "fixed_size" else 2**n


@st.composite
def requests(draw, kinds):
    kind = draw(st.sampled_from(kinds))
    n = draw(st.one_of(st.integers(2, 12), st.integers(13, 1000)))
    most = min(largest_budget(kind, n), 200)
    return kind, n, draw(st.integers(4, most)), draw(st.integers(0, 2**31))


def test_the_four_designs_are_registered():
    assert design_names() == KINDS


@given(requests(KINDS))
@settings(max_examples=60, deadline=None)
def test_a_design_has_the_budgets_rows_and_starts_with_empty_and_full(request):
    kind, n, budget, seed = request
    rows = design(n, budget, kind, seed)
    assert rows.shape == (budget, n)
    assert rows.dtype == bool
    assert not rows[0].any()
    assert rows[1].all()
    sizes = rows[2:].sum(axis=1)
    assert ((sizes > 0) & (sizes < n)).all()


@given(requests(WITHOUT_DUPLICATES))
@settings(max_examples=60, deadline=None)
def test_no_coalition_comes_twice(request):
    kind, n, budget, seed = request
    assert len(np.unique(design(n, budget, kind, seed), axis=0)) == budget


@given(requests(KINDS), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_a_smaller_budget_is_the_beginning_of_a_larger_one(request, share):
    kind, n, budget, seed = request
    smaller = 4 + int(share * (budget - 4))
    assert np.array_equal(design(n, smaller, kind, seed), design(n, budget, kind, seed)[:smaller])


@given(requests(["paired_border"]))
@settings(max_examples=60, deadline=None)
def test_complements_stand_next_to_each_other(request):
    _, n, budget, seed = request
    rows = design(n, budget, seed=seed)
    pairs = rows[: budget - budget % 2]
    assert np.array_equal(pairs[0::2], ~pairs[1::2])


@pytest.mark.parametrize("n", range(2, 11))
@pytest.mark.parametrize("kind", ["paired_border", "uniform"])
def test_the_largest_budget_is_every_coalition(n, kind):
    rows = design(n, 2**n, kind, seed=n)
    assert len(np.unique(rows, axis=0)) == 2**n


@pytest.mark.parametrize(("n", "budget"), [(8, 40), (10, 64), (10, 200), (12, 100), (16, 500)])
def test_the_border_is_enumerated_where_expected_draws_exceed_it(n, budget):
    """The rule as estimators state it: walk inwards, take a size whole if draws would exceed it."""
    layers = {k: comb(n, k) * (1 if 2 * k == n else 2) for k in range(1, n // 2 + 1)}
    weights = {k: (1 if 2 * k == n else 2) / (k * (n - k)) for k in layers}
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
        sizes = design(n, budget, seed=seed)[2:].sum(axis=1)
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


def test_members_of_a_sampled_size_are_uniform():
    rows = np.concatenate([design(30, 60, seed=seed)[2:] for seed in range(150)])
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


def test_seeds_differ_and_the_same_seed_is_the_same():
    for kind in KINDS:
        assert np.array_equal(design(12, 60, kind, 5), design(12, 60, kind, 5))
        assert not np.array_equal(design(12, 60, kind, 5), design(12, 60, kind, 6))


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
        ((5, 3), {}, "budget: 3 is too small"),
        ((5, 33), {}, "budget: 33 is more than the 32 coalitions of 5 contributors"),
        ((1, 4), {}, "n_players: 1 is outside"),
        ((1001, 4), {}, "n_players: 1001 is outside"),
        ((5, 8, "borders"), {}, "design: 'borders' is not a design; did you mean paired_border?"),
        ((5, 8, "x"), {}, "design: 'x' is not a design; choose from fixed_size, paired_border"),
        ((5, 8), {"size": 2}, "size: not an option of design paired_border; it has none"),
        ((5, 8, "fixed_size"), {"sizes": 2}, "sizes: not an option of design fixed_size; its opt"),
        ((5, 8, "fixed_size"), {"size": 5}, "size: 5 is outside 1..4"),
        ((5, 8, "fixed_size"), {"size": 1}, "use a budget of 7 or less"),
    ],
)
def test_what_cannot_be_designed_is_said_in_one_line(arguments, options, message):
    with pytest.raises(InputError) as caught:
        design(*arguments, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
