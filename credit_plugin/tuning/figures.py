"""Figures of a search: fidelity against cost with the front, and what mattered.

The front is a staircase: between two of its trials no trial is better than the cheaper one. Marks
say what a trial is, as colours do; bars are one standard error.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from credit_plugin.compensation.lettering import literal
from credit_plugin.compensation.plots import BLUE, DPI, FAINT, INK, ORANGE, SOFT, tidy
from credit_plugin.compensation.wording import fixed, percent, plain
from credit_plugin.fidelity.figures.drawing import GREEN, write_title
from credit_plugin.tuning.result import TuningResult
from credit_plugin.tuning.selection import complete_trials, rule_in_words
from credit_plugin.tuning.trial import Trial
from credit_plugin.tuning.wording import flops_words

UNIT = {"seconds": "seconds for one coalition", "flops": "operations for one coalition"}
_TICK: Mapping[str, Callable[[float], str]] = {"seconds": "{:g}".format, "flops": flops_words}
OBJECTIVE = {"fidelity": "fidelity to retraining", "cost": "cost of a coalition"}


def tuning_figures(result: TuningResult) -> dict[str, Figure]:
    """Return the figures by name; importances need several trials that differ."""
    figures = {"front": front_figure(result)}
    if result.importances:
        figures["importances"] = importances_figure(result.importances, result.study)
    return figures


def front_figure(result: TuningResult) -> Figure:
    """Return every complete trial by cost and fidelity, the front, the choice and the check."""
    figure = Figure(figsize=(9.2, 5.6), dpi=DPI, layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    unit = result.settings.cost
    trials, front = complete_trials(result.trials), result.front
    others = [trial for trial in trials if trial not in front]
    _points(axes, others, unit, label="trials that others dominate", mfc="white", mec=FAINT)
    _points(axes, front, unit, label="Pareto front", mfc=GREEN, mec=GREEN)
    _staircase(axes, front, unit, max(trial.cost(unit) for trial in trials))
    if result.own is not None:
        _mark(axes, result, result.own, "s", ORANGE, "the study's own settings")
    _mark(axes, result, result.trial(result.chosen), "D", BLUE, "chosen")
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axes.xaxis.set_major_formatter(lambda x, _: _TICK[unit](x))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(UNIT[unit], color=SOFT)
    axes.set_ylabel(f"{result.settings.fidelity.title()} correlation with retraining", color=SOFT)
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, -1.03), min(high, 1.03))
    tidy(axes, "y")
    figure.legend(
        loc="outside lower center", ncols=3, frameon=False, fontsize=9, labelcolor=SOFT,
        markerscale=0.75,
    )  # fmt: skip
    write_title(
        figure,
        f"What does it cost to follow retraining? The {plain(result.property)} of {result.study}",
        f"Each point is one choice of settings, scored on {result.coalitions} coalitions of "
        f"{result.size} contributors; bars are one standard error. Chosen: "
        f"{rule_in_words(result.settings)}. Crosses: {result.kept_back} coalitions that no trial "
        "has seen.",
    )
    return figure


def importances_figure(importances: Mapping[str, Mapping[str, float]], study: str) -> Figure:
    """Return how much each setting matters to each objective."""
    names = list(dict.fromkeys(name for found in importances.values() for name in found))
    figure = Figure(
        figsize=(9.2, 1.9 + 0.34 * len(names)), dpi=DPI, layout="constrained", facecolor="white"
    )
    panels = figure.subplots(1, len(importances), sharey=True, squeeze=False)[0]
    for axes, (objective, found) in zip(panels, importances.items(), strict=True):
        _bars(axes, [found.get(name, 0.0) for name in names], names)
        axes.set_title(literal(OBJECTIVE[objective]), loc="left", size=10.5, color=INK)
    write_title(
        figure,
        f"Which settings of {study} matter?",
        "Shares of the variance over all trials that each setting explains (fANOVA, Hutter, Hoos "
        "and Leyton-Brown 2014). Few trials tell little: these are hints, not measurements.",
    )
    return figure


def _points(axes: Axes, trials: Sequence[Trial], unit: str, label: str, mfc: str, mec: str) -> None:
    if not trials:
        return
    cost, height = [t.cost(unit) for t in trials], [t.fidelity for t in trials]
    axes.errorbar(
        cost, height, [t.error for t in trials], fmt="none", ecolor=mec, elinewidth=1.1, alpha=0.5
    )
    axes.plot(cost, height, "o", ls="", mfc=mfc, mec=mec, mew=1.4, ms=6, label=label, zorder=3)


def _staircase(axes: Axes, front: Sequence[Trial], unit: str, last: float) -> None:
    across = [*(t.cost(unit) for t in front), last]
    heights = [*(t.fidelity for t in front), front[-1].fidelity]
    axes.step(across, heights, where="post", color=GREEN, lw=1.3, alpha=0.7, zorder=2)


def _mark(
    axes: Axes, result: TuningResult, trial: Trial, mark: str, colour: str, label: str
) -> None:
    place = trial.cost(result.settings.cost)
    style: dict[str, Any] = {"ls": "", "mec": colour, "mew": 1.8, "zorder": 4}
    axes.plot(place, trial.fidelity, mark, mfc="none", ms=12, label=label, **style)
    held = result.held_out.get(trial.number)
    if held is not None:
        axes.plot((place, place), (trial.fidelity, held.found.value), color=colour, lw=0.9, ls=":")
        words = f"{label}, held out"
        axes.plot(place, held.found.value, "x", ms=8, label=words, **style)


def _bars(axes: Axes, shares: Sequence[float], names: Sequence[str]) -> None:
    places = range(len(names))
    axes.barh(places, shares, height=0.56, color=BLUE, alpha=0.85)
    for place, share in zip(places, shares, strict=True):
        axes.text(share + 0.015, place, percent(share, 0), va="center", size=8.5, color=INK)
    axes.set_yticks(places, [literal(name) for name in names])
    axes.set_xlim(0, 1.12)
    axes.set_xticks([0, 0.5, 1.0], [fixed(x, 1) for x in (0, 0.5, 1.0)])
    axes.set_ylim(len(names) - 0.4, -0.6)
    tidy(axes, "x")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
