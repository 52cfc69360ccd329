"""Stopping rules: when each holds, how they compose, what does not fool them, how to write them."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credit_plugin.errors import InputError
from credit_plugin.game import UtilityTable, design
from credit_plugin.game.toys import AdditiveGame, NoisyGame, SaturatingGame
from credit_plugin.values import ContributorValues, estimate
from credit_plugin.values.rules import (
    Budget,
    IntervalWidth,
    Money,
    SettledRanks,
    Time,
    ValuesChange,
)
from credit_plugin.values.rules.evidence import TOLD_APART, told_apart
from credit_plugin.values.stopping import (
    RULES,
    AllOf,
    AnyOf,
    History,
    Round,
    Rule,
    Verdict,
    register_rule,
    rule_names,
)
from credit_plugin.values.stopping_text import LONGEST, parse_rule

ASKING_LITTLE = [IntervalWidth(5.0), SettledRanks(1), ValuesChange(5.0, 1)]
"""Rules that look at values and hold as soon as these may be believed at all."""


def values_of(values, errors=0.01, repeated=8, draws=400):
    """Return values with independent normal errors of a known size."""
    values = np.array(values, dtype=float)
    errors = np.full(len(values), errors) if np.isscalar(errors) else np.array(errors)
    noise = np.random.default_rng(0).normal(size=(draws, len(values)))
    return ContributorValues(
        contributors=tuple(f"c{i}" for i in range(len(values))),
        values=values,
        standard_errors=errors,
        ci_low=values - 2 * errors,
        ci_high=values + 2 * errors,
        v_empty=0.0,
        v_full=float(values.sum()),
        estimator="exact",
        property="utility",
        confidence=0.95,
        diagnostics={"seed_noise_degrees": repeated},
        draws=values + errors * noise,
    )


def history(*estimates, each=10, seconds=1.0, upcoming=0):
    """Return a history of estimates, each after ``each`` more evaluations."""
    rounds = [
        Round(each * (i + 1), seconds * each * (i + 1), values)
        for i, values in enumerate(estimates)
    ]
    return History(tuple(rounds), upcoming)


def twice(values):
    """Return a history of two estimates that are nearly the same."""
    return history(replace(values, values=values.values * 1.0001), values)


def repeated_table(game, n, budget, seed=0):
    rows = design(n, budget, seed=seed)
    rows = np.concatenate([rows, rows[[0, 0, 1, 1]], rows[5::9][:4]])
    return UtilityTable.from_arrays(rows, game(rows))


APART = values_of([1, 2, 3, 4])

# --- composition


@dataclass(frozen=True)
class Says(Rule):
    """Holds or not, whatever the values; the tests' own."""

    stop: bool
    number: int = 0

    def check(self, history):
        return Verdict(self.stop, f"rule {self.number}", 1.0 if self.stop else 0.3)


def trees(leaf):
    return st.recursive(
        leaf,
        lambda inner: st.builds(lambda a, b, both: (a & b) if both else (a | b), inner, inner,
                                st.booleans()),
        max_leaves=8,
    )  # fmt: skip


def truth(rule):
    if isinstance(rule, AllOf):
        return all(map(truth, rule.rules))
    return any(map(truth, rule.rules)) if isinstance(rule, AnyOf) else rule.stop


def leaves(rule):
    if isinstance(rule, AllOf | AnyOf):
        return [leaf for inner in rule.rules for leaf in leaves(inner)]
    return [rule]


@settings(max_examples=100, deadline=None)
@given(trees(st.builds(Says, st.booleans(), st.integers(0, 9))))
def test_composed_rules_follow_the_truth_tables(rule):
    verdict = rule.check(history(APART))
    assert verdict.stop == truth(rule)
    assert (verdict.progress == 1) == verdict.stop
    # only rules that decide are in the reason: those that hold if it stops, else those that do not
    deciding = {leaf.number for leaf in leaves(rule) if leaf.stop == verdict.stop}
    named = {int(word.strip("()")) for word in verdict.reason.split() if word.strip("()").isdigit()}
    assert named
    assert named <= deciding
    assert verdict.reason.count("(") == verdict.reason.count(")")


