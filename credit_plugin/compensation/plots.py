"""Figures of values: who, how sure, how the estimate settled, and what was measured.

Figures are made without pyplot's global state, so that any thread can make them and none has to be
closed. Colours are Okabe and Ito's, which colour-blind readers can tell apart; what a colour says
is also said by place or by a filled and a hollow mark. Names are never read as mathematics.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from credit_plugin.compensation.lettering import literal, short_name, writable
from credit_plugin.compensation.ranking import kind_of, two_ends
from credit_plugin.compensation.wording import decimals_for, fixed, percent, property_words
from credit_plugin.values import ContributorValues

DPI = 200
INK, SOFT, FAINT, PALE = "#1B222A", "#56616D", "#B4BCC4", "#E7EBEF"
BLUE, ORANGE = "#0072B2", "#D55E00"
LINES = (BLUE, ORANGE, "#009E73", "#CC79A7", "#B58900", "#56B4E9")
_FACE = {"sure": (BLUE, BLUE), "open": ("white", BLUE), "below": (ORANGE, ORANGE)}
_KEY = {
    "sure": "surely helped",
    "open": "helped, but the interval reaches 0",
    "below": "did not help",
}
_LINE_HEIGHT = 1.35  # of the letters' size


def values_plot(values: ContributorValues, baseline: str = "") -> Figure:
    """Return a ranking of contributors with intervals and shares, the highest on top.

    Of more than 40 contributors the 20 highest and the 20 lowest are shown.

    Args:
        values: Values of one property.
        baseline: What v(empty) was measured on, in words; printed with the values.
    """
    top, bottom = two_ends(np.argsort(-values.values, kind="stable"))
    order, left_out = np.concatenate([top, bottom]), len(values.values) - len(top) - len(bottom)
    # a row of its own says what is left out between the two ends
    places = np.concatenate([np.arange(len(top)), len(top) + 1 + np.arange(len(bottom))])
    height = 1.75 + 0.29 * (int(places[-1]) + 1)
    figure = Figure(figsize=(8.4, height), dpi=DPI, layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    axes.axvline(0, color=INK, lw=0.9, zorder=1)
    kinds = [kind_of(values.values[i], values.ci_low[i]) for i in order]
    for place, i, kind in zip(places, order, kinds, strict=True):
        _draw_row(axes, float(place), values, int(i), kind)
    _write_shares(axes, places, order, values.shares())
    if left_out:
        text = f"… {left_out} contributors in the middle are not shown"
        axes.text(0.5, len(top), text, transform=axes.get_yaxis_transform(), **_soft("center"))
    axes.set_yticks(places)
    labels, fonts = writable([short_name(name) for name in values.contributors])
    names = [labels[i] for i in order]
    axes.set_yticklabels(names, parse_math=False, fontproperties=fonts, color=INK)
    axes.set_ylim(places[-1] + 0.6, -0.6)
    words = property_words(values.property)
    label = f"value: what each contributor added to the {words.name}"
    axes.set_xlabel(literal(label), color=SOFT)
    tidy(axes, "x")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    _title(figure, words.question, _subtitle(values, baseline))
    _write_key(figure, [kind for kind in _KEY if kind in kinds])
    return figure


def convergence_plot(
    steps: Sequence[int],
    history: np.ndarray,
    final: ContributorValues,
    named: int = len(LINES),
    baseline: str = "",
) -> Figure:
    """Return how values settled as measurements came in.

    Args:
        steps: Numbers of evaluations, increasing, length k.
        history: float [k, n], values after each of them.
        final: The values in the end.
        named: How many of the highest are coloured and named, at most 6.
        baseline: What v(empty) was measured on, in words; printed with the values.
    """
    figure = Figure(figsize=(8.4, 4.6), dpi=DPI, layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    end = int(final.diagnostics.get("evaluations", steps[-1]))
    later = end > steps[-1]
    across = np.array([*steps, end] if later else steps)
    lines = np.vstack([history, final.values]) if later else np.asarray(history)
    order = np.argsort(-final.values, kind="stable")
    top, others = order[: min(named, len(LINES))], order[min(named, len(LINES)) :]
    axes.axhline(0, color=INK, lw=0.9, zorder=1)
    for i in others:
        axes.plot(across, lines[:, i], color=FAINT, lw=1, zorder=2)
    for colour, i in zip(LINES, top, strict=False):
        axes.plot(across, lines[:, i], color=colour, lw=2.2, zorder=3, solid_capstyle="round")
        axes.plot(across[-1], lines[-1, i], "o", color=colour, ms=5, zorder=4)
    span = float(across[-1] - across[0]) or 1.0
    axes.set_xlim(across[0] - 0.02 * span, across[-1] + 0.02 * span)
    axes.set_xlabel("measurements of coalitions, repeats included", color=SOFT)
    axes.set_ylabel("value", color=SOFT)
    steps_of_ticks = [1, 2, 2.5, 5, 10]
    axes.xaxis.set_major_locator(MaxNLocator("auto", steps=steps_of_ticks, integer=True))
    tidy(axes, "y")
    rest = f"; the other {len(others)} are grey" if len(others) else ""
    _title(
        figure,
        "How the values settled while measurements came in",
        f"The {len(top)} highest contributors to the {property_words(final.property).name} are "
        f"named{rest}. {_borders(final, baseline)}",
    )
    labels, fonts = writable([short_name(name) for name in final.contributors])
    names = [f"{labels[i]}  {percent(final.shares()[i])}" for i in top]
    _label_ends(figure, axes, lines[-1, top], names, fonts)
    return figure


def samples_plot(panels: Sequence[tuple[str, str, np.ndarray]], title: str) -> Figure:
    """Return grids of generated images beside each other.

    Args:
        panels: What made the images, a line about it, and uint8 [H, W, C] pixels, of each grid.
        title: What they have in common.
    """
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    size = (2.9 * columns, 3.35 * rows + 0.5)
    figure = Figure(figsize=size, dpi=DPI, layout="constrained", facecolor="white")
    figure.suptitle(literal(title), x=0.012, ha="left", size=13, weight="bold", color=INK)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (made_by, line, pixels) in zip(grid, panels, strict=False):
        axes.imshow(pixels, interpolation="nearest")
        axes.set_title(literal(made_by), loc="left", size=10.5, color=INK)
        axes.set_xlabel(literal(line), loc="left", size=9.5, color=SOFT)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_color(FAINT)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    return figure


def spread(heights: np.ndarray, gap: float, low: float, high: float) -> np.ndarray:
    """Move labels apart as little as is needed.

    Args:
        heights: float [k], where the labels would like to be.
        gap: Least distance between two of them.
        low: Lowest place allowed.
        high: Highest place; if labels do not fit, those in excess stand below ``low``.

    Returns:
        float [k], in the same order as the heights wherever these differ.
    """
    order = np.argsort(-heights, kind="stable")
    placed = heights[order].astype(float)
    # clusters of touching labels share the place of their mean (pool adjacent violators)
    wanted = placed + gap * np.arange(len(placed))
    blocks: list[list[float]] = []
    for height in wanted:
        blocks.append([height, 1.0])
        while len(blocks) > 1 and blocks[-1][0] > blocks[-2][0]:
            mean, count = blocks.pop()
            before, more = blocks.pop()
            total = count + more
            blocks.append([(mean * count + before * more) / total, total])
    settled = np.repeat([mean for mean, _ in blocks], [int(count) for _, count in blocks])
    lowest, highest = low + gap * (len(placed) - 1), high
    settled = np.minimum(np.maximum(settled, lowest), highest)
    result = np.empty(len(placed))
    result[order] = settled - gap * np.arange(len(placed))
    return result


def _draw_row(axes: Axes, place: float, values: ContributorValues, i: int, kind: str) -> None:
    face, edge = _FACE[kind]
    interval = (float(values.ci_low[i]), float(values.ci_high[i]))
    axes.plot(
        interval, (place, place), color=edge, lw=4, alpha=0.32, solid_capstyle="round", zorder=2
    )
    axes.plot(float(values.values[i]), place, "o", mfc=face, mec=edge, mew=1.6, ms=6.5, zorder=3)


def _write_shares(axes: Axes, places: np.ndarray, order: np.ndarray, shares: np.ndarray) -> None:
    beside = axes.get_yaxis_transform()
    for place, i in zip(places, order, strict=True):
        colour = INK if shares[i] > 0 else FAINT
        text = percent(shares[i])
        axes.text(
            1.075, place, text, transform=beside, ha="right", va="center", color=colour, size=9
        )
    axes.text(1.075, -0.75, "share", transform=beside, ha="right", va="bottom", color=SOFT, size=9)


def _label_ends(
    figure: Figure, axes: Axes, heights: np.ndarray, names: Sequence[str], fonts: FontProperties
) -> None:
    """Write names at the lines' ends, apart from each other, with a thread where they moved."""
    size = fonts.get_size_in_points()
    labels = []
    for k, name in enumerate(names):
        labels.append(
            axes.annotate(
                name,
                (1.0, heights[k]),
                xycoords=axes.get_yaxis_transform(),
                xytext=(1.03, heights[k]),
                textcoords=axes.get_yaxis_transform(),
                va="center",
                fontproperties=fonts,
                color=LINES[k],
                annotation_clip=False,
                parse_math=False,
                arrowprops={
                    "arrowstyle": "-",
                    "relpos": (0, 0.5),
                    "color": LINES[k],
                    "lw": 0.8,
                    "alpha": 0.6,
                },
            )
        )
    figure.draw_without_rendering()  # labels have made room for themselves: heights are known
    low, high = axes.get_ylim()
    points = axes.get_window_extent().height * 72 / figure.dpi
    gap = size * _LINE_HEIGHT * (high - low) / points
    for label, height in zip(labels, spread(heights, gap, low, high), strict=True):
        label.set_position((1.03, height))


