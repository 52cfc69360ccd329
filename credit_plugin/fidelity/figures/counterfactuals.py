"""Figure of counterfactuals: what becomes of the property if contributors leave?"""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from credit_plugin.compensation.lettering import literal
from credit_plugin.compensation.plots import BLUE, DPI, INK, LINES, ORANGE, SOFT, tidy
from credit_plugin.compensation.wording import MINUS, fixed, plain
from credit_plugin.fidelity.counterfactual import RANDOM
from credit_plugin.fidelity.figures.drawing import (
    ROW,
    draw_interval,
    finish_scores,
    level_words,
    name_rows,
    names_of,
    write_beside,
    write_key,
    write_title,
)
from credit_plugin.fidelity.resampling import Interval
from credit_plugin.fidelity.result import OWN, FidelityResult, Method
from credit_plugin.fidelity.verdict import kind_of

FEWEST_ROWS = 15  # of a strip, so that few methods do not stand far apart
_CURVES = tuple(zip((ORANGE, *LINES[2:]), "os^vP", strict=True))


def counterfactual_figure(result: FidelityResult) -> Figure | None:
    """Return what leaves the property with the contributors; None if every change was lost."""
    if not any(found.change for found in result.counterfactuals):
        return None
    compared = _by_change(result)
    height = max(6.4, 2.5 + ROW * len(compared))
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
    write_key(strip, [m for m in compared if m is not None])
    lower = " (lower is better: signs are turned)" if result.direction < 0 else ""
    write_title(
        figure,
        f"What becomes of the {plain(result.property)} if contributors leave?",
        f"Change after retraining on everybody else, {_compared_with(result)}; negative is "
        f"worse{lower}. {len(result.contributors)} contributors, {level_words(result)} intervals "
        "from the noise of retraining; those of random orders include how much orders differ.",
    )
    return figure


def _curves(result: FidelityResult) -> list[str]:
    """Return the methods that were tried at several shares, the values first."""
    shares: dict[str, set[float]] = {}
    for found in result.counterfactuals:
        shares.setdefault(found.removal.method, set()).add(found.removal.share)
    several = [m.name for m in result.methods if len(shares.get(m.name, ())) > 1 or m.name == OWN]
    return [*several, RANDOM] if RANDOM in shares else several


def _draw_curves(axes: Axes, result: FidelityResult, names: Sequence[str], top: bool) -> None:
    labels, _ = names_of(result.methods)
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
    tried = sorted({100 * c.removal.share for c in result.counterfactuals})
    axes.set_xticks(tried, [f"{share:.3g} %" for share in tried])
    axes.set_xlim(tried[0] - 4, tried[-1] + 4)
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
        draw_interval(axes, place, shown, kind)
        write_beside(axes, place, _shown_number(result, shown.value, 1))
    finish_scores(axes, max(len(rows), FEWEST_ROWS) - 1)
    axes.xaxis.set_major_formatter(lambda x, _: _shown_number(result, x))
    axes.set_yticks(range(len(rows)))
    name_rows(axes, rows)
    title = f"Without the {100 * share:.3g} % with the highest scores, by method"
    axes.set_title(title, loc="right", size=10, color=INK)  # it reaches over the names


def _shown(result: FidelityResult, change: float) -> float:
    """Return a change in percent of what everybody reaches; in its own unit if that is 0."""
    return 100 * result.relative(change) if result.everybody else change


def _shown_number(result: FidelityResult, number: float, digits: int = 0) -> str:
    if result.everybody:
        return f"{fixed(number, digits, sign=True)} %"
    return f"{number:+.3g}".replace("-", MINUS)


def _compared_with(result: FidelityResult) -> str:
    return "relative to everybody together" if result.everybody else "from everybody together"
