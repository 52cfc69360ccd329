"""The ranking of contributors as positions on a line, for charts that the reader's browser draws.

The chart is drawn with percentages instead of pixels: it follows the width of the page, its
letters stay as large as the text around them on a phone, and its colours follow light and dark.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from credit_plugin.compensation.wording import fixed

MOST_ROWS = 40
_LEAST_WIDTH = 1e-300  # fractions of less than this are no longer exact
_AIR = 0.03  # of the width, left and right of the outermost ends


@dataclass(frozen=True)
class RankedRow:
    """One contributor's line: places in percent of the width.

    Attributes:
        contributor: Name.
        share: Share of the pool.
        low: Lower end of the interval.
        value: The value.
        high: Upper end.
        kind: ``sure`` if the interval is above 0, ``open`` if it reaches 0, ``below`` if the value
            is not positive.
    """

    contributor: str
    share: float
    low: float
    value: float
    high: float
    kind: str


@dataclass(frozen=True)
class Ranking:
    """A chart of values with intervals.

    Attributes:
        top: The highest, best first.
        bottom: The lowest, if some in the middle are left out.
        left_out: How many are not shown.
        zero: Place of 0 in percent of the width.
        ticks: (place in percent, label) along the axis.
    """

    top: tuple[RankedRow, ...]
    bottom: tuple[RankedRow, ...]
    left_out: int
    zero: float
    ticks: tuple[tuple[float, str], ...]


def kind_of(value: float, ci_low: float | None) -> str:
    """Return how sure it is that a contributor helped, see :class:`RankedRow`."""
    if value <= 0:
        return "below"
    return "sure" if ci_low is not None and ci_low > 0 else "open"


def two_ends(order: np.ndarray, most: int = MOST_ROWS) -> tuple[np.ndarray, np.ndarray]:
    """Split a ranking in what is shown on top and at the bottom.

    Args:
        order: int [n], best first.
        most: Rows that can be shown.

    Returns:
        Everybody and nobody if they fit, else the first and the last ``most // 2``.
    """
    if len(order) <= most:
        return order, order[:0]
    return order[: most // 2], order[-(most // 2) :]


def rank(rows: Sequence[Mapping[str, Any]]) -> Ranking:
    """Return the chart of rows with contributor, value, ci_low, ci_high and share, best first.

    An interval that is not known (None) is drawn as the value alone.
    """
    top, bottom = two_ends(np.arange(len(rows)))
    shown = [rows[i] for i in (*top, *bottom)]
    left = min(0.0, *(_end(row, "ci_low") for row in shown))
    right = max(0.0, *(_end(row, "ci_high") for row in shown))
    width = right - left if right - left > _LEAST_WIDTH else 1.0
    left, width = left - _AIR * width, width * (1 + 2 * _AIR)

    def place(number: float) -> float:
        return round(100 * (number - left) / width, 2)

    lines = [
        RankedRow(
            row["contributor"],
            row["share"],
            place(_end(row, "ci_low")),
            place(row["value"]),
            place(_end(row, "ci_high")),
            kind_of(row["value"], row["ci_low"]),
        )
        for row in shown
    ]
    ticks = tuple((place(x), label) for x, label in round_numbers(left, left + width))
    left_out = len(rows) - len(shown)
    return Ranking(tuple(lines[: len(top)]), tuple(lines[len(top) :]), left_out, place(0), ticks)


def _end(row: Mapping[str, Any], name: str) -> float:
    return float(row["value"] if row[name] is None else row[name])


def round_numbers(low: float, high: float, about: int = 4) -> list[tuple[float, str]]:
    """Return round numbers between two others, 0 among them if it is between, with labels."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((m * power for m in (1, 2, 5, 10)), key=lambda s: abs(s - rough))
    digits = max(0, -math.floor(math.log10(step * 1.0001)))
    first, last = math.ceil(low / step), math.floor(high / step)
    return [(k * step, fixed(k * step, digits)) for k in range(first, last + 1)]
