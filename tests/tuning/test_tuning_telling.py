"""What people are told of a search: sentences, the table, figures, the record."""

import io
import json
from itertools import pairwise

import pytest
from matplotlib.legend import Legend
from rich.console import Console

from credit_plugin.config import TuningSettings
from credit_plugin.fidelity.resampling import Interval
from credit_plugin.tuning.figures import tuning_figures
from credit_plugin.tuning.result import TuningResult
from credit_plugin.tuning.scores import Fidelity
from credit_plugin.tuning.terminal import front_table
from credit_plugin.tuning.trial import COMPLETE, FAILED, STOPPED, HeldOut, Trial
from credit_plugin.tuning.wording import changes, description, findings, flops_words


def trial(number, steps, fidelity, seconds, state=COMPLETE, own=False, reason=""):
    return Trial(
        number,
        {"game.finetuning.steps": steps, "game.finetuning.learning_rate": 0.0012345},
        state,
        own,
        reason,
        said=(1.0,) * 12,
        fidelity=fidelity,
        error=0.04,
        seconds=seconds,
        flops=seconds * 2e9,
        spent=0.0 if state == FAILED else seconds * 5,
        alone=0.0 if state == FAILED else seconds * 12,
    )


TRIALS = (
    trial(0, 100, 0.80, 2.0, own=True),
    trial(1, 200, 0.90, 4.0),
    trial(2, 50, 0.87, 1.0),
    trial(3, 25, float("nan"), 0.5, STOPPED, reason="clearly worse than trial 2"),
    trial(4, 400, float("nan"), float("nan"), FAILED, reason="the loss is nan"),
)


def found(trials=TRIALS, chosen=2, **changes):
    held = {t.number: HeldOut((1.0,) * 12, Fidelity(0.84, 0.05, 0.7, 0.95)) for t in trials}
    return TuningResult(
        **{
            "study": "digits",
            "property": "inception_score",
            "settings": TuningSettings(),
            "trials": trials,
            "chosen": chosen,
            "held_out": held,
            "lead": Interval(0.02, -0.05, 0.11),
            "importances": {
                "fidelity": {"game.finetuning.steps": 0.9, "game.finetuning.learning_rate": 0.1},
                "cost": {"game.finetuning.steps": 1.0, "game.finetuning.learning_rate": 0.0},
            },
            "size": 4,
            "coalitions": 12,
            "kept_back": 12,
            "whole_study": 56,
            "reference_seconds": 600.0,
            **changes,
        }
    )


def test_the_choice_its_check_and_the_studys_own_settings_are_told():
    said = findings(found())
    assert said[0].startswith("Trial 2 is chosen, the one of which trials with similar settings")
    assert "Pearson 0.87 (standard error 0.04; 0.87 is to be expected of such settings" in said[0]
    assert "12 coalitions of 4 contributors" in said[0]
    assert "1 s, 2 GFLOP a coalition" in said[0]
    assert said[1] == "On 12 coalitions that no trial has seen it is 0.84 (0.70 to 0.95)."
    assert "which others dominate, reach 0.80" in said[2]
    assert "The chosen ones cost 50\u00a0% of that" in said[2]
    assert "they are as good within the noise, +0.02 (\u22120.05 to +0.11)." in said[2]
    assert said[3] == "3 of 5 trials were evaluated whole, 1 stopped early, 1 failed."


def test_work_is_compared_with_what_it_would_have_been():
    complete = found(TRIALS[:3])
    assert complete.spent == pytest.approx(35.0)
    assert complete.alone == pytest.approx(84.0)
    assert complete.whole_studies == pytest.approx(7.0 * 56)


@pytest.mark.parametrize(("low", "high", "word"), [(0.01, 0.2, "ahead"), (-0.2, -0.01, "behind")])
def test_a_lead_that_is_more_than_noise_is_called_one(low, high, word):
    assert f"they are {word}, " in findings(found(lead=Interval(0.1, low, high)))[2]