@given(st.booleans(), st.booleans(), st.booleans())
def test_and_binds_more_closely_and_brackets_count(a, b, c):
    a, b, c = Says(a, 1), Says(b, 2), Says(c, 3)
    at = history(APART)
    assert (a | b & c).check(at).stop == (a.stop or (b.stop and c.stop))
    assert ((a | b) & c).check(at).stop == ((a.stop or b.stop) and c.stop)


def test_reasons_are_joined_in_words():
    at = history(APART)
    a, b, c = Says(True, 1), Says(False, 2), Says(False, 3)
    assert (b | c).check(at).reason == "rule 2 or rule 3"
    assert (b & c).check(at).reason == "rule 2 and rule 3"
    assert (a & b).check(at).reason == "rule 2"
    assert (a | b).check(at).reason == "rule 1"
    assert (b & c | b).check(at).reason == "(rule 2 and rule 3) or rule 2"


def test_progress_is_that_of_the_last_to_come_or_of_the_first():
    at = history(APART, each=40)
    assert (Budget(80) & Budget(400)).check(at).progress == pytest.approx(0.1)
    assert (Budget(80) | Budget(400)).check(at).progress == pytest.approx(0.5)


# --- limits


@pytest.mark.parametrize(
    ("evaluations", "upcoming", "stop"), [(10, 10, False), (20, 10, False), (21, 10, True),
                                          (30, 0, True), (29, 0, False)],
)  # fmt: skip
def test_a_limit_stops_before_the_round_that_would_exceed_it(evaluations, upcoming, stop):
    at = History((Round(evaluations, 60.0 * evaluations, APART),), upcoming)
    # a minute of work each; an hour of work costs 6
    for rule in (Budget(30), Time(1800), Money(3, per_hour=6)):
        verdict = rule.check(at)
        assert verdict.stop == stop
        assert verdict.progress == (1 if stop else pytest.approx(evaluations / 30))


def test_limits_say_what_is_spent():
    at = History((Round(40, 5400.0, APART),), 40)
    assert Budget(96).check(at).reason == "40 of 96 evaluations"
    assert Time(36000).check(at).reason == "1:30:00 of 10:00:00 of work"
    assert Money(20, 2.5).check(at).reason == "3.75 of 20.00 spent"
    assert Budget(60).check(at).reason == "40 of 60 evaluations, too little left for another round"


# --- precision


def test_interval_width_is_about_the_widest_interval_and_the_average_value():
    # half-widths of 0.2, one of 0.5; the average value is 2.5
    at = twice(values_of([1, 2, 3, 4], errors=[0.1, 0.1, 0.25, 0.1]))
    assert IntervalWidth(0.2).check(at).stop
    narrower = IntervalWidth(0.1).check(at)
    assert not narrower.stop
    assert narrower.progress == pytest.approx(0.5)
    assert "reaches 20% of an average value" in narrower.reason


def test_interval_width_has_a_unit_where_values_cancel():
    # v(full) = v(empty): an equal share is 0, an average value is not
    at = twice(values_of([-2, -1, 1, 2], errors=0.03))
    assert IntervalWidth(0.05).check(at).stop
    assert not IntervalWidth(0.03).check(at).stop


def test_interval_width_must_hold_for_two_estimates_in_a_row():
    wide, narrow = values_of([1.02, 2, 3, 4], errors=0.5), values_of([1, 2, 3, 4], errors=0.1)
    other = values_of([1.01, 2, 3, 4], errors=0.1)
    held = [
        IntervalWidth(0.1).check(history(*run)).stop
        for run in ([narrow], [wide, narrow], [other, wide, narrow], [narrow, narrow, narrow])
    ]
    assert held == [False, False, False, False]
    once = IntervalWidth(0.1).check(history(wide, narrow))
    assert once.reason.endswith("(10% asked), but not twice yet")
    assert once.progress < 1
    assert IntervalWidth(0.1).check(history(wide, other, narrow)).stop


def test_settled_ranks_counts_contributors_or_a_share_of_them():
    # the first two cannot be told apart, the others can
    at = history(values_of([1, 1.001, 3, 4, 5], errors=0.01))
    for least, stop in [(1, True), (3, True), (4, False), (0.6, True), (0.61, False), (1.0, False)]:
        assert SettledRanks(least).check(at).stop == stop, least
    assert SettledRanks(4).check(at).progress == pytest.approx(0.75)
    assert SettledRanks(4).check(at).reason == "3 of 5 ranks settled (4 asked)"


