"""Figures of a check against retraining, one for each question.

* :func:`lds_figure`: do sums of scores order coalitions as retraining does, and how high could any?
* :func:`counterfactual_figure`: what becomes of the property if contributors leave?
* :func:`agreement_figure`: does a cheap utility say what retraining says?

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
from credit_plugin.compensation.plots import BLUE, DPI, INK, LINES, ORANGE, PALE, SOFT, tidy
from credit_plugin.compensation.wording import MINUS, fixed, plain
from credit_plugin.fidelity.counterfactual import RANDOM
from credit_plugin.fidelity.resampling import Interval
from credit_plugin.fidelity.result import OWN, FidelityResult, Method, Test
from credit_plugin.fidelity.verdict import kind_of, utility_name

GREEN = LINES[2]
_MARKS: dict[str, dict[str, Any]] = {
    "values": {"marker": "D", "color": BLUE, "mfc": BLUE, "ms": 6.5},
    "nothing": {"marker": "o", "color": ORANGE, "mfc": "white", "ms": 5.5},
    "cheap": {"marker": "o", "color": GREEN, "mfc": GREEN, "ms": 5.5},
    "retrains": {"marker": "s", "color": SOFT, "mfc": SOFT, "ms": 5.5},
    "control": {"marker": "x", "color": INK, "mfc": INK, "ms": 5.5},
}
_KEY = {
    "values": "values of this study",
    "nothing": "trains nothing",
    "cheap": "trains without retraining",
    "retrains": "retrains from scratch",
    "control": "control: random scores",
}
_CEILINGS = ("noise ceiling", "additive ceiling")
_FIRST = 2.7  # place of the first method below the ceilings
_ROW = 0.235  # inches
_FEWEST_ROWS = 15  # of a strip, so that few methods do not stand far apart
_CURVES = tuple(zip((ORANGE, *LINES[2:]), "os^vP", strict=True))
_SIZES = tuple(zip(LINES, "Dos^vP", strict=True))
_LETTERS = 13.2  # on an inch of a subtitle


def lds_figure(result: FidelityResult) -> Figure:
    """Return the LDS of every method on every test set, with the ceilings.

    The main test set is the first panel, and methods are sorted by it.
    """
    main = result.main
    tests = [main, *(test for test in result.tests if test is not main)]
    methods = sorted(result.methods, key=lambda m: -main.lds.scores[m.name].value)
    places = [_FIRST + k for k in range(len(methods))]
    size = (max(8.4, 6.4 + 2.1 * (len(tests) - 1)), 2.5 + _ROW * (_FIRST + len(methods)))
    figure = Figure(figsize=size, dpi=DPI, layout="constrained", facecolor="white")
    widths = [1.7, *[1.0] * (len(tests) - 1)]
    panels = figure.subplots(
        1, len(tests), sharex=True, sharey=True, squeeze=False, width_ratios=widths
    )[0]
    for axes, test in zip(panels, tests, strict=True):
        _draw_ceilings(axes, test, places[-1])
        for place, method in zip(places, methods, strict=True):
            _draw_interval(axes, place, test.lds.scores[method.name], kind_of(method))
        _finish_scores(axes, places[-1])
        axes.set_title(_setting(test), loc="left", size=9.5, color=INK)
    _write_numbers(panels[0], main, methods, places)
    panels[0].set_xlabel("LDS: 1 is the same order, 0 is chance", color=SOFT)
    panels[0].set_yticks([0, 1, *places])
    _name_rows(panels[0], methods, _CEILINGS)
    _write_key(figure, methods)
    _write_title(
        figure,
        "Do sums of scores order coalitions as retraining does?",
        f"Linear datamodeling score (LDS) on the {plain(result.property)}, "
        f"{len(result.contributors)} contributors, with {_level(result)} intervals over "
        "coalitions and seeds. Dashed lines are ceilings: how far noise of the retrainings, and "
        "any sum of scores, let a score get.",
    )
    return figure


def counterfactual_figure(result: FidelityResult) -> Figure | None:
    """Return what leaves the property with the contributors; None if every change was lost."""
    if not any(found.change for found in result.counterfactuals):
        return None
    compared = _by_change(result)
    height = max(6.4, 2.5 + _ROW * len(compared))
    figure = Figure(figsize=(11.4, height), dpi=DPI, layout="constrained", facecolor="white")
    left, strip = figure.subfigures(1, 2, squeeze=False, width_ratios=(1.0, 1.12))[0]
    panels = left.subplots(2, 1, sharex=True, sharey=True)
    names = _curves(result)
    for axes, top in zip(panels, (True, False), strict=True):
        _draw_curves(axes, result, names, top)
        end = "highest" if top else "lowest"
        axes.set_title(f"Those with the {end} scores leave", loc="left", size=10, color=INK)
    panels[1].set_xlabel("contributors that leave", color=SOFT)
    left.legend(
        *panels[0].get_legend_handles_labels(),
        loc="outside lower left",
        ncols=2 if len(names) > 3 else 1,
        frameon=False,
        fontsize=8.5,
        labelcolor=SOFT,
    )
    _draw_strip(strip.subplots(), result, compared)
    _write_key(strip, [m for m in compared if m is not None])
    lower = " (lower is better: signs are turned)" if result.direction < 0 else ""
    _write_title(
        figure,
        f"What becomes of the {plain(result.property)} if contributors leave?",
        f"Change after retraining on everybody else, {_compared_with(result)}; negative is "
        f"worse{lower}. {len(result.contributors)} contributors, {_level(result)} intervals from "
        "the noise of retraining; those of random orders include how much orders differ.",
    )
    return figure


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
    _write_title(
        figure,
        "Does a cheap utility say what retraining says?",
        f"Each mark is a coalition of test; its bar spans the retrainings of its seeds. "
        f"{unit[0].upper()}{unit[1:]}: {better} is better. {len(result.contributors)} "
        f"contributors, {_level(result)} intervals over coalitions and seeds in brackets.",
    )
    return figure


def _draw_ceilings(axes: Axes, test: Test, last: float) -> None:
    lds = test.lds
    for place, ceiling in enumerate((lds.noise_ceiling, lds.additive)):
        if ceiling is None or not math.isfinite(ceiling.value):
            axes.text(0.02, place, "not known", va="center", size=9, color=SOFT, style="italic")
            continue
        ends = (ceiling.low, ceiling.high)
        axes.plot(ends, (place, place), color=INK, lw=4, alpha=0.22, solid_capstyle="round")
        axes.plot(ceiling.value, place, "|", color=INK, ms=9, mew=2)
        style = ("--", (0, (1, 1.5)))[place]
        across = (ceiling.value, ceiling.value)
        axes.plot(across, (place, last + 0.6), ls=style, color=INK, lw=1, zorder=1)


def _draw_interval(axes: Axes, place: float, found: Interval, kind: str) -> None:
    mark = _MARKS[kind]
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


def _finish_scores(axes: Axes, last: float) -> None:
    axes.axvline(0, color=INK, lw=0.9, zorder=1)
    axes.set_ylim(last + 0.6, -0.7)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}".replace("-", MINUS))
    tidy(axes, "x")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _write_numbers(
    axes: Axes, test: Test, methods: Sequence[Method], places: Sequence[float]
) -> None:
    """Write values beside the rows of the main panel."""
    ceilings = [test.lds.noise_ceiling, test.lds.additive]
    rows = [*zip((0.0, 1.0), ceilings, strict=True)]
    rows += [(p, test.lds.scores[m.name]) for p, m in zip(places, methods, strict=True)]
    for place, found in rows:
        if found is not None and math.isfinite(found.value):
            _beside(axes, place, fixed(found.value, 2))


def _beside(axes: Axes, place: float, text: str) -> None:
    across = axes.get_yaxis_transform()
    axes.text(1.02, place, text, transform=across, va="center", color=INK, size=8.5)


def _name_rows(axes: Axes, methods: Sequence[Method | None], before: Sequence[str] = ()) -> None:
    """Name the rows, the study's values in bold; None is random orders."""
    names, fonts = _names([m for m in methods if m is not None])
    rows = [*before, *("random orders" if m is None else names[m.name] for m in methods)]
    axes.set_yticklabels(rows, parse_math=False, fontproperties=fonts, color=INK)
    labels = axes.get_yticklabels()
    for label, method in zip(labels[len(before) :], methods, strict=True):
        if method is not None and method.name == OWN:
            label.set_fontweight("bold")
    for label in labels[: len(before)]:
        label.set_fontstyle("italic")


