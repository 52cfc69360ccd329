"""Agencies: planned, valued, paid and reported as groups."""

import json

import numpy as np
import pytest
from report_readers import Page, Sheet

from credit_plugin import load_study
from credit_plugin.compensation.report import write_report
from credit_plugin.compensation.valuing import groups_of, valuation_of
from credit_plugin.compensation.verification import verify_report
from credit_plugin.config import GameSettings
from credit_plugin.contributors.sources import load_contributors
from credit_plugin.errors import InputError
from credit_plugin.fidelity.reference import rests_on
from credit_plugin.game import UtilityTable
from credit_plugin.game.coalitions import from_bits
from credit_plugin.game.grouped import grouped_design
from credit_plugin.game.grouping import Grouping
from credit_plugin.game.plan import plan_evaluations
from credit_plugin.game.toys import AdditiveGame, NoisyGame
from credit_plugin.study import check_study

NAMES = ("a", "b", "c", "d", "e", "f")
WORTHS = (2.0, 1.0, 1.5, 0.5, 3.0, -0.5)
SETTINGS = (
    "compensation.groups={X: [a, b], Y: [c, d]}",
    "properties.names=[inception_score]",
    "values.resamples=60",
)


def study_of(*overrides):
    return load_study("digits", overrides=(*SETTINGS, *overrides))


def measured(study, budget=40, noise=0.01):
    groups = groups_of(study.compensation, NAMES)
    settings = study.game.model_copy(update={"budget": budget})
    plan = plan_evaluations(6, settings, 0, groups)
    rows = np.array([from_bits(planned.coalition) for planned in plan])
    utilities = NoisyGame(AdditiveGame(WORTHS, base=1.0), noise, 0)(rows)
    repeats = [planned.repeat for planned in plan]
    return UtilityTable.from_arrays(
        rows, utilities, NAMES, property="inception_score", repeats=repeats
    )


def test_options_of_the_estimator_hold_for_groups_too():
    def judged(*overrides):
        study = study_of("values.estimator=regression_adjusted", *overrides)
        valuation, table = valuation_of(study, NAMES, np.ones(6)), measured(study, 26, noise=0.2)
        values = valuation.values(table, "inception_score")
        return values.values, valuation.reliability(table, values).split_half.correlations

    usual, equal = judged(), judged("values.options={proxy: equal}")
    assert np.abs(usual[0] - equal[0]).max() > 1e-6
    assert usual[1] != equal[1]


@pytest.fixture(scope="module")
def grouped_report(make_inputs, tmp_path_factory):
    study = study_of()
    table = measured(study)
    counts = np.array([10, 20, 30, 40, 50, 60])
    valuation = valuation_of(study, NAMES, counts)
    values = valuation.values(table, "inception_score")
    inputs = make_inputs(
        worths=WORTHS,
        names=NAMES,
        only="inception_score",
        study=study,
        table=table,
        values={"inception_score": values},
        reliability={"inception_score": valuation.reliability(table, values)},
        image_counts=counts,
        thumbnails={},
        baselines={"zero": 0.5},
        versions={},
    )
    folder = tmp_path_factory.mktemp("groups") / "report"
    write_report(inputs, folder)
    return folder


def facts_of(folder):
    return json.loads((folder / "values.json").read_text("utf-8"))


def test_members_sum_to_their_group_and_groups_to_the_pool(grouped_report):
    facts = facts_of(grouped_report)
    groups = {group["group"]: group for group in facts["groups"]["groups"]}
    value = {row["contributor"]: row["value"] for row in facts["rows"]}
    paid = {row["contributor"]: row["payout_minor"] for row in facts["rows"]}
    assert list(value.values()) == sorted(value.values(), reverse=True)
    for name, members in {"X": "ab", "Y": "cd", "e": "e", "f": "f"}.items():
        assert groups[name]["members"] == list(members)
        assert sum(value[m] for m in members) == pytest.approx(groups[name]["value"])
        assert sum(paid[m] for m in members) == groups[name]["payout_minor"]
    assert sum(group["payout_minor"] for group in groups.values()) == facts["pool_minor"]
    assert [value[n] for n in NAMES] == pytest.approx(WORTHS, abs=0.05)


