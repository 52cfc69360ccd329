"""Places and round numbers of the chart in the page."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credit_plugin.compensation.ranking import MOST_ROWS, kind_of, rank, round_numbers, two_ends

MANY = settings(max_examples=50, deadline=None)
borders = st.floats(-1e3, 1e3, allow_subnormal=False)
widths = st.floats(1e-3, 1e6)


def row(value, half=0.5, name="ann"):
    low, high = (None, None) if half is None else (value - half, value + half)
    return {"contributor": name, "value": value, "ci_low": low, "ci_high": high, "share": 0.1}


@given(borders, widths)
@MANY
def test_round_numbers_are_round_evenly_spaced_and_few(low, width):
    high = low + width
    ticks = round_numbers(low, high)
    numbers = [number for number, _ in ticks]
    assert 2 <= len(numbers) <= 9
    assert all(low - 1e-9 * width <= number <= high + 1e-9 * width for number in numbers)
    step = numbers[1] - numbers[0]
    assert np.diff(numbers) == pytest.approx(step, rel=1e-6)
    leading = step / 10 ** math.floor(math.log10(step) + 1e-6)
    assert min(abs(leading - m) for m in (1, 2, 5)) < 1e-3
    assert (0.0 in numbers) == (low <= 0 <= high)


@given(borders, widths)
@MANY
def test_labels_are_the_numbers(low, width):
    ticks = round_numbers(low, low + width)
    labels = [label for _, label in ticks]
    assert len(set(labels)) == len(labels)
    for number, label in ticks:
        read = float(label.replace("\u2212", "-").replace(",", ""))
        assert read == pytest.approx(number, abs=1e-6 * width)


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0, 4, ["0", "1", "2", "3", "4"]),
        (-0.13, 0.32, ["\u22120.1", "0.0", "0.1", "0.2", "0.3"]),
        (-1500, 2600, ["\u22121,000", "0", "1,000", "2,000"]),
        (0.0011, 0.0019, ["0.0012", "0.0014", "0.0016", "0.0018"]),
    ],
)
def test_some_axes(low, high, labels):
    assert [label for _, label in round_numbers(low, high)] == labels


def test_kinds_say_how_sure_it_is():
    assert kind_of(1.0, 0.5) == "sure"
    assert kind_of(1.0, 0.0) == kind_of(1.0, -0.5) == kind_of(1.0, None) == "open"
    assert kind_of(0.0, 0.0) == kind_of(-1.0, -2.0) == "below"


@given(st.integers(1, 300))
@MANY
def test_both_ends_are_shown_and_nobody_twice(count):
    top, bottom = two_ends(np.arange(count))
    shown = [*top, *bottom]
    assert len(shown) == min(count, MOST_ROWS)
    assert shown == sorted(set(shown))
    assert shown[0] == 0
    assert shown[-1] == count - 1


@given(st.lists(st.tuples(borders, st.none() | st.floats(0, 1e6)), min_size=2, max_size=60))
@MANY
def test_places_keep_order_and_stay_on_the_line(given_rows):
    rows = [row(value, half) for value, half in sorted(given_rows, key=lambda r: -r[0])]
    chart = rank(rows)
    lines = [*chart.top, *chart.bottom]
    assert len(lines) + chart.left_out == len(rows)
    for line in lines:
        assert 0 <= line.low <= line.value <= line.high <= 100
    assert [line.value for line in lines] == sorted((line.value for line in lines), reverse=True)
    assert 0 <= chart.zero <= 100
    for line in lines:
        if line.kind == "below":
            assert line.value <= chart.zero
        else:
            assert line.value >= chart.zero
        assert line.kind != "sure" or line.low >= chart.zero
    places = [place for place, _ in chart.ticks]
    assert places == sorted(places)
    assert all(0 <= place <= 100 for place in places)


def test_zero_is_where_its_label_is():
    chart = rank([row(3.0), row(-1.0)])
    assert chart.zero in [place for place, label in chart.ticks if not float(label.strip("\u2212"))]


def test_zero_is_on_the_line_even_if_everybody_is_far_above_or_below():
    above, below = rank([row(9.0), row(8.0)]), rank([row(-8.0), row(-9.0)])
    assert 0 < above.zero < 5
    assert 95 < below.zero < 100


def test_places_are_in_proportion():
    chart = rank([row(4.0, 1.0), row(2.0, 1.0), row(0.0, 0.0)])
    first, second, third = (line.value - chart.zero for line in chart.top)
    assert first == pytest.approx(2 * second, abs=0.02)
    assert third == 0
    assert chart.top[0].high - chart.top[0].low == pytest.approx(second, abs=0.02)


def test_values_that_are_all_zero_have_a_chart():
    chart = rank([row(0.0, 0.0), row(0.0, 0.0)])
    assert {line.kind for line in chart.top} == {"below"}
    assert {line.value for line in chart.top} == {chart.zero}
