"""Interactions: exact where everything is known, and telling where it is not."""

from itertools import combinations
from math import factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.text import Text

from credit_plugin.compensation.interactions_plot import interactions_plot
from credit_plugin.errors import InputError
from credit_plugin.game import UtilityTable, design
from credit_plugin.game.toys import AdditiveGame, CarrierGame, SaturatingGame
from credit_plugin.values.interactions import Interactions, PairReader, interactions
from credit_plugin.values.observations import observe
from credit_plugin.values.pair_proxy import product_components

QUICK = {"resamples": 2}
MANY = settings(max_examples=25, deadline=None)
TWINS = (1, 6)

seeds = st.integers(0, 2**32 - 1)


def everything(n):
    return (np.arange(2**n)[:, None] >> np.arange(n)) % 2 == 1


def index_of(rows, utilities):
    return interactions(UtilityTable.from_arrays(rows, utilities), **QUICK).index


def by_definition(utilities):
    """Return the index by the sum over coalitions, for utilities [2**n] in binary order."""
    n = len(utilities).bit_length() - 1
    index = np.zeros((n, n))
    for i, j in combinations(range(n), 2):
        others = [k for k in range(n) if k not in (i, j)]
        for size in range(n - 1):
            chance = factorial(size) * factorial(n - size - 2) / factorial(n - 1)
            for members in combinations(others, size):
                s = sum(1 << k for k in members)
                both, first, second = s | 1 << i | 1 << j, s | 1 << i, s | 1 << j
                index[i, j] += chance * (
                    utilities[both] - utilities[first] - utilities[second] + utilities[s]
                )
    return index + index.T


def with_twins(n):
    """Return a saturating game in which two players hold the same data."""
    game = SaturatingGame([1 + 3 * i % 5 for i in range(n)], scale=1.5 * n)

    def twins(rows):
        merged = rows.copy()
        merged[:, TWINS[0]] |= merged[:, TWINS[1]]
        merged[:, TWINS[1]] = False
        return game(merged)

    return twins


def study_table(game, n, budget, sd, seed=0):
    """Evaluate a game with a study's design and repeats, and noise on each evaluation."""
    rows = design(n, budget - 8, seed=seed)
    rows = np.concatenate([rows, rows[[0, 0, 1, 1]], rows[5:41:9][:4]])
    noise = np.random.default_rng(seed).normal(0, sd, len(rows))
    return UtilityTable.from_arrays(rows, game(rows) + noise)


@given(seed=seeds, n=st.integers(2, 6))
@MANY
def test_all_coalitions_give_the_definition(seed, n):
    utilities = np.random.default_rng(seed).normal(size=2**n)
    assert index_of(everything(n), utilities) == pytest.approx(by_definition(utilities), abs=1e-8)


def test_all_coalitions_leave_nothing_open():
    utilities = np.random.default_rng(0).normal(size=32)
    found = interactions(UtilityTable.from_arrays(everything(5), utilities), resamples=20)
    assert found.standard_errors == pytest.approx(np.zeros((5, 5)), abs=1e-8)
    assert found.diagnostics["shrinkage"] == "none: all coalitions are known"


def test_evaluations_of_less_weight_leave_a_fully_known_game_exact():
    rows = everything(5)
    utilities = np.random.default_rng(1).normal(size=32)
    table = UtilityTable.from_arrays(rows, utilities, weights=np.full(32, 0.25))
    assert interactions(table, **QUICK).index == pytest.approx(by_definition(utilities), abs=1e-8)


@pytest.mark.parametrize("carrier", [(0, 4), (1, 2, 5), (0, 1, 3, 4), (0, 1, 2, 3, 4, 5)])
def test_players_who_are_all_needed_complement_each_other(carrier):
    rows = everything(6)
    expected = np.zeros((6, 6))
    expected[np.ix_(carrier, carrier)] = 1 / (len(carrier) - 1)
    np.fill_diagonal(expected, 0)
    assert index_of(rows, CarrierGame(6, carrier)(rows)) == pytest.approx(expected, abs=1e-8)