def test_more_settled_ranks_than_contributors_are_refused_before_anything_starts():
    rule = Budget(3) | SettledRanks(5) & Time(3)
    rule.suits(5)
    with pytest.raises(InputError, match=r"game\.stop: settled_ranks\(5\): there are 4 contrib"):
        rule.suits(4)


def test_values_that_settle_are_noticed():
    base = np.array([1.0, 2, 3, 4])
    steps = [values_of(base + d) for d in (1, 0.5, 0.03, -0.02, 0.01, 0)]
    held = [ValuesChange(0.05, 2).check(history(*steps[: k + 1])).stop for k in range(6)]
    # the fifth is the first whose two predecessors are near it: .5 is a fifth of an average value
    assert held == [False, False, False, False, True, True]


def test_a_slow_drift_is_a_change():
    base = np.array([1.0, 2, 3, 4])
    steps = [values_of(base * (1 + 0.04 * k)) for k in range(4)]
    assert ValuesChange(0.05, 1).check(history(*steps)).stop
    assert not ValuesChange(0.05, 3).check(history(*steps)).stop


def test_values_must_be_sure_and_not_only_still():
    base = np.array([1.0, 2, 3, 4])
    steps = [values_of(base + d, errors=0.3) for d in (0, 0.01, 0.02, 0.01)]
    verdict = ValuesChange(0.1).check(history(*steps))
    assert not verdict.stop
    assert "values changed by 0.4%, standard errors are 12.0% of them (10.0% asked)" in (
        verdict.reason
    )
    assert ValuesChange(0.15).check(history(*steps)).stop


def test_tiny_rounds_are_compared_over_a_fifth_of_the_evaluations():
    base = np.array([1.0, 2, 3, 4])
    steps = [values_of(base + 1e-4 * (-1) ** k) for k in range(40)]
    rounds = tuple(Round(100 + k, 1.0, values) for k, values in enumerate(steps))
    held = [ValuesChange(0.05, 3).check(History(rounds[: k + 1])).stop for k in range(40)]
    # 25 of 125 evaluations are newer than the oldest estimate compared
    assert held == [k >= 25 for k in range(40)]


# --- traps


@pytest.mark.parametrize("rule", ASKING_LITTLE)
def test_rules_that_ask_little_hold_where_values_may_be_believed(rule):
    moved = replace(APART, values=APART.values * 1.001)
    assert rule.check(history(APART, moved)).stop


@pytest.mark.parametrize("rule", ASKING_LITTLE)
@pytest.mark.parametrize(
    "values",
    [
        values_of([1, 2, 3, 4], repeated=0),  # seed noise unknown
        values_of([1, 2, 3, 4], errors=0.0),  # an estimate that cannot move
        values_of([1, 2, 3, 4], errors=[0.01, 0, 0.01, 0.01]),
        values_of([0, 0, 0, 0], errors=0.0),  # a constant property
        values_of([0, 0, 0, 0], errors=1e-9),
        values_of([1, 1.0001, 0.9999, 1], errors=2e-4),  # shrunk to equal shares
        values_of([1, 1, 1, 1], errors=1e-6),
        replace(APART, diagnostics={**APART.diagnostics, "single_draw": True}),
    ],
)
def test_equal_or_unsure_values_never_stop_a_study(rule, values):
    run = [replace(values, values=values.values * (1 + 1e-6 * k)) for k in range(6)]
    verdict = rule.check(history(*run))
    assert not verdict.stop
    assert verdict.progress < 1


@pytest.mark.parametrize("rule", ASKING_LITTLE)
def test_a_constant_utility_never_stops_a_study(rule):
    tables = [repeated_table(lambda rows: np.full(len(rows), 0.7), 8, b) for b in (16, 32, 48, 64)]
    assert not rule.check(history(*map(estimate, tables))).stop


@pytest.mark.parametrize("rule", ASKING_LITTLE)
@pytest.mark.parametrize("estimator", ["regression_adjusted", "ridge_kernelshap"])
def test_noise_alone_does_not_stop_a_study(rule, estimator):
    """v(S) = |S| and noise: everybody is worth the same, and shrinkage finds nearly that."""
    for seed in range(8):
        game = NoisyGame(AdditiveGame([1.0] * 8), 0.3, seed)
        tables = [repeated_table(game, 8, budget, seed) for budget in (24, 40)]
        run = [estimate(table, estimator, seed, resamples=100) for table in tables]
        assert not rule.check(history(*run)).stop