def test_pages_tell_of_groups_and_of_what_a_split_or_merger_would_do(grouped_report):
    page = Page((grouped_report / "report.html").read_text("utf-8"))
    sheet = Sheet((grouped_report / "report.md").read_text("utf-8"))
    for document in (page, sheet):
        assert "Agencies and collectives" in document.text
        assert "If X splits" in document.text
        assert "merge" in document.text
        (table,) = [t for t in document.tables if t[0][0] == "Agency"]
        assert {row[0]: row[4] for row in table[1:]} == {
            "X": "a, b",
            "Y": "c, d",
            "e": "stands alone",
            "f": "stands alone",
        }


def test_a_report_on_groups_verifies(grouped_report):
    assert verify_report(grouped_report) == []


def test_by_size_needs_no_coalition_inside_a_group():
    study = study_of("compensation.inside=size")
    groups = groups_of(study.compensation, NAMES)
    plan = plan_evaluations(6, study.game.model_copy(update={"budget": 40}), 0, groups)
    rows = np.array([from_bits(p.coalition) for p in plan])
    assert (rows[:, 0] == rows[:, 1]).all()
    assert (rows[:, 2] == rows[:, 3]).all()
    assert len({p.coalition for p in plan}) == 16
    table = measured(study)
    values = valuation_of(study, NAMES, np.array([10, 20, 30, 10, 5, 5]))
    found = values.values(table, "inception_score").values
    assert found[1] == pytest.approx(2 * found[0])
    assert found[2] == pytest.approx(3 * found[3])


@pytest.mark.parametrize("budget", [14, 20, 40, 200])
def test_half_of_the_budget_is_for_groups_and_all_of_it_is_different(budget):
    grouping = Grouping.of(NAMES, {"a": "X", "b": "X", "c": "Y", "d": "Y"})
    rows = grouped_design(grouping, budget)
    assert len(np.unique(rows, axis=0)) == len(rows) <= budget
    assert not rows[0].any()
    assert rows[1].all()
    _, partial = grouping.to_groups(rows)
    assert partial[:, 0].any()
    assert partial[:, 1].any()
    assert (~partial.any(axis=1)).sum() >= min(16, max(6, budget // 2))


@pytest.mark.parametrize("budget", range(8, 40))
def test_groups_of_unlike_sizes_keep_to_the_budget(budget):
    names = tuple("abcdefghijklm")
    members = dict.fromkeys(names[:10], "large") | {"k": "small", "l": "small"}
    grouping = Grouping.of(names, members)
    if budget < 9:
        with pytest.raises(InputError, match="use at least 9"):
            grouped_design(grouping, budget)
        return
    rows = grouped_design(grouping, budget)
    assert len(rows) <= budget
    assert len(np.unique(rows, axis=0)) == len(rows)
    _, partial = grouping.to_groups(rows)
    assert partial[:, grouping.position("large")].any()
    assert partial[:, grouping.position("small")].any()


def test_a_budget_that_is_too_small_gets_one_line():
    grouping = Grouping.of(NAMES, {"a": "X", "b": "X", "c": "Y", "d": "Y"})
    with pytest.raises(InputError, match=r"game.budget: 9 is too small for 4 groups.*at least 10"):
        grouped_design(grouping, 9)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("game.retrainings=12", "game.retrainings: groups are valued from one table"),
        ("game.stop=time(9)", "game.stop: groups are valued from one table"),
        ("game.coalition_size=3", "groups are of different sizes"),
    ],
)
def test_what_groups_cannot_do_gets_one_line(override, message):
    study = load_study(
        "digits",
        overrides=[
            "compensation.groups={offices: [office-c, office-d]}",
            *(["game.design=fixed_size"] if "size" in override else []),
            override,
        ],
    )
    with pytest.raises(InputError, match=message):
        check_study(study, load_contributors(study.data))


def test_no_coalition_is_tested_on_that_values_of_groups_rest_on():
    study = study_of("game.utility=retraining", "game.budget=40")
    groups = groups_of(study.compensation, NAMES)
    plan = plan_evaluations(6, study.game, study.seed, groups)
    assert rests_on(study, 6, groups) == {planned.coalition for planned in plan}
    assert rests_on(study, 6) != rests_on(study, 6, groups)


def test_without_groups_nothing_changes():
    plain = GameSettings(budget=20)
    assert groups_of(load_study("digits").compensation, NAMES) is None
    assert plan_evaluations(6, plain, 0, None) == plan_evaluations(6, plain, 0)