# the least penalty that may be chosen is 1e-4 of the mean square of a column; complement pairs keep
# what it does to slopes out of the pairs
@pytest.mark.parametrize(("kind", "doubt"), [("paired_border", 1e-7), ("uniform", 1e-3)])
@pytest.mark.parametrize("budget", [30, 60, 256])
def test_an_additive_game_has_none(kind, doubt, budget):
    rows = design(8, budget, kind)
    game = AdditiveGame([1.0, -2.0, 0.0, 3.5, 0.2, 4.0, 1.5, -1.0], base=7.0)
    assert index_of(rows, game(rows)) == pytest.approx(np.zeros((8, 8)), abs=doubt)


@pytest.mark.parametrize("kind", ["paired_border", "uniform"])
def test_a_game_of_pairs_is_found_once_there_are_enough_coalitions(kind):
    rows = design(7, 90, kind)
    pairs = np.triu(np.random.default_rng(3).normal(size=(7, 7)), 1)
    utilities = rows.sum(axis=1) + ((rows @ pairs) * rows).sum(axis=1)
    assert index_of(rows, utilities) == pytest.approx(pairs + pairs.T, abs=2e-3)


@given(seed=seeds)
@MANY
def test_the_index_is_symmetric_with_an_empty_diagonal(seed):
    generator = np.random.default_rng(seed)
    rows = design(7, 40, seed=seed)
    found = interactions(UtilityTable.from_arrays(rows, generator.normal(size=40)), **QUICK)
    for matrix in (found.index, found.standard_errors, found.ci_low, found.ci_high):
        assert matrix.dtype == np.float64
        assert np.array_equal(matrix, matrix.T)
        assert not matrix.diagonal().any()
    assert (found.ci_low <= found.index).all()
    assert (found.index <= found.ci_high).all()


@given(seed=seeds, order=st.permutations(range(7)))
@MANY
def test_names_and_order_do_not_matter(seed, order):
    rows = design(7, 48, seed=seed)
    utilities = with_twins(7)(rows) + np.random.default_rng(seed).normal(0, 0.02, 48)
    shuffled = np.random.default_rng(seed).permutation(48)
    moved = index_of(rows[shuffled][:, order], utilities[shuffled])
    assert moved == pytest.approx(index_of(rows, utilities)[np.ix_(order, order)], abs=1e-7)


@given(seed=seeds)
@MANY
def test_the_index_is_linear_for_its_penalties(seed):
    generator = np.random.default_rng(seed)
    rows = design(8, 40, seed=seed)
    observed = observe(UtilityTable.from_arrays(rows, generator.normal(size=40)))
    reader = PairReader(observed)
    ones = np.ones(len(reader.units.strata))
    games = generator.normal(size=(2, len(observed.utilities)))
    together = reader.solve((games[0] - 2 * games[1])[:, None], ones)
    # least squares has a ridge of 1e-9: of 16 digits 7 are left
    assert together == pytest.approx(reader.solve(games.T, ones) @ [[1], [-2]], abs=1e-6)


@given(seed=seeds, factor=st.sampled_from([1e-6, 1e4]))
@MANY
def test_another_unit_gives_the_same_interactions_in_it(seed, factor):
    rows = design(7, 48, seed=seed)
    utilities = with_twins(7)(rows) + np.random.default_rng(seed).normal(0, 0.02, 48)
    one, other = (
        interactions(UtilityTable.from_arrays(rows, c * utilities), resamples=5)
        for c in (1, factor)
    )
    assert other.index / factor == pytest.approx(one.index, abs=1e-7)
    assert other.standard_errors / factor == pytest.approx(one.standard_errors, abs=1e-7)


@pytest.mark.parametrize(("n", "budget"), [(8, 64), (8, 128), (10, 64), (10, 128)])
def test_duplicates_are_the_most_negative_pair_and_surely_negative(n, budget):
    rows = everything(n)
    sd = 0.1 * with_twins(n)(rows).std()
    for seed in range(5):
        found = interactions(study_table(with_twins(n), n, budget, sd, seed), resamples=60)
        lowest = np.unravel_index(found.index.argmin(), (n, n))
        assert tuple(sorted(lowest)) == TWINS
        assert found.ci_high[TWINS] < 0


