"""Figure of LDS: do sums of scores order coalitions as retraining does, and how well could any?"""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from credit_plugin.compensation.plots import DPI, INK, SOFT
from credit_plugin.compensation.wording import fixed, plain
from credit_plugin.fidelity.figures.drawing import (
    ROW,
    draw_interval,
    finish_scores,
    level_words,
    name_rows,
    setting,
    write_beside,
    write_key,
    write_title,
)
from credit_plugin.fidelity.result import FidelityResult, Method, Test
from credit_plugin.fidelity.verdict import kind_of

_CEILINGS = ("noise ceiling", "additive ceiling")
_FIRST = 2.7  # place of the first method below the ceilings


def lds_figure(result: FidelityResult) -> Figure:
    """Return the LDS of every method on every test set, with the ceilings.

    The main test set is the first panel, and methods are sorted by it.
    """
    main = result.main
    tests = [main, *(test for test in result.tests if test is not main)]
    methods = sorted(result.methods, key=lambda m: -main.lds.scores[m.name].value)
    places = [_FIRST + k for k in range(len(methods))]
    size = (max(8.4, 6.4 + 2.1 * (len(tests) - 1)), 2.5 + ROW * (_FIRST + len(methods)))
    figure = Figure(figsize=size, dpi=DPI, layout="constrained", facecolor="white")
    widths = [1.7, *[1.0] * (len(tests) - 1)]
    panels = figure.subplots(
        1, len(tests), sharex=True, sharey=True, squeeze=False, width_ratios=widths
    )[0]
    for axes, test in zip(panels, tests, strict=True):
        _draw_ceilings(axes, test, places[-1])
        for place, method in zip(places, methods, strict=True):
            draw_interval(axes, place, test.lds.scores[method.name], kind_of(method))
        finish_scores(axes, places[-1])
        axes.set_title(setting(test), loc="left", size=9.5, color=INK)
    _write_numbers(panels[0], main, methods, places)
    panels[0].set_xlabel("LDS: 1 is the same order, 0 is chance", color=SOFT)
    panels[0].set_yticks([0, 1, *places])
    name_rows(panels[0], methods, _CEILINGS)
    write_key(figure, methods)
    write_title(
        figure,
        "Do sums of scores order coalitions as retraining does?",
        f"Linear datamodeling score (LDS) on the {plain(result.property)}, "
        f"{len(result.contributors)} contributors, with {level_words(result)} intervals over "
        "coalitions and seeds. Dashed lines are ceilings: how far noise of the retrainings, and "
        "any sum of scores, let a score get.",
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


def _write_numbers(
    axes: Axes, test: Test, methods: Sequence[Method], places: Sequence[float]
) -> None:
    """Write values beside the rows of the main panel."""
    ceilings = [test.lds.noise_ceiling, test.lds.additive]
    rows = [*zip((0.0, 1.0), ceilings, strict=True)]
    rows += [(p, test.lds.scores[m.name]) for p, m in zip(places, methods, strict=True)]
    for place, found in rows:
        if found is not None and math.isfinite(found.value):
            write_beside(axes, place, fixed(found.value, 2))