def _names(methods: Sequence[Method]) -> tuple[dict[str, str], FontProperties]:
    """Return labels by method: its title, or its registered name where no font has the letters."""
    titles = [short_name(m.title) for m in methods]
    written, fonts = writable(titles)
    labels = {}
    for method, title, known in zip(methods, titles, written, strict=True):
        shown = title if known == title else short_name(method.name.partition("/")[0])
        labels[method.name] = f"{shown} ({method.variant})" if method.variant else shown
    return labels, fonts


def _curves(result: FidelityResult) -> list[str]:
    """Return the methods that were tried at several shares, the values first."""
    shares: dict[str, set[float]] = {}
    for found in result.counterfactuals:
        shares.setdefault(found.removal.method, set()).add(found.removal.share)
    several = [m.name for m in result.methods if len(shares.get(m.name, ())) > 1 or m.name == OWN]
    return [*several, RANDOM] if RANDOM in shares else several


def _draw_curves(axes: Axes, result: FidelityResult, names: Sequence[str], top: bool) -> None:
    labels, _ = _names(result.methods)
    axes.axhline(0, color=INK, lw=0.9, zorder=1)
    shift = 0.006
    for k, name in enumerate(names):
        found = [
            (c.removal.share, c.change)
            for c in result.counterfactuals
            # random orders have no ends
            if c.change and c.removal.method == name and (c.removal.top is top or name == RANDOM)
        ]
        if not found:
            continue
        at = [100 * (share + shift * (k - (len(names) - 1) / 2)) for share, _ in sorted(found)]
        changes = [change for _, change in sorted(found)]
        colour, style = _style(k, name)
        heights = [_shown(result, change.value) for change in changes]
        for x, change in zip(at, changes, strict=True):
            ends = [_shown(result, end) for end in (change.low, change.high)]
            if all(map(math.isfinite, ends)):
                axes.plot((x, x), ends, color=colour, lw=2.4, alpha=0.28, zorder=2)
        label = literal(labels.get(name, "random orders"))
        axes.plot(at, heights, color=colour, ms=5, zorder=3, label=label, **style)
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:.0f} %")
    axes.yaxis.set_major_formatter(lambda y, _: _shown_number(result, y))
    tidy(axes, "y")