def test_intervals_cover():
    game, exact = with_twins(8), by_definition(with_twins(8)(everything(8)))
    pairs = np.triu_indices(8, 1)
    covered, errors, stated = [], [], []
    for seed in range(20):
        found = interactions(study_table(game, 8, 64, 0.03, seed), resamples=60)
        covered.append(((found.ci_low <= exact) & (exact <= found.ci_high))[pairs])
        errors.append((found.index - exact)[pairs] ** 2)
        stated.append(found.standard_errors[pairs] ** 2)
    # 560 intervals that are not independent; nominal .95, wider because of what shrinkage leaves
    assert np.mean(covered) > 0.9
    assert 0.4 < (np.mean(errors) / np.mean(stated)) ** 0.5 < 1.1


def test_more_evaluations_are_narrower_and_more_exact():
    game, exact = with_twins(8), by_definition(with_twins(8)(everything(8)))
    few, many = (
        [interactions(study_table(game, 8, m, 0.02, s), resamples=40) for s in range(4)]
        for m in (40, 160)
    )
    for measure in (
        lambda found: found.standard_errors.mean(),
        lambda found: ((found.index - exact) ** 2).mean(),
    ):
        assert np.mean([measure(f) for f in many]) < 0.6 * np.mean([measure(f) for f in few])


@pytest.mark.parametrize(("rows", "n"), [(40, 6), (12, 9)])
def test_components_of_products_hold_all_that_rows_tell_of_pairs(rows, n):
    memberships = design(n, rows) - 0.5
    first, second = np.triu_indices(n, 1)
    products = memberships[:, first] * memberships[:, second]
    features, squares = product_components(memberships)
    assert features @ features.T == pytest.approx(products @ products.T, abs=1e-9)
    assert features.T @ features == pytest.approx(np.diag(squares), abs=1e-9)
    assert len(squares) == np.linalg.matrix_rank(products)


def test_more_pairs_than_coalitions_are_drawn_together_and_the_diagnostics_say_so():
    n = 60
    game = SaturatingGame([1] * n, scale=20.0)
    found = interactions(study_table(game, n, 160, 0.02), resamples=20)
    pairs = np.triu_indices(n, 1)
    said = found.diagnostics
    assert said["pairs"] == 1770
    assert said["shrinkage"].startswith("strong: of the differences between 1770 pairs, 152 ")
    assert said["pair_degrees"] < 0.1 * 1770
    # the players are alike, so all pairs have the same, by the sizes that do not cancel
    utility = game(np.tri(n + 1, n, -1))
    exact = (utility[n] - utility[n - 1] - utility[1] + utility[0]) / (n - 1)
    covered = (found.ci_low[pairs] <= exact) & (exact <= found.ci_high[pairs])
    assert covered.mean() > 0.9
    assert found.index[pairs] == pytest.approx(np.full(1770, exact), abs=0.004)


def test_pairs_are_listed_by_strength():
    found = interactions(study_table(with_twins(8), 8, 96, 0.01), **QUICK)
    frame = found.to_frame()
    columns = ["first", "second", "interaction", "standard_error", "ci_low", "ci_high"]
    assert list(frame.columns) == columns
    assert len(frame) == 28
    assert frame["interaction"].abs().is_monotonic_decreasing
    i, j = found.strongest(1)[0]
    assert (frame["first"][0], frame["second"][0]) == (f"c{i + 1}", f"c{j + 1}")
    assert frame["interaction"][0] == found.index[i, j]
    assert found.strongest(5).tolist() == found.strongest()[:5].tolist()
    assert all(i < j for i, j in found.strongest())


def test_the_seed_moves_intervals_but_never_the_index():
    table = study_table(with_twins(7), 7, 60, 0.03)
    one, same, other = (interactions(table, seed=s, resamples=10) for s in (1, 1, 2))
    assert np.array_equal(one.ci_low, same.ci_low)
    assert np.array_equal(one.index, other.index)
    assert not np.array_equal(one.ci_low, other.ci_low)


@pytest.mark.parametrize(("n", "budget", "needed"), [(8, 19, 20), (3, 7, 8), (50, 80, 104)])
def test_a_table_that_is_too_small_is_refused_in_one_line(n, budget, needed):
    rows = design(n, budget)
    with pytest.raises(InputError, match=rf"^table: {budget} .* evaluate at least {needed}$"):
        index_of(rows, np.arange(budget))