@pytest.mark.parametrize("factor", [1, 0.1, 1e-4])
def test_shrinking_does_not_change_who_is_told_apart(factor):
    """Differences and their errors shrink alike; relative to an average value, errors vanish."""
    values = np.array([0.9, 1.0, 1.2])
    shrunk = values_of(1 + factor * (values - 1), errors=factor * 0.1)
    assert told_apart(shrunk) == pytest.approx(told_apart(values_of(values, errors=0.1)))
    assert told_apart(shrunk) < TOLD_APART
    assert not IntervalWidth(0.3).check(twice(shrunk)).stop


def test_estimates_that_did_not_read_the_new_coalitions_are_one_estimate():
    a, b = values_of([1, 2, 3, 4]), values_of([1.01, 2, 3, 4])
    rule = ValuesChange(0.05, 2)
    assert not rule.check(history(a, a, a, a, a)).stop
    assert not rule.check(history(a, a, a, b, b, b)).stop
    c = values_of([1.01, 2.01, 3, 4])
    assert rule.check(history(a, a, b, b, c)).stop
    # the run at the end adds nothing to what was seen before it
    assert rule.check(history(a, a, b, b, c, c, c)).stop
    assert "1 earlier estimates to compare (2 asked)" in rule.check(history(a, a, b, b)).reason


def test_estimates_without_new_evaluations_are_not_compared():
    run = [values_of([1 + 0.001 * k, 2, 3, 4]) for k in range(6)]
    assert ValuesChange(0.05, 2).check(history(*run)).stop
    same = History(tuple(Round(50, 50.0, values) for values in run))
    assert not ValuesChange(0.05, 2).check(same).stop


def test_values_without_draws_cannot_be_judged():
    bare = ContributorValues.from_json_dict(APART.to_json_dict())
    with pytest.raises(InputError, match="draws"):
        IntervalWidth(1.0).check(history(bare))


# --- on a game


def test_on_a_noisy_game_values_are_right_when_rules_hold():
    rule = ValuesChange(0.2, 2) & IntervalWidth(0.8)
    for seed in range(3):
        game = NoisyGame(SaturatingGame(list(range(1, 9)), 12.0), 0.02, seed)
        table = repeated_table(game, 8, 160, seed)
        ends = range(26, 161, 12)
        borders = [0, 1, *range(160, 168)]
        rounds = []
        for end in ends:
            rows = [*borders, *range(2, end)]
            part = UtilityTable.from_arrays(table.coalitions[rows], table.utilities[rows])
            rounds.append(Round(len(rows), 1.0, estimate(part, resamples=100)))
            if rule.check(History(tuple(rounds))).stop:
                break
        assert 3 <= len(rounds) < len(ends)
        error = np.abs(rounds[-1].values.values - game.shapley()).mean()
        assert error < 0.2 * np.abs(game.shapley()).mean()


def test_a_verdict_is_a_function_of_the_history_alone():
    rule = parse_rule("values_change(0.05, 2) | budget(70) & time(1e6)")
    run = [values_of(np.array([1.0, 2, 3, 4]) + d) for d in (1, 0.5, 0.03, -0.02, 0.01, 0)]
    once = [rule.check(history(*run[: k + 1])) for k in range(6)]
    backwards = [rule.check(history(*run[: k + 1])) for k in reversed(range(6))]
    assert once == backwards[::-1]


# --- text

RULE = st.one_of(
    st.builds(Budget, st.integers(1, 10**6)),
    st.builds(Time, st.floats(1e-3, 1e9)),
    st.builds(Money, st.floats(1e-3, 1e9), st.floats(1e-3, 1e3)),
    st.builds(IntervalWidth, st.floats(1e-6, 1e3)),
    st.builds(SettledRanks, st.one_of(st.integers(1, 99), st.floats(1e-6, 1.0))),
    st.builds(ValuesChange, st.floats(1e-6, 1e3), st.integers(1, 9)),
)


@settings(max_examples=50, deadline=None)
@given(trees(RULE).filter(lambda rule: len(str(rule)) <= LONGEST))
def test_text_and_rule_say_the_same(rule):
    assert parse_rule(str(rule)) == rule


