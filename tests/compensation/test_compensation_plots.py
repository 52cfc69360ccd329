"""Figures: the right names and numbers, apart from each other, whatever the names are."""

from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.text import Text
from PIL import Image

from credit_plugin.compensation.plots import convergence_plot, samples_plot, spread, values_plot
from credit_plugin.compensation.wording import property_words
from credit_plugin.values import ContributorValues

MANY = settings(max_examples=40, deadline=None)
ODD = ["$x_1", "a_b_$c$", "$\\frac$", "100 $ and 200 $", "{tex} \\alpha ^2_3", "x" * 255]
places = st.lists(st.floats(0, 100), max_size=12).map(np.array)


def some_values(n, names=None, property="inception_score", **changes):
    values = np.linspace(2.0, -0.5, n)
    facts = {
        "contributors": tuple(names or (f"contributor {i}" for i in range(n))),
        "values": values,
        "standard_errors": np.full(n, 0.1),
        "ci_low": values - 0.2,
        "ci_high": values + 0.2,
        "v_empty": 1.25,
        "v_full": 1.25 + float(values.sum()),
        "estimator": "regression_adjusted",
        "property": property,
        "confidence": 0.95,
        "diagnostics": {"evaluations": 60},
    }
    return ContributorValues(**{**facts, **changes})


def ranking(values):
    figure = values_plot(values)
    figure.draw_without_rendering()  # a convergence plot has done so by itself
    return figure


def converge(values, steps=(20, 40), **options):
    n = len(values.values)
    history = np.random.default_rng(0).normal(0.5, 0.3, (len(steps), n))
    return convergence_plot(steps, history, values, **options)


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text)]


def drawn(figure):
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=50)
    with Image.open(buffer) as picture:
        picture.load()
        assert picture.format == "PNG"
        low, high = picture.convert("L").getextrema()
        assert low < 100 < high
        return picture.size


@pytest.mark.parametrize(("n", "nobody"), [(3, "1.25"), (12, "1.2"), (258, "1")])
def test_the_ranking_names_both_ends_with_shares(n, nobody):
    values = some_values(n)
    figure = values_plot(values, "the untrained network")
    drawn(figure)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    everybody = list(values.contributors)
    assert names == (everybody if n <= 40 else everybody[:20] + everybody[-20:])
    found = texts(figure)
    left_out = "… 218 contributors in the middle are not shown"
    assert (left_out in found) == (n == 258)
    assert f"{values.shares()[0]:.1%}".replace("%", "\u00a0%") in found
    assert property_words("inception_score").question in found
    (subtitle,) = [text for text in found if text.startswith("Estimates with 95% intervals.")]
    assert f"Baseline v(∅) = {nobody} (the untrained network)" in subtitle


def test_the_ranking_explains_the_marks_it_has():
    def keys(values):
        (legend,) = values_plot(values).legends
        return [text.get_text() for text in legend.get_texts()]

    assert keys(some_values(12)) == [
        "surely helped",
        "helped, but the interval reaches 0",
        "did not help",
    ]
    assert keys(some_values(3, ci_low=np.ones(3), values=np.full(3, 2.0))) == ["surely helped"]


@pytest.mark.parametrize("n", [3, 12, 258])
def test_the_highest_are_named_where_their_lines_end(n):
    values = some_values(n)
    figure = converge(values, baseline="zero")
    assert drawn(figure) == (420, 230)
    named = min(n, 6)
    labels = [text for text in texts(figure) if text.startswith("contributor ")]
    shares = values.shares()
    assert labels == [f"contributor {i}  {100 * shares[i]:.1f}\u00a0%" for i in range(named)]
    (subtitle,) = [text for text in texts(figure) if "highest contributors" in text]
    assert subtitle.startswith(f"The {named} highest contributors to the inception score are named")
    assert ("are grey" in subtitle) == (n > 6)
    assert f"the other {n - 6} are grey" in subtitle or n <= 6
    assert "(zero)" in subtitle
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 3]
    assert len(lines) == n
    # the last measurements came after the last recorded estimate
    assert all(line.get_xdata()[-1] == 60 for line in lines)
    assert sorted(line.get_ydata()[-1] for line in lines) == pytest.approx(sorted(values.values))