def test_what_cannot_be_is_refused_in_one_line():
    table = study_table(with_twins(7), 7, 60, 0.03)
    with pytest.raises(InputError, match="confidence: 1 is not between 0 and 1"):
        interactions(table, confidence=1)
    with pytest.raises(InputError, match="resamples: 1 is too few"):
        interactions(table, resamples=1)
    other = UtilityTable.from_arrays(table.coalitions, table.utilities, property="diversity")
    both = UtilityTable.concat(table, other)
    with pytest.raises(InputError, match="the table holds utility, diversity; name one of them"):
        interactions(both)
    assert interactions(both, property="diversity", **QUICK).property == "diversity"


def some_interactions(n, names=None, scale=1.0):
    index = np.zeros((n, n))
    index[0, 1] = index[1, 0] = -0.5 * scale
    index[0, 2] = index[2, 0] = 0.3 * scale
    margin = 0.4 * scale
    return Interactions(
        contributors=tuple(names or (f"contributor {i}" for i in range(n))),
        index=index,
        standard_errors=np.full((n, n), margin / 2),
        ci_low=index - margin,
        ci_high=index + margin,
        property="inception_score",
        confidence=0.95,
    )


def texts(figure):
    figure.draw_without_rendering()
    return [text.get_text() for text in figure.findobj(Text)]


@pytest.mark.parametrize("n", [3, 4, 20])
def test_the_matrix_names_everybody_and_numbers_the_sure_pairs_alone(n):
    figure = interactions_plot(some_interactions(n))
    axes = figure.axes[0]
    names = [f"contributor {i}" for i in range(n)]
    assert [label.get_text() for label in axes.get_yticklabels()] == names[1:]
    assert [label.get_text() for label in axes.get_xticklabels()] == names[:-1]
    numbers = [text for text in axes.texts if text.get_text()]
    assert [(t.get_text(), t.get_position()) for t in numbers] == [("\u22120.50", (0, 1))]
    (words,) = [text for text in texts(figure) if text.startswith("Negative")]
    assert "substitute each other" in words
    assert "Positive (blue): they complement each other" in words


def test_small_interactions_are_written_in_powers_of_ten():
    found = texts(interactions_plot(some_interactions(5, scale=1e-5)))
    assert "\u22125.0" in found
    assert "interaction in units of 10⁻⁶" in found


def test_of_many_contributors_the_strongest_pairs_are_bars_with_intervals():
    figure = interactions_plot(some_interactions(25))
    axes = figure.axes[0]
    assert len(axes.patches) == 15
    assert [bar.get_width() for bar in axes.patches[:3]] == [-0.5, 0.3, 0.0]
    first, second = (label.get_text() for label in axes.get_yticklabels()[:2])
    assert first == "contributor 0\ncontributor 1"
    assert second == "contributor 0\ncontributor 2"
    intervals = [line.get_xdata() for line in axes.lines[1:3]]
    assert np.array(intervals) == pytest.approx(np.array([[-0.9, -0.1], [-0.1, 0.7]]))
    white = (1.0, 1.0, 1.0, 1.0)
    assert axes.patches[0].get_facecolor() != white
    assert axes.patches[1].get_facecolor() == white
    assert any("The 15 strongest of 300 pairs are shown." in text for text in texts(figure))


@pytest.mark.parametrize("n", [6, 24])
def test_any_name_stays_inside_the_figure(n):
    odd = ["$x_1", "\\frac$ 100 $", "x" * 200, "Łukasz Żółć", "مكتبة", "\U000f1234 private"]
    figure = interactions_plot(some_interactions(n, [f"{odd[i % 6]} {i}"[-60:] for i in range(n)]))
    shown = texts(figure)
    assert any("$x_1 0" in text for text in shown)
    if n == 6:  # no font has a letter for it
        assert "contributor 6" in shown
    drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert -0.01 <= drawn.x0 <= drawn.x1 <= width + 0.01
    assert -0.01 <= drawn.y0 <= drawn.y1 <= height + 0.01