def test_every_registered_rule_can_be_read():
    assert set(rule_names()) >= {
        "budget", "time", "money", "interval_width", "settled_ranks", "values_change",
    }  # fmt: skip
    read = parse_rule("budget(96) | interval_width(share=0.25) & (settled_ranks(0.5) | time(3600))")
    assert read == Budget(96) | IntervalWidth(0.25) & (SettledRanks(0.5) | Time(3600))
    assert str(read) == "budget(96) | interval_width(0.25) & (settled_ranks(0.5) | time(3600))"


def test_arguments_of_the_study_fill_what_the_text_leaves_open():
    assert parse_rule("money(20) | budget(9)", per_hour=2.5) == Money(20, 2.5) | Budget(9)
    assert parse_rule("money(20, 3)", per_hour=2.5) == Money(20, 3)
    assert parse_rule("money(20, per_hour=3)", per_hour=2.5) == Money(20, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bugdet(3)", "'bugdet' is not a stopping rule; did you mean budget?"),
        ("budget", "budget needs its numbers: budget(evaluations)"),
        ("values_change()", "the rule is values_change(tolerance, rounds=3)"),
        ("budget(1, 2)", "budget(1, 2) cannot be used; the rule is budget(evaluations)"),
        ("budget(n=1)", "the rule is budget(evaluations)"),
        ("budget(evaluations=1, evaluations=2)", "the rule is budget(evaluations)"),
        ("budget(*3)", "'*3' is not a number"),
        ("budget(**3)", "the rule is budget(evaluations)"),
        ("budget(n)", "'n' is not a number; rules take numbers only"),
        ("budget(True)", "'True' is not a number"),
        ("budget(2 + 3)", "'2 + 3' is not a number"),
        ("budget('9')", "is not a number"),
        ("budget(0)", "budget(0): the number of evaluations must be whole and at least 1"),
        ("budget(0.5)", "must be whole and at least 1"),
        ("budget(-3)", "budget(-3): the number of evaluations must be whole"),
        ("time(0)", "time(0): the seconds must be above 0"),
        ("time(1e999)", "inf is too large"),
        ("money(20)", "set execution.cost_per_hour, or write money(amount, per_hour)"),
        ("interval_width(0)", "the share must be above 0"),
        ("settled_ranks(1.5)", "use a whole number of ranks, or a share of them up to 1.0"),
        ("settled_ranks(0)", "use a whole number of ranks"),
        ("values_change(0.1, 0)", "the number of rounds must be whole and at least 1"),
        ("budget(3) and time(3)", "write & for 'and' and | for 'or'"),
        ("~budget(3)", "'~budget(3)' cannot be used"),
        ("budget(3) + time(3)", "cannot be used; rules are composed of budget, interval_width"),
        ("3", "'3' cannot be used"),
        ("os.system(3)", "'os.system(3)' cannot be used"),
        ("__import__('os')", "'__import__' is not a stopping rule"),
        ("budget(3) | (", "is not a rule; write for instance budget(96) | interval_width(0.25)"),
        ("budget(3); budget(4)", "is not a rule"),
        ("", "is not a rule"),
        ("\0", "is not a rule"),
        ("(" * 300, "is not a rule"),
        ("budget(3) | " * 99, "is longer than 500 characters"),
    ],
)
def test_what_is_no_rule_gets_one_line_that_names_the_field(text, message):
    with pytest.raises(InputError) as caught:
        parse_rule(text)
    assert str(caught.value).startswith("game.stop: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_new_rule_is_one_class(monkeypatch):
    monkeypatch.setattr(RULES, "_entries", dict(RULES._entries))

    @register_rule("first_is_highest")
    @dataclass(frozen=True)
    class FirstIsHighest(Rule):
        margin: float = 0.0

        def check(self, history):
            values = history.latest.values.values
            ahead = values[0] > values[1:].max() + self.margin
            return Verdict(bool(ahead), "who is highest", float(ahead))

    rule = parse_rule("first_is_highest() | budget(1000)")
    assert not rule.check(history(values_of([1, 2]))).stop
    assert rule.check(history(values_of([2, 1]))).stop
    assert "first_is_highest" in rule_names()
    with pytest.raises(InputError, match="did you mean first_is_highest"):
        parse_rule("first_is_high()")