def test_names_at_the_ends_do_not_overlap():
    values = some_values(6, values=np.array([1.0, 1.0, 0.99, 0.5, 0.5, 0.5]))
    figure = converge(values)
    figure.draw_without_rendering()
    labels = [t for t in figure.findobj(Text) if t.get_text().startswith("contributor ")]
    boxes = sorted((Text.get_window_extent(t) for t in labels), key=lambda box: box.y0)
    assert len(boxes) == 6
    for below, above in pairwise(boxes):
        assert below.y1 <= above.y0
    inside = figure.bbox
    assert all(inside.x0 <= box.x0 and box.x1 <= inside.x1 for box in boxes)


def test_a_single_estimate_from_all_measurements_gets_no_further_point():
    nothing = some_values(3, values=np.zeros(3), diagnostics={})
    figure = converge(nothing, steps=(20,))
    assert {tuple(line.get_xdata()) for line in figure.axes[0].lines[1::2]} == {(20,)}


@pytest.mark.parametrize("draw", [ranking, converge])
def test_names_are_not_read_as_mathematics(draw):
    found = texts(draw(some_values(6, ODD, property="cost_in_$_\\frac_$")))
    for name in ODD[:5]:
        assert any(text.startswith(name) for text in found)
    assert any(text.startswith("x" * 29 + "…") for text in found)


def test_values_that_are_all_zero_can_be_drawn():
    nothing = np.zeros(3)
    ranking(some_values(3, values=nothing, ci_low=nothing, ci_high=nothing))


def test_unknown_intervals_can_be_drawn():
    unknown = np.full(3, np.nan)
    ranking(some_values(3, ci_low=unknown, ci_high=unknown, standard_errors=unknown))


@given(places, st.floats(0.01, 30))
@MANY
def test_labels_are_apart_in_order_and_inside_where_they_fit(heights, gap):
    placed = spread(heights, gap, 0.0, 100.0)
    order = np.argsort(-heights, kind="stable")
    steps = -np.diff(placed[order])
    assert np.all(steps >= gap - 1e-9)
    if gap * (len(heights) - 1) <= 100:
        assert np.all(placed >= -1e-9)
    assert np.all(placed <= 100 + 1e-9)


@given(places, st.floats(0.01, 30))
@MANY
def test_labels_that_are_apart_stay(heights, gap):
    placed = spread(heights, gap, 0.0, 100.0)
    if gap * (len(heights) - 1) <= 100:
        assert spread(placed, gap * (1 - 1e-9), 0.0, 100.0) == pytest.approx(placed, abs=1e-6)


@given(st.floats(20, 80), st.integers(2, 6), st.floats(0.01, 4))
@MANY
def test_labels_on_one_place_spread_evenly_around_it(place, count, gap):
    placed = spread(np.full(count, place), gap, 0.0, 100.0)
    assert placed.mean() == pytest.approx(place)
    assert -np.diff(placed) == pytest.approx(gap)


def test_labels_move_as_little_as_is_needed():
    # found by hand: two touching clusters, one label that is far enough away
    placed = spread(np.array([9.0, 5.0, 5.0, 1.0]), 2.0, 0.0, 10.0)
    assert placed == pytest.approx([9.0, 6.0, 4.0, 1.0])
    assert spread(np.array([0.0, 0.0]), 2.0, 0.0, 10.0) == pytest.approx([2.0, 0.0])
    assert spread(np.array([10.0, 10.0]), 2.0, 0.0, 10.0) == pytest.approx([10.0, 8.0])


@pytest.mark.parametrize("n", [1, 2, 3, 5, 7])
def test_every_grid_of_samples_is_shown_with_its_name_and_line(n):
    rng = np.random.default_rng(n)
    panels = [(f"${i}_model", f"line {i}", rng.integers(0, 256, (16, 16, 3))) for i in range(n)]
    figure = samples_plot(panels, "100 $ and 200 $")
    drawn(figure)
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert len(shown) == n
    for axes, (name, line, pixels) in zip(shown, panels, strict=True):
        assert axes.get_title(loc="left") == name.replace("$", r"\$")
        assert axes.get_xlabel() == line
        assert (axes.images[0].get_array() == pixels).all()
