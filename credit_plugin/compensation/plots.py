"""Figures of values: who, how sure, and how the estimate settled.

Figures are made without pyplot's global state. Colours are from Okabe and Ito's palette, which
colour-blind readers can tell apart.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from credit_plugin.values import ContributorValues

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#9A9A9A"
LINES = (BLUE, ORANGE, "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MOST_BARS = 40
DPI = 160


def values_plot(values: ContributorValues) -> Figure:
    """Return a ranking of contributors with intervals, the highest on top.

    Of more than 40 contributors the 20 highest and the 20 lowest are shown.
    """
    what = values.property.replace("_", " ")
    order = np.argsort(-values.values, kind="stable")
    left_out = max(0, len(order) - MOST_BARS)
    if left_out:
        order = np.concatenate([order[: MOST_BARS // 2], order[-MOST_BARS // 2 :]])
    figure = Figure(figsize=(8, 1.4 + 0.34 * len(order)), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    places = np.arange(len(order))
    for place, i in zip(places, order, strict=True):
        value = values.values[i]
        colour = BLUE if value > 0 else ORANGE
        axes.plot(
            [values.ci_low[i], values.ci_high[i]], [place, place], color=colour, lw=2.2, alpha=0.45
        )
        axes.plot(value, place, "o", color=colour, ms=6)
    _annotate_shares(axes, values, order)
    axes.axvline(0, color="#444444", lw=0.9)
    axes.set_yticks(places, [_short(values.contributors[i]) for i in order])
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.set_xlabel(f"value: contribution to {what}")
    note = f"  ({left_out} in the middle left out)" if left_out else ""
    axes.set_title(
        f"Who made {what}, with {values.confidence:.0%} intervals{note}",
        loc="left",
        fontsize=11,
        fontweight="bold",
    )
    _plain(axes)
    axes.grid(axis="x", color="#E4E4E4", lw=0.8)
    axes.set_axisbelow(True)
    return figure


def convergence_plot(
    steps: Sequence[int], history: np.ndarray, final: ContributorValues, named: int = 6
) -> Figure:
    """Return how values settled as evaluations came in.

    Args:
        steps: Numbers of evaluations, increasing, length k.
        history: Values after each of them [k, n].
        final: The values in the end.
        named: How many of the highest are coloured and named.
    """
    figure = Figure(figsize=(8, 4.4), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    end = int(final.diagnostics.get("evaluations", steps[-1]))
    across = [*steps, end] if end > steps[-1] else list(steps)
    lines = np.vstack([history, final.values]) if end > steps[-1] else history
    order = np.argsort(-final.values, kind="stable")
    for i in order[named:]:
        axes.plot(across, lines[:, i], color=GREY, lw=1, alpha=0.6)
    top = order[:named]
    for colour, i in zip(LINES, top, strict=False):
        axes.plot(across, lines[:, i], color=colour, lw=2)
    axes.axhline(0, color="#444444", lw=0.9)
    _label_ends(axes, lines[-1, top], [_short(final.contributors[i]) for i in top], across[-1])
    axes.set_xlabel("evaluated coalitions, repeats included")
    axes.set_ylabel("value")
    axes.set_title(
        "How the values settled: the highest named, the others grey",
        loc="left",
        fontsize=11,
        fontweight="bold",
    )
    _plain(axes)
    return figure


def _annotate_shares(axes: Axes, values: ContributorValues, order: np.ndarray) -> None:
    shares = values.shares()
    low, high = float(values.ci_low[order].min()), float(values.ci_high[order].max())
    room = max(high - low, 1e-12)
    axes.set_xlim(min(low, 0) - 0.04 * room, high + 0.16 * room)
    for place, i in enumerate(order):
        axes.annotate(
            f"{shares[i]:.1%}",
            (high + 0.15 * room, place),
            ha="right",
            va="center",
            fontsize=9,
            color="#333333" if shares[i] > 0 else GREY,
        )
    axes.annotate(
        "share",
        (high + 0.15 * room, -0.75),
        ha="right",
        va="bottom",
        fontsize=8,
        color="#555555",
        annotation_clip=False,
    )


def _label_ends(axes: Axes, heights: np.ndarray, names: list[str], right: float) -> None:
    """Write names at the lines' ends, pushed apart where they would overlap."""
    low, high = axes.get_ylim()
    gap = (high - low) * 0.055
    placed = high + gap
    for k in np.argsort(-heights):
        placed = min(heights[k], placed - gap)
        axes.annotate(
            names[k],
            (right, placed),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
            color=LINES[k % len(LINES)],
            annotation_clip=False,
        )


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)


def _short(name: str, most: int = 28) -> str:
    # a dollar sign would start mathematics
    shortened = name if len(name) <= most else name[: most - 1] + "…"
    return shortened.replace("$", r"\$")
