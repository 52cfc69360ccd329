"""Figure of agreement: does a cheap utility say what retraining says?"""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from credit_plugin.compensation.plots import DPI, INK, LINES, PALE, SOFT, tidy
from credit_plugin.compensation.wording import fixed, plain
from credit_plugin.fidelity.figures.drawing import alpha_words, level_words, setting, write_title
from credit_plugin.fidelity.resampling import Interval
from credit_plugin.fidelity.result import FidelityResult
from credit_plugin.fidelity.verdict import utility_name

SIZES = tuple(zip(LINES, "Dos^vP", strict=True))


def agreement_figure(result: FidelityResult) -> Figure | None:
    """Return cheap against retrained utilities; None if no cheap utility was compared."""
    names = list(dict.fromkeys(name for test in result.tests for name in test.cheap))
    if not names:
        return None
    size = (max(8.4, 4.8 * len(names)), 6.3 + 0.16 * len(result.tests))
    figure = Figure(figsize=size, dpi=DPI, layout="constrained", facecolor="white")
    panels = figure.subplots(1, len(names), sharex=True, sharey=True, squeeze=False)[0]
    for axes, name in zip(panels, names, strict=True):
        _draw_agreement(axes, result, name)
        middle = (sum(axes.dataLim.intervalx) / 2,) * 2  # a point that moves no limit
        axes.axline(middle, slope=1, color=INK, lw=1, ls="--", zorder=1, label="cheap = retrained")
    unit = plain(result.property)
    panels[0].set_ylabel(f"{unit} after retraining", color=SOFT)
    for axes in panels:
        axes.set_xlabel(f"{unit} by the cheap utility", color=SOFT)
    figure.legend(
        *panels[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=min(2, len(result.tests) + 1),
        frameon=False,
        fontsize=9,
        labelcolor=SOFT,
    )
    better = "higher" if result.direction > 0 else "lower"
    write_title(
        figure,
        "Does a cheap utility say what retraining says?",
        f"Each mark is a coalition of test; its bar spans the retrainings of its seeds. "
        f"{unit[0].upper()}{unit[1:]}: {better} is better. {len(result.contributors)} "
        f"contributors, {level_words(result)} intervals over coalitions and seeds in brackets.",
    )
    return figure


def _draw_agreement(axes: Axes, result: FidelityResult, name: str) -> None:
    lines = [utility_name(name).capitalize()]
    for k, test in enumerate(result.tests):
        if name not in test.cheap:
            continue
        colour, marker = SIZES[k % len(SIZES)]
        cheap = [result.direction * c for c in test.cheap[name]]
        for x, own in zip(cheap, test.utilities, strict=True):
            ends = [result.direction * min(own), result.direction * max(own)]
            axes.plot((x, x), ends, color=colour, lw=1.1, alpha=0.4, zorder=2)
        means = [result.direction * sum(own) / len(own) for own in test.utilities]
        style: dict[str, Any] = {"marker": marker, "mfc": colour, "mec": "white", "mew": 0.5}
        label = setting(test).replace("\n", " ")
        axes.plot(cheap, means, ls="", ms=6, zorder=3, label=label, **style)
        found = test.agreement.get(result.property, {}).get(name)
        if found is not None:
            lines.append(
                f"{alpha_words(test)}  Pearson {_with_ends(found.pearson)}, "
                f"Spearman {_with_ends(found.spearman)}"
            )
    axes.margins(0.08)
    axes.set_title(lines[0], loc="left", size=10.5, color=INK, pad=6 + 13 * (len(lines) - 1))
    axes.text(
        0, 1.015, "\n".join(lines[1:]), transform=axes.transAxes, size=8, color=SOFT,
        va="bottom", linespacing=1.4,
    )  # fmt: skip
    tidy(axes, "y")
    axes.grid(axis="x", color=PALE, lw=0.9)


def _with_ends(found: Interval) -> str:
    return f"{fixed(found.value, 2)} ({fixed(found.low, 2)} to {fixed(found.high, 2)})"