def test_own_settings_that_nothing_beats_are_said_to_stay():
    result = found(chosen=0)
    assert findings(result)[2].startswith("These are the study's own settings: some that cost no")
    alone = findings(found(TRIALS[:2], chosen=0))[2]
    assert alone.startswith("These are the study's own settings, which are on the Pareto front:")
    assert changes(result) == {}
    assert "Nothing is changed." in description(result)


def test_own_settings_that_failed_are_named_with_the_reason():
    failed = trial(0, 100, float("nan"), 2.0, FAILED, own=True, reason="the loss is inf")
    result = found((failed, *TRIALS[1:]))
    assert findings(result)[2] == (
        "The study's own settings were not evaluated whole: the loss is inf."
    )
    assert "tuning/own/fidelity" not in result.metrics()


def test_only_what_changes_is_told_with_few_digits():
    assert changes(found()) == {"game.finetuning.steps": (100, 50)}
    assert "| game.finetuning.steps | 100 | 50 |" in description(found())


def test_the_table_shows_the_front_and_the_studys_own():
    console = Console(width=160, file=io.StringIO())
    console.print(front_table(found()))
    text = console.file.getvalue()
    rows = [line.split()[0].strip(",") for line in text.splitlines() if "GFLOP" in line]
    assert rows == ["2", "0", "1"]
    assert "2, chosen" in text
    assert "0, the study's own" in text


@pytest.mark.parametrize("trials", [TRIALS, TRIALS[:1]])
def test_no_text_leaves_the_figures_and_rows_do_not_overlap(trials):
    result = found(trials, chosen=trials[-1].number if len(trials) == 1 else 2)
    for figure in tuning_figures(result).values():
        figure.draw_without_rendering()
        boxes = [axes.get_tightbbox() for axes in figure.axes]
        boxes += [part.get_window_extent() for part in (*figure.texts, *figure.findobj(Legend))]
        for box in boxes:
            assert figure.bbox.x0 - 1 <= box.x0 <= box.x1 <= figure.bbox.x1 + 1
            assert figure.bbox.y0 - 1 <= box.y0 <= box.y1 <= figure.bbox.y1 + 1
        for axes in figure.axes:
            labels = [t for t in axes.get_yticklabels() if t.get_text() and t.get_visible()]
            heights = sorted((t.get_window_extent() for t in labels), key=lambda box: box.y0)
            assert all(below.y1 <= above.y0 + 0.5 for below, above in pairwise(heights))


def test_the_front_is_drawn_where_its_trials_are():
    figure = tuning_figures(found())["front"]
    lines = {line.get_label(): line for line in figure.axes[0].get_lines()}
    front = lines["Pareto front"]
    assert list(zip(front.get_xdata(), front.get_ydata(), strict=True)) == [(1.0, 0.87), (4.0, 0.9)]
    chosen, check = lines["chosen"], lines["chosen, held out"]
    assert (list(chosen.get_xdata()), list(chosen.get_ydata())) == ([1.0], [0.87])
    assert list(check.get_ydata()) == [0.84]


def test_without_importances_there_is_no_figure_of_them():
    assert set(tuning_figures(found(importances={}))) == {"front"}


def test_the_record_is_json_and_the_table_has_a_row_for_each_trial(tmp_path):
    found().save(tmp_path)
    record = json.loads((tmp_path / "tuning.json").read_text("utf-8"))
    assert [t["number"] for t in record["trials"]] == [0, 1, 2, 3, 4]
    assert record["trials"][4]["fidelity"] is None
    rows = (tmp_path / "tuning.csv").read_text("utf-8").splitlines()
    assert len(rows) == 6
    assert rows[3].startswith("2,complete,0.87,0.04,0.87,1.0,2000000000.0,1,1,")


@pytest.mark.parametrize(
    ("flops", "words"),
    [(12.44e9, "12.4 GFLOP"), (3.2e15, "3.2 PFLOP"), (999.0, "999 FLOP"), (2e12, "2 TFLOP")],
)
def test_counts_of_operations_have_units(flops, words):
    assert flops_words(flops) == words