def _style(k: int, name: str) -> tuple[str, dict[str, Any]]:
    """Return colour and style of curve ``k``; marks and lines change when colours come again."""
    if name == OWN:
        return BLUE, {"marker": "D", "lw": 2.2}
    if name == RANDOM:
        return SOFT, {"marker": "x", "lw": 1.3, "ls": "--"}
    turn, place = divmod(k - 1, len(_CURVES))
    colour, marker = _CURVES[place]
    return colour, {"marker": marker, "lw": 1.4, "ls": ("-", ":", "-.")[turn % 3]}


def _by_change(result: FidelityResult) -> list[Method | None]:
    """Return methods whose top left at the compared share, the most harmful first.

    None stands for random orders.
    """
    share = result.compared_removal
    found: list[tuple[float, Method | None]] = []
    for method in (*result.methods, None):
        change = result.counterfactual(RANDOM if method is None else method.name, share, True)
        if change is not None:
            found.append((change.value, method))
    return [method for _, method in sorted(found, key=lambda pair: pair[0])]


def _draw_strip(axes: Axes, result: FidelityResult, rows: Sequence[Method | None]) -> None:
    share = result.compared_removal
    for place, method in enumerate(rows):
        name, kind = (RANDOM, "control") if method is None else (method.name, kind_of(method))
        change = result.counterfactual(name, share, True)
        assert change is not None  # rows are those that are known
        shown = Interval(*(_shown(result, x) for x in (change.value, change.low, change.high)))
        _draw_interval(axes, place, shown, kind)
        _beside(axes, place, _shown_number(result, shown.value, 1))
    _finish_scores(axes, max(len(rows), _FEWEST_ROWS) - 1)
    axes.xaxis.set_major_formatter(lambda x, _: _shown_number(result, x))
    axes.set_yticks(range(len(rows)))
    _name_rows(axes, rows)
    title = f"Without the {100 * share:.3g} % with the highest scores, by method"
    axes.set_title(title, loc="right", size=10, color=INK)  # it reaches over the names


