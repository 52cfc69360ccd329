"""What the figures share: marks for kinds of methods, intervals, rows with names, titles.

As in :mod:`credit_plugin.compensation.plots` there is no pyplot state, colours can be told apart by
colour-blind readers, and what a colour says is also said by a mark. What a method costs is its
mark: a diamond for the study's values, squares for what retrains, filled circles for what trains
without retraining, hollow ones for what trains nothing, crosses for controls.
"""

import math
import textwrap
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from credit_plugin.compensation.lettering import literal, short_name, writable
from credit_plugin.compensation.plots import BLUE, INK, LINES, ORANGE, SOFT, tidy
from credit_plugin.compensation.wording import MINUS
from credit_plugin.fidelity.resampling import Interval
from credit_plugin.fidelity.result import OWN, FidelityResult, Method, Test
from credit_plugin.fidelity.verdict import kind_of

GREEN = LINES[2]
MARKS: dict[str, dict[str, Any]] = {
    "values": {"marker": "D", "color": BLUE, "mfc": BLUE, "ms": 6.5},
    "nothing": {"marker": "o", "color": ORANGE, "mfc": "white", "ms": 5.5},
    "cheap": {"marker": "o", "color": GREEN, "mfc": GREEN, "ms": 5.5},
    "retrains": {"marker": "s", "color": SOFT, "mfc": SOFT, "ms": 5.5},
    "control": {"marker": "x", "color": INK, "mfc": INK, "ms": 5.5},
}
KEY = {
    "values": "values of this study",
    "nothing": "trains nothing",
    "cheap": "trains without retraining",
    "retrains": "retrains from scratch",
    "control": "control: random scores",
}
ROW = 0.235  # inches
_LETTERS = 13.2  # on an inch of a subtitle


def draw_interval(axes: Axes, place: float, found: Interval, kind: str) -> None:
    """Draw a method's number and interval on its row.

    Args:
        axes: Where to draw.
        place: Height of the row.
        found: The number with the ends of its interval; what is not finite is left out.
        kind: A key of ``MARKS``.
    """
    mark = MARKS[kind]
    if kind == "values":
        axes.axhspan(place - 0.5, place + 0.5, color=BLUE, alpha=0.09, lw=0, zorder=0)
    if math.isfinite(found.low) and math.isfinite(found.high):
        axes.plot(
            (found.low, found.high),
            (place, place),
            color=mark["color"],
            lw=3.4,
            alpha=0.32,
            solid_capstyle="round",
            zorder=2,
        )
    axes.plot(found.value, place, ls="", mew=1.5, zorder=3, **mark)


def finish_scores(axes: Axes, last: float) -> None:
    """Give a panel of rows its zero line, limits and ticks; ``last`` is its lowest row."""
    axes.axvline(0, color=INK, lw=0.9, zorder=1)
    axes.set_ylim(last + 0.6, -0.7)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}".replace("-", MINUS))
    tidy(axes, "x")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def write_beside(axes: Axes, place: float, text: str) -> None:
    """Write a number to the right of a row."""
    across = axes.get_yaxis_transform()
    axes.text(1.02, place, text, transform=across, va="center", color=INK, size=8.5)


def name_rows(axes: Axes, methods: Sequence[Method | None], before: Sequence[str] = ()) -> None:
    """Name the rows, the study's values in bold; None is random orders."""
    names, fonts = names_of([m for m in methods if m is not None])
    rows = [*before, *("random orders" if m is None else names[m.name] for m in methods)]
    axes.set_yticklabels(rows, parse_math=False, fontproperties=fonts, color=INK)
    labels = axes.get_yticklabels()
    for label, method in zip(labels[len(before) :], methods, strict=True):
        if method is not None and method.name == OWN:
            label.set_fontweight("bold")
    for label in labels[: len(before)]:
        label.set_fontstyle("italic")


def names_of(methods: Sequence[Method]) -> tuple[dict[str, str], FontProperties]:
    """Return labels by method: its title, or its registered name where no font has the letters."""
    titles = [short_name(m.title) for m in methods]
    written, fonts = writable(titles)
    labels = {}
    for method, title, known in zip(methods, titles, written, strict=True):
        shown = title if known == title else short_name(method.name.partition("/")[0])
        labels[method.name] = f"{shown} ({method.variant})" if method.variant else shown
    return labels, fonts


def setting(test: Test) -> str:
    """Return the size of a test set in words, on two lines."""
    seeds = f"{test.seeds} {'seed' if test.seeds == 1 else 'seeds'}"
    return f"{alpha_words(test)}:\n{len(test.coalitions)} coalitions of {test.size}, {seeds}"


def alpha_words(test: Test) -> str:
    """Return the alpha of a test set in words."""
    return f"alpha {test.alpha:.2g}"


def level_words(result: FidelityResult) -> str:
    """Return the level of the intervals."""
    return f"{100 * result.confidence:.4g}%"


def write_key(figure: FigureBase, methods: Sequence[Method]) -> None:
    """Explain the marks of the kinds of methods that are there."""
    present = {kind_of(method) for method in methods}
    kinds = [kind for kind in KEY if kind in present]
    marks = [Line2D([], [], ls="", mew=1.5, **MARKS[kind]) for kind in kinds]
    figure.legend(
        marks,
        [KEY[kind] for kind in kinds],
        loc="outside lower center",
        ncols=3,
        frameon=False,
        fontsize=9,
        labelcolor=SOFT,
        handletextpad=0.2,
    )


def write_title(figure: Figure, title: str, subtitle: str) -> None:
    """Write both from the left edge, and keep the room below them for the panels."""
    width, height = figure.get_size_inches()
    lines = textwrap.wrap(subtitle, int(_LETTERS * width))
    head = 0.5 + 0.18 * len(lines)
    figure.text(
        0.012, 1 - 0.12 / height, literal(title), va="top", size=13, weight="bold", color=INK
    )
    figure.text(
        0.012, 1 - 0.4 / height, literal("\n".join(lines)), va="top", size=9.5, color=SOFT,
        linespacing=1.35,
    )  # fmt: skip
    figure.set_layout_engine("constrained", rect=(0.004, 0, 0.99, 1 - head / height))