def _write_key(figure: Figure, kinds: Sequence[str]) -> None:
    marks = [
        Line2D([], [], marker="o", ls="", ms=6, mfc=_FACE[k][0], mec=_FACE[k][1], mew=1.5)
        for k in kinds
    ]
    figure.legend(
        marks,
        [_KEY[k] for k in kinds],
        loc="outside lower center",
        ncols=len(kinds),
        frameon=False,
        fontsize=9,
        labelcolor=SOFT,
        handletextpad=0.2,
    )


def _subtitle(values: ContributorValues, baseline: str) -> str:
    return f"Estimates with {100 * values.confidence:.4g}% intervals. {_borders(values, baseline)}"


def _borders(values: ContributorValues, baseline: str) -> str:
    digits = decimals_for([values.v_empty, values.v_full])
    named = f" ({baseline})" if baseline else ""
    return (
        f"Baseline v(∅) = {fixed(values.v_empty, digits)}{named}, "
        f"everybody v(N) = {fixed(values.v_full, digits)}."
    )


def _title(figure: Figure, title: str, subtitle: str) -> None:
    figure.suptitle(literal(title), x=0.012, ha="left", size=13, weight="bold", color=INK)
    axes = figure.axes[0]
    axes.set_title(literal(subtitle), loc="left", size=9.5, color=SOFT, pad=16, wrap=True)


def tidy(axes: Axes, grid: str) -> None:
    """Take away lines that say nothing, and draw a grid along one axis, ``x`` or ``y``."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(labelsize=9.5, colors=SOFT)
    axes.tick_params(axis="y", labelcolor=INK if grid == "x" else SOFT)
    axes.grid(axis="x" if grid == "x" else "y", color=PALE, lw=0.9)
    axes.set_axisbelow(True)


def _soft(align: str) -> dict[str, Any]:
    return {"ha": align, "va": "center", "color": SOFT, "size": 9, "style": "italic"}