def _draw_agreement(axes: Axes, result: FidelityResult, name: str) -> None:
    lines = [utility_name(name).capitalize()]
    for k, test in enumerate(result.tests):
        if name not in test.cheap:
            continue
        colour, marker = _SIZES[k % len(_SIZES)]
        cheap = [result.direction * c for c in test.cheap[name]]
        for x, own in zip(cheap, test.utilities, strict=True):
            ends = [result.direction * min(own), result.direction * max(own)]
            axes.plot((x, x), ends, color=colour, lw=1.1, alpha=0.4, zorder=2)
        means = [result.direction * sum(own) / len(own) for own in test.utilities]
        style: dict[str, Any] = {"marker": marker, "mfc": colour, "mec": "white", "mew": 0.5}
        label = _setting(test).replace("\n", " ")
        axes.plot(cheap, means, ls="", ms=6, zorder=3, label=label, **style)
        found = test.agreement.get(result.property, {}).get(name)
        if found is not None:
            lines.append(
                f"{_alpha(test)}  Pearson {_with_ends(found.pearson)}, "
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


def _shown(result: FidelityResult, change: float) -> float:
    """Return a change in percent of what everybody reaches; in its own unit if that is 0."""
    return 100 * result.relative(change) if result.everybody else change


def _shown_number(result: FidelityResult, number: float, digits: int = 0) -> str:
    if result.everybody:
        return f"{fixed(number, digits, sign=True)} %"
    return f"{number:+.3g}".replace("-", MINUS)


def _compared_with(result: FidelityResult) -> str:
    return "relative to everybody together" if result.everybody else "from everybody together"


def _setting(test: Test) -> str:
    seeds = f"{test.seeds} {'seed' if test.seeds == 1 else 'seeds'}"
    return f"{_alpha(test)}:\n{len(test.coalitions)} coalitions of {test.size}, {seeds}"


def _alpha(test: Test) -> str:
    return f"alpha {test.alpha:.2g}"


def _with_ends(found: Interval) -> str:
    return f"{fixed(found.value, 2)} ({fixed(found.low, 2)} to {fixed(found.high, 2)})"


def _level(result: FidelityResult) -> str:
    return f"{100 * result.confidence:.4g}%"


def _write_key(figure: FigureBase, methods: Sequence[Method]) -> None:
    present = {kind_of(method) for method in methods}
    kinds = [kind for kind in _KEY if kind in present]
    marks = [Line2D([], [], ls="", mew=1.5, **_MARKS[kind]) for kind in kinds]
    figure.legend(
        marks,
        [_KEY[kind] for kind in kinds],
        loc="outside lower center",
        ncols=3,
        frameon=False,
        fontsize=9,
        labelcolor=SOFT,
        handletextpad=0.2,
    )


def _write_title(figure: Figure, title: str, subtitle: str) -> None:
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
