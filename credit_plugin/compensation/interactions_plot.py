"""Figure of interactions: who substitutes and who complements whom.

Up to 20 contributors are a matrix of pairs, more are the strongest 15 pairs as bars. Colours are
those of :mod:`plots` and diverge from white at 0: vermilion for pairs that substitute each other,
blue for pairs that complement each other, which colour-blind readers can tell apart. What a colour
says is also said by the number's sign, and how sure it is by size: a pair whose interval contains 0
is a small square without a number, or a hollow bar.
"""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator

from credit_plugin.compensation.lettering import literal, short_name, writable
from credit_plugin.compensation.plots import (
    BLUE,
    DPI,
    INK,
    ORANGE,
    PALE,
    SOFT,
    tidy,
)
from credit_plugin.compensation.wording import MINUS, decimals_for, fixed, property_words
from credit_plugin.values.interactions import Interactions

MOST_IN_A_MATRIX = 20
BARS = 15
TITLE = "Who substitutes whom, and who complements whom"
_MEANING = (
    "Negative (orange): they substitute each other, together they add less than one by one. "
    "Positive (blue): they complement each other, together they add more."
)
_COLOURS = LinearSegmentedColormap.from_list("interactions", [ORANGE, "#F4F4F4", BLUE])
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_OPEN_SIZE = 0.42  # side of a small square, in cells


def interactions_plot(found: Interactions) -> Figure:
    """Return a matrix of pairs, or with more than 20 contributors the strongest 15 as bars.

    A name that no font of the machine can write is shown as its place, ``contributor 3``.

    Args:
        found: Interactions of one property.
    """
    labels, fonts = writable([short_name(name) for name in found.contributors])
    if len(labels) <= MOST_IN_A_MATRIX:
        return _matrix(found, labels, fonts)
    return _bars(found, labels, fonts)


def _matrix(found: Interactions, labels: Sequence[str], fonts: FontProperties) -> Figure:
    n = len(labels)
    cell = float(np.clip(5.2 / n, 0.36, 0.62))
    size = (max(8.4, cell * n + 2.6), cell * n + 2.9)
    figure = Figure(figsize=size, dpi=DPI, layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    power, digits, reach = _scale(found)
    norm = Normalize(-reach, reach)
    letters = min(8.5, 18 * cell)
    for row, column in np.argwhere(np.tri(n, k=-1)).tolist():
        value = float(found.index[row, column])
        number = fixed(value / 10.0**power, digits, sign=True)
        sure = _is_sure(found, row, column)
        _draw_cell(axes, column, row, _COLOURS(norm(value)), number if sure else "", letters)
    axes.set_xlim(-0.5, n - 1.5)
    axes.set_ylim(n - 0.5, 0.5)
    axes.set_aspect("equal", anchor="NW")
    _name_ticks(axes, "y", range(1, n), labels[1:], fonts)
    _name_ticks(axes, "x", range(n - 1), labels[:-1], fonts)
    for label in axes.get_xticklabels():
        label.set(rotation=40, ha="right", rotation_mode="anchor")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    if n > 3:
        _draw_scale(figure, axes, norm, power, cell * (n - 1))
    marks = [
        Line2D([], [], marker="s", ls="", ms=10 * side, color=SOFT) for side in (1, _OPEN_SIZE)
    ]
    _write_words(figure, _subtitle(found), marks)
    return figure


def _bars(found: Interactions, labels: Sequence[str], fonts: FontProperties) -> Figure:
    pairs = found.strongest(BARS)
    height = 2.3 + 0.42 * len(pairs)
    figure = Figure(figsize=(8.4, height), dpi=DPI, layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    axes.axvline(0, color=INK, lw=0.9, zorder=1)
    for place, (i, j) in enumerate(pairs):
        value = float(found.index[i, j])
        colour = ORANGE if value < 0 else BLUE
        face = colour if _is_sure(found, i, j) else "white"
        axes.barh(place, value, 0.56, facecolor=face, edgecolor=colour, lw=1.1, zorder=2)
        interval = (float(found.ci_low[i, j]), float(found.ci_high[i, j]))
        axes.plot(interval, (place, place), color=INK, lw=1.3, alpha=0.75, zorder=3)
    # on lines of their own, since names may run in different directions
    _name_ticks(
        axes, "y", range(len(pairs)), [f"{labels[i]}\n{labels[j]}" for i, j in pairs], fonts
    )
    axes.set_ylim(len(pairs) - 0.4, -0.6)
    power = _scale(found)[0]
    axes.xaxis.set_major_formatter(lambda x, _: _plain_number(x, power))
    axes.set_xlabel(f"interaction{_power_words(power)}", color=SOFT)
    tidy(axes, "x")
    axes.tick_params(axis="y", length=0, labelsize=8.5)
    axes.spines["left"].set_visible(False)
    total = len(labels) * (len(labels) - 1) // 2
    marks = [Patch(facecolor=face, edgecolor=SOFT) for face in (SOFT, "white")]
    words = f"{_subtitle(found)} The {len(pairs)} strongest of {total:,} pairs are shown."
    _write_words(figure, words, marks)
    return figure


def _draw_cell(
    axes: Axes, x: int, y: int, colour: tuple[float, ...], number: str, letters: float
) -> None:
    """Fill a cell and write its number, or, without one, draw a small square."""
    side = 1.0 if number else _OPEN_SIZE
    axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor="white", edgecolor=PALE, lw=0.8))
    corner = (x - side / 2, y - side / 2)
    axes.add_patch(Rectangle(corner, side, side, facecolor=colour, edgecolor="white", lw=0.8))
    ink = "white" if _is_dark(colour) else INK
    axes.text(x, y, number, ha="center", va="center", size=letters, color=ink)


