"""Figures of a check: every method at its numbers, legible whatever the names and the results."""

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from fidelity_results import ROSTER, fidelity_result
from matplotlib.legend import Legend
from matplotlib.text import Text

from credit_plugin.fidelity.counterfactual import RANDOM
from credit_plugin.fidelity.figures import agreement_figure, counterfactual_figure, lds_figure
from credit_plugin.fidelity.resampling import Interval
from credit_plugin.fidelity.result import OWN

FIGURES = [lds_figure, counterfactual_figure, agreement_figure]


@cache
def everything():
    """All rivals with long and odd names, on three test sets."""
    result = fidelity_result(20, rivals=len(ROSTER), resamples=20)
    odd = ["$x_1$ by \\frac", "a very long title that nobody could ever want to read", "名前"]
    renamed = [replace(m, title=title) for m, title in zip(result.methods[1:4], odd, strict=True)]
    return replace(result, methods=(result.methods[0], *renamed, *result.methods[4:]))


@cache
def little():
    return fidelity_result(
        6,
        coalitions=5,
        rivals=0,
        alphas=(0.5,),
        direction=-1,
        proxies=("sparsified_finetuning",),
        property="frechet_distance",
        resamples=20,
    )


@cache
def drawn(draw, result):
    """Draw a figure of one of the results, so that it is known where everything stands."""
    figure = draw(result())
    figure.draw_without_rendering()
    return figure


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text)]


def rows_of(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def marks_in(axes):
    """Return x by y of the marks that stand alone."""
    lines = [line for line in axes.lines if len(line.get_xdata()) == 1]
    return {float(line.get_ydata()[0]): float(line.get_xdata()[0]) for line in lines}


@pytest.mark.parametrize("draw", FIGURES)
@pytest.mark.parametrize("result", [everything, little])
def test_no_text_leaves_the_figure_and_rows_do_not_overlap(draw, result):
    figure = drawn(draw, result)
    whole = figure.bbox
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    boxes += [part.get_window_extent() for part in (*figure.texts, *figure.findobj(Legend))]
    for box in boxes:
        assert whole.x0 - 1 <= box.x0 <= box.x1 <= whole.x1 + 1
        assert whole.y0 - 1 <= box.y0 <= box.y1 <= whole.y1 + 1
    for axes in figure.axes:
        labels = [t for t in axes.get_yticklabels() if t.get_text() and t.get_visible()]
        boxes = sorted((t.get_window_extent() for t in labels), key=lambda box: box.y0)
        assert all(below.y1 <= above.y0 + 0.5 for below, above in pairwise(boxes))


@pytest.mark.parametrize("draw", FIGURES)
def test_titles_of_panels_stand_apart(draw):
    figure = drawn(draw, everything)
    titles = [t for a in figure.axes for t in (a.title, a._left_title, a._right_title)]
    boxes = [t.get_window_extent() for t in titles if t.get_text()]
    assert len(boxes) == len(figure.axes)
    for k, one in enumerate(boxes):
        assert not any(one.overlaps(other) for other in boxes[k + 1 :])


def test_every_method_stands_at_its_score_best_first_in_every_panel():
    result = everything()
    figure = drawn(lds_figure, everything)
    main, *others = figure.axes
    assert len(others) == 2
    scores = result.main.lds.scores
    order = sorted(result.methods, key=lambda m: -scores[m.name].value)
    assert len(rows_of(main)) == len(order) + 2
    assert rows_of(main)[:2] == ["noise ceiling", "additive ceiling"]
    tests = [result.main, *(t for t in result.tests if t is not result.main)]
    for axes, test in zip(figure.axes, tests, strict=True):
        at = marks_in(axes)
        places = sorted(at)
        assert [at[p] for p in places[2:]] == [test.lds.scores[m.name].value for m in order]
        assert [at[p] for p in places[:2]] == [
            test.lds.noise_ceiling.value,
            test.lds.additive.value,
        ]
        assert f"{len(test.coalitions)} coalitions of {test.size}, 2 seeds" in axes.get_title(
            "left"
        )
    place = 2 + [m.name for m in order].index(OWN)
    bold = [label.get_fontweight() for label in main.get_yticklabels()]
    assert [k for k, weight in enumerate(bold) if weight == "bold"] == [place]


def test_what_methods_cost_is_told_by_their_marks():
    (legend,) = drawn(lds_figure, everything).legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "values of this study",
        "trains nothing",
        "trains without retraining",
        "retrains from scratch",
        "control: random scores",
    ]
    (legend,) = drawn(lds_figure, little).legends
    assert [text.get_text() for text in legend.get_texts()] == ["values of this study"]


def test_titles_are_no_mathematics_and_unwritable_ones_get_the_registered_name():
    names = rows_of(drawn(lds_figure, everything).axes[0])
    assert any(name.startswith("$x_1$ by \\frac") for name in names)
    assert any(name.startswith("a very long title") and "…" in name for name in names)
    assert "名前" in names or "banzhaf" in names
    assert not any(name.startswith("contributor ") for name in names)


def test_an_unknown_ceiling_is_said_to_be_unknown():
    assert little().main.lds.additive is None
    found = texts(drawn(lds_figure, little))
    assert "not known" in found


def test_curves_are_changes_relative_to_everybody():
    result = everything()
    figure = drawn(counterfactual_figure, everything)
    top, bottom, strip = figure.axes
    for axes, end in ((top, True), (bottom, False)):
        (line,) = [x for x in axes.lines if x.get_label() == "Values of this study"]
        shares = sorted({c.removal.share for c in result.counterfactuals})
        expected = [100 * result.relative(result.counterfactual(OWN, s, end).value) for s in shares]
        assert line.get_ydata() == pytest.approx(expected)
        assert any(x.get_label() == "random orders" for x in axes.lines)
    at = marks_in(strip)
    heights = [at[place] for place in sorted(at)]
    assert heights == sorted(heights)
    assert len(heights) == len(result.methods) + 1
    random = 100 * result.relative(result.counterfactual(RANDOM, 0.4, True).value)
    assert at[rows_of(strip).index("random orders")] == pytest.approx(random)


def test_lost_changes_are_left_out_and_unknown_intervals_are_not_drawn():
    result = little()
    lost = [replace(c, change=None) for c in result.counterfactuals]
    assert counterfactual_figure(replace(result, counterfactuals=tuple(lost))) is None
    endless = tuple(
        replace(c, change=Interval(c.change.value, -np.inf, np.inf)) for c in result.counterfactuals
    )
    figure = counterfactual_figure(replace(result, counterfactuals=(*lost[:1], *endless[1:])))
    figure.draw_without_rendering()
    ends = [y for axes in figure.axes for line in axes.lines for y in line.get_xdata()]
    assert np.isfinite(ends).all()


def test_where_lower_is_better_signs_are_turned_and_it_is_said():
    for result, turned in ((little, True), (everything, False)):
        found = texts(drawn(counterfactual_figure, result))
        assert any("lower is better: signs are turned" in text for text in found) == turned


def test_changes_from_zero_are_in_the_propertys_own_unit():
    figure = counterfactual_figure(replace(little(), everybody=0.0))
    figure.draw_without_rendering()
    assert not any("%" in label for label in rows_of(figure.axes[0]))


@pytest.mark.parametrize("result", [everything, little])
def test_agreement_shows_both_utilities_as_measured(result):
    found = result()
    figure = drawn(agreement_figure, result)
    names = list(found.tests[0].cheap)
    assert len(figure.axes) == len(names)
    for axes, name in zip(figure.axes, names, strict=True):
        drawn_tests = [x for x in axes.lines if x.get_label().startswith("alpha")]
        for line, test in zip(drawn_tests, found.tests, strict=True):
            cheap = found.direction * np.array(test.cheap[name])
            assert line.get_xdata() == pytest.approx(cheap)
            means = found.direction * np.mean(test.utilities, axis=1)
            assert line.get_ydata() == pytest.approx(means)
        pearson = found.main.agreement[found.property][name].pearson.value
        text = " ".join(t.get_text() for t in axes.texts)
        assert f"Pearson {pearson:.2f} (" in text


def test_there_is_no_agreement_figure_without_a_cheap_utility():
    result = fidelity_result(6, rivals=0, alphas=(0.5,), proxies=(), resamples=10)
    assert agreement_figure(result) is None