def _draw_scale(figure: Figure, axes: Axes, norm: Normalize, power: int, inches: float) -> None:
    """Draw the scale of colours into the empty corner of a matrix that is so many inches wide."""
    width = min(2.4 / inches, 0.5)
    place = axes.inset_axes((1 - width, 1 - 0.35 / inches, width, 0.13 / inches))
    bar = figure.colorbar(ScalarMappable(norm, _COLOURS), cax=place, orientation="horizontal")
    bar.outline.set_visible(False)
    bar.ax.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    bar.ax.xaxis.set_major_formatter(lambda x, _: _plain_number(x, power))
    bar.ax.tick_params(labelsize=9, colors=SOFT, length=0)
    place.set_title(f"interaction{_power_words(power)}", loc="left", color=SOFT, size=9.5, pad=4)


def _write_words(figure: Figure, subtitle: str, marks: Sequence[Artist]) -> None:
    """Write title and key, and the subtitle from the left edge, however long the names are."""
    figure.suptitle(TITLE, x=0.012, ha="left", size=13, weight="bold", color=INK)
    axes = figure.axes[0]
    line = axes.set_title(
        literal(subtitle), loc="left", size=9.5, color=SOFT, pad=14, wrap=True, linespacing=1.35
    )
    figure.legend(
        marks,
        ["interval does not contain 0", "interval contains 0: may be nothing"],
        loc="outside lower center",
        ncols=2,
        frameon=False,
        fontsize=9,
        labelcolor=SOFT,
    )
    for _ in range(2):  # where the line starts decides how it breaks, and that the room below it
        figure.draw_without_rendering()
        box = axes.get_position()
        line.set_x((0.012 - box.x0) / box.width)


def _is_sure(found: Interactions, row: int, column: int) -> bool:
    return bool(found.ci_low[row, column] > 0 or found.ci_high[row, column] < 0)


def _is_dark(colour: tuple[float, ...]) -> bool:
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] < 0.55


def _scale(found: Interactions) -> tuple[int, int, float]:
    """Return the power of ten that numbers are written in, their decimals, and the largest."""
    largest = float(np.abs(found.index).max())
    common = largest == 0 or 0.01 <= largest < 1000
    power = 0 if common else 3 * (math.floor(math.log10(largest)) // 3)
    return power, decimals_for([largest / 10.0**power], 2), largest or 1.0


def _power_words(power: int) -> str:
    return f" in units of 10{str(power).translate(_SUPERSCRIPTS)}" if power else ""


def _subtitle(found: Interactions) -> str:
    words = property_words(found.property)
    return f"{_MEANING} On the {words.name}, with {100 * found.confidence:.4g}% intervals."


def _plain_number(x: float, power: int) -> str:
    return f"{x / 10.0**power:g}".replace("-", MINUS)


def _name_ticks(
    axes: Axes, axis: str, places: Sequence[int], names: Sequence[str], fonts: FontProperties
) -> None:
    getattr(axes, f"set_{axis}ticks")(places)
    getattr(axes, f"set_{axis}ticklabels")(names, fontproperties=fonts, color=INK, parse_math=False)
