"""Rounds: a study asks for coalitions until its rule holds, and stops there however it is cut up.

Most tests run a real session whose engine plays a game instead of training networks.
"""

import dataclasses
import hashlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from itertools import pairwise

import mlflow
import numpy as np
import pytest
from micro import MICRO, ledger_lines, micro_study
from rich.console import Console

from credit_plugin import run_study
from credit_plugin.cli import _split
from credit_plugin.config import GameSettings
from credit_plugin.contributors.intake import take_in
from credit_plugin.contributors.sources import load_contributors
from credit_plugin.errors import InputError
from credit_plugin.evaluating import Evaluator
from credit_plugin.execution.engine import Outcome
from credit_plugin.folders import StudyFolders
from credit_plugin.forecast import Prices, busy_seconds, work_seconds
from credit_plugin.game import UtilityTable, from_bits
from credit_plugin.game.ledger import Evaluation, Ledger
from credit_plugin.game.plan import plan_evaluations
from credit_plugin.game.toys import SaturatingGame
from credit_plugin.progress import ProgressDisplay
from credit_plugin.rounds import plan_rounds
from credit_plugin.session import Session
from credit_plugin.summary import print_summary

GAME = SaturatingGame(list(range(1, 9)), 12.0)
SECONDS = 10.0
RULE = "interval_width(0.5) & settled_ranks(2)"


class GameEngine:
    """Plays the game, the last job first.

    Args:
        until: Evaluations after which the process is interrupted.
        fail: Whether an evaluation (coalition, repeat) is given up.
    """

    def __init__(self, until=10**6, fail=lambda bits, repeat: False):
        self.until, self.fail, self.made = until, fail, []

    def run(self, factory, jobs, on_progress=None, workers=None, threads=None):
        for job in reversed(jobs):
            if len(self.made) == self.until:
                raise KeyboardInterrupt
            bits, repeat = job.payload["coalition"], job.payload["repeat"]
            self.made.append((bits, repeat))
            began = 1e9 + SECONDS * len(self.made)
            if self.fail(bits, repeat):
                yield Outcome(job, None, "no luck", 3, 0, began, began + SECONDS)
                continue
            # By the draw and not by the job's key, which changes with every setting.
            seed = hashlib.sha256(f"{bits} {repeat}".encode()).digest()
            noise = np.random.default_rng(list(seed)).normal()
            utility = float(GAME(np.array([from_bits(bits)]))[0] + 0.006 * noise)
            properties = dict.fromkeys(
                ("inception_score", "frechet_distance", "diversity"), utility
            )
            result = {"properties": properties, "losses": {}, "costs": {"training": SECONDS}}
            yield Outcome(job, result, None, 1, 0, began, began + SECONDS)


class Listener:
    """A tracker that remembers."""

    def __init__(self):
        self.verdicts, self.values, self.evaluations = [], [], []

    def log_verdict(self, evaluations, progress, words):
        self.verdicts.append((evaluations, progress, words))

    def log_policy(self, first, policy_sha256, data_sha256):
        self.policy = first

    def log_values(self, values, step):
        self.values.append((step, values))

    def log_evaluation(self, evaluation, position, total, size, role, utility):
        self.evaluations.append((position, total))


@pytest.fixture(scope="module")
def intake():
    study = micro_study()
    return take_in(load_contributors(study.data, study.seed), study.compensation)


@pytest.fixture
def play(intake, tmp_path):
    """Return a function that runs the coalitions phase of a study and returns its session."""

    def play(*overrides, engine=None, workdir="studies"):
        settings = ("game.budget=96", "game.round=8", "values.resamples=100", *overrides)
        study = micro_study(*settings)
        folders = StudyFolders(tmp_path / workdir, study, intake.dataset.digest())
        text = io.StringIO()
        display = ProgressDisplay(Console(file=text, width=80, highlight=False))
        session = Session(study, intake, folders, engine or GameEngine(), Listener(), display)
        session.printed = text
        session.coalitions()
        return session

    return play


def keys(session):
    return {e.key for e in Ledger(session.folders.ledger).evaluations}


def lines(session):
    return session.printed.getvalue().splitlines()


# --- where a study stops


def test_a_study_that_stopped_is_one_with_that_budget(play):
    session = play(f"game.stop={RULE}")
    assert session.stopped.startswith(f"stopped after {len(session.plan)} of at most 99 evaluat")
    budget = len({planned.coalition for planned in session.plan})
    assert 16 < budget < 96
    assert budget % 8 == 0
    settings = micro_study(f"game.budget={budget}").game
    assert session.plan == plan_evaluations(8, settings, 0)
    whole = play(f"game.budget={budget}", workdir="other")
    assert whole.stopped == ""
    assert keys(session) == keys(whole)
    assert _same_table(session, whole)


def test_the_rule_did_not_hold_before_and_holds_at_the_end(play):
    session = play(f"game.stop={RULE}")
    steps = [evaluations for evaluations, _, _ in session.tracker.verdicts]
    progress = [part for _, part, _ in session.tracker.verdicts]
    assert len(steps) > 2
    assert all(more > less for less, more in pairwise(steps))
    assert all(part < 1 for part in progress[:-1])
    assert progress[-1] == 1
    assert session.tracker.verdicts[-1][2] == session.stopped
    assert [step for step, _ in session.convergence if step in steps] == steps
    final = session.tracker.values[-1]
    assert final[0] == len(session.plan)
    half = (final[1].ci_high - final[1].ci_low).max() / 2
    assert half <= 0.5 * np.abs(final[1].values).mean()


def test_a_rule_that_never_holds_evaluates_the_budget(play):
    session = play("game.stop=interval_width(1e-9)")
    assert len(session.plan) == 99
    assert session.stopped.startswith("all 99 evaluations were made and the rule did not hold: ")
    assert _same_table(session, play(workdir="other"))


def test_limits_stop_before_they_are_exceeded(play):
    for rule in ("budget(43)", f"time({43 * SECONDS})", f"money({43 * SECONDS / 3600}, 1)"):
        session = play(f"game.stop={rule}", workdir=rule)
        made = len(session.plan)
        assert made <= 43 < made + 8
        assert len(Ledger(session.folders.ledger).evaluations) == made


def test_the_price_of_an_hour_is_the_settings(play):
    session = play("game.stop=money(0.1)", "execution.cost_per_hour=1.0")
    assert len(session.plan) * SECONDS / 3600 <= 0.1 < (len(session.plan) + 8) * SECONDS / 3600
    with pytest.raises(InputError, match=r"game\.stop: money.*execution\.cost_per_hour"):
        play("game.stop=money(0.1)")


def test_a_rule_is_not_asked_before_there_are_values(play):
    # the exact estimator reads nothing but all coalitions
    session = play(
        "game.stop=budget(1)", "game.budget=256", "game.round=64", "values.estimator=exact"
    )
    assert len(session.plan) > 256
    assert [part for _, part, _ in session.tracker.verdicts] == [0, 0, 0, 1]
    assert "no values yet (" in session.tracker.verdicts[0][2]


# --- interruptions


@pytest.mark.parametrize("rule", [RULE, f"time({50 * SECONDS})", "values_change(0.3, 2)"])
def test_an_interrupted_study_stops_at_the_same_place_with_the_same_table(play, rule):
    stop = f"game.stop={rule}"
    straight = play(stop, workdir="straight")
    made = len(straight.plan)
    assert made < 99
    for until in (0, 1, 11, 19, 20, made - 1):
        workdir = f"cut-{until}"
        with pytest.raises(KeyboardInterrupt):
            play(stop, engine=GameEngine(until), workdir=workdir)
        rest = GameEngine()
        resumed = play(stop, engine=rest, workdir=workdir)
        assert len(rest.made) == made - until
        assert resumed.stopped == straight.stopped
        assert keys(resumed) == keys(straight)
        assert _same_table(resumed, straight)
        assert resumed.tracker.verdicts == straight.tracker.verdicts


def test_a_finished_study_evaluates_nothing_again(play):
    first = play(f"game.stop={RULE}")
    again = GameEngine()
    assert play(f"game.stop={RULE}", engine=again).stopped == first.stopped
    assert again.made == []


def test_another_rule_goes_on_with_the_same_ledger(play):
    first = play("game.stop=budget(30)")
    more = GameEngine()
    second = play("game.stop=budget(60)", engine=more)
    assert len(more.made) == len(second.plan) - len(first.plan) > 0
    # and a weaker one takes its part of what is there
    less = GameEngine()
    third = play("game.stop=budget(30)", engine=less)
    assert less.made == []
    assert third.plan == first.plan
    assert _same_table(third, first)


def test_what_was_given_up_is_tried_again_by_another_process_only(play):
    lost = []

    def fail(bits, repeat):
        if len(lost) < 2 and bits.count("1") == 7:
            lost.append((bits, repeat))
            return True
        return False

    stop = "game.stop=budget(40)"
    engine = GameEngine(fail=fail)
    session = play(stop, engine=engine)
    assert len(engine.made) == len(set(engine.made)) == len(session.plan)
    assert len(session.lost()) == 2
    assert sum("lost: coalition" in line for line in lines(session)) == 2
    retried = GameEngine()
    again = play(stop, engine=retried)
    assert sorted(retried.made) == sorted(lost)
    assert again.lost() == ()
    assert again.plan == session.plan


# --- what is said


def test_every_round_is_a_line_and_forecasts_come_before_and_between(play):
    session = play(f"game.stop={RULE}", "execution.cost_per_hour=36")
    printed = lines(session)
    first, total = len(plan_rounds(8, session.study.game, 0)[0]), 99
    unknown = "time unknown until some are evaluated"
    assert printed[0] == (
        f"coalitions until {RULE}: {first} evaluations ({unknown}), at most {total} in 11 rounds "
        f"({unknown})"
    )
    # ten seconds an evaluation at 36 EUR an hour are .10 EUR
    announced = [line for line in printed if line.startswith("coalitions until")]
    assert len(announced) == 2
    assert f"{first} evaluations (about 3\u00a0min 10\u00a0s, 1.90 EUR)" in announced[1]
    assert "at most 99 in 11 rounds (about 16\u00a0min 30\u00a0s, 9.90 EUR)" in announced[1]
    verdicts = [line for line in printed if re.match(r"round \d+: \d+ evaluations: ", line)]
    assert len(verdicts) == len(session.tracker.verdicts) - 1
    assert "; next 8 more (about 1\u00a0min 20\u00a0s, 0.80 EUR), at most 80 (" in verdicts[0]
    assert printed[-1] == f"round {len(verdicts) + 1}: {session.stopped}"


def test_a_ledger_forecasts_before_anything_is_evaluated(play):
    play("game.stop=budget(30)")
    printed = lines(play("game.stop=budget(60)"))
    assert printed[0].startswith("coalitions until budget(60): 19 evaluations (about 3\u00a0min 10")
    assert sum(line.startswith("coalitions until") for line in printed) == 1


def test_runs_are_told_their_place_in_the_whole_budget(play):
    session = play(f"game.stop={RULE}")
    positions = {position for position, _ in session.tracker.evaluations}
    assert len(positions) == len(session.plan)
    assert {total for _, total in session.tracker.evaluations} == {99}


def test_an_evaluator_serves_a_second_game_beside_the_first(play):
    first = play("game.budget=16")
    study = micro_study("game.utility=retraining", "game.budget=8")
    folders = dataclasses.replace(first.folders, study=study)
    engine, tracker = GameEngine(), Listener()
    second = Evaluator(engine, None, folders, "retraining", tracker, first.display)
    plan = plan_evaluations(8, study.game, study.seed)
    second.run(plan, "retrainings")
    assert [e.coalition for e in second.found(plan)] == [planned.coalition for planned in plan]
    assert len(engine.made) == len(tracker.evaluations) == len(plan)
    assert not {e.key for e in second.found(plan)} & keys(first)


# --- parts


@pytest.mark.parametrize("design", ["paired_border", "leverage", "shapley_iid", "permutation"])
def test_rounds_are_nested_and_end_with_the_budget(design):
    settings = GameSettings(design=design, budget=50, round=12)
    plans = plan_rounds(9, settings, 3)
    assert [len({p.coalition for p in plan}) for plan in plans][-1] <= 50
    assert len(plans) == 5  # 12, 24, 36, 48, 50 coalitions
    assert plans[-1] == plan_evaluations(9, settings, 3)
    for smaller, larger in pairwise(plans):
        assert set(smaller) < set(larger)


def test_the_first_round_is_large_enough_for_values_and_no_larger_than_the_budget():
    assert len(plan_rounds(30, GameSettings(budget=64, round=4), 0)[0]) == 32 + 4 + 3
    assert len(plan_rounds(8, GameSettings(budget=12, round=16), 0)) == 1


def evaluation(started, finished, **changes):
    made = Evaluation(
        "k", "01", 0, 0, {}, {}, {"training": 2.0, "sampling": 1.0}, started, finished
    )
    return dataclasses.replace(made, **changes)


def test_time_that_passes_and_work_are_two_things():
    # two workers at once, a pause in which nothing ran, then one
    made = [evaluation(0, 4), evaluation(1, 5), evaluation(100, 104)]
    assert busy_seconds(made) == 9
    assert work_seconds(made) == 9
    assert work_seconds([evaluation(0, 7, error="lost", costs={})]) == 7
    assert Prices.of(made, 0.0, "EUR").words(10) == "about 30\u00a0s"
    assert Prices.of(made, 120.0, "JPY").words(10) == "about 30\u00a0s, 1 JPY"


def test_overrides_split_at_settings_and_not_inside_rules():
    text = "game.stop=money(20, per_hour=3) | budget(9) seed=1"
    assert _split(text) == ["game.stop=money(20, per_hour=3) | budget(9)", "seed=1"]


@pytest.mark.parametrize(
    ("stop", "message"),
    [
        ("bugdet(3)", "game.stop: 'bugdet' is not a stopping rule; did you mean budget?"),
        ("money(3)", "execution.cost_per_hour"),
        ("settled_ranks(9)", "game.stop: settled_ranks(9): there are 8 contributors only"),
    ],
)
def test_rules_that_cannot_be_followed_are_refused_before_anything_starts(tmp_path, stop, message):
    with pytest.raises(InputError) as caught:
        run_study(
            micro_study(f"game.stop={stop}"),
            workdir=tmp_path / "studies",
            tracking_uri=f"sqlite:///{tmp_path / 'm.db'}",
        )
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "studies").exists()


def _same_table(one, other):
    tables = [UtilityTable(**_columns(session)) for session in (one, other)]
    return all(
        np.array_equal(getattr(tables[0], name), getattr(tables[1], name))
        for name in ("coalitions", "utilities", "properties", "repeats")
    )


def _columns(session):
    table = session.table_of(session.evaluations())
    return {field.name: getattr(table, field.name) for field in dataclasses.fields(table)}


# --- with networks, processes and MLflow


@pytest.mark.slow
def test_a_killed_study_in_rounds_stops_where_an_uninterrupted_one_does(
    finished, home, tmp_path, capsys
):
    overrides = ("game.budget=40", "game.round=4", "game.stop=budget(27) | settled_ranks(1.0)")
    without_tables = shutil.ignore_patterns("table-*", "lock")
    places = [tmp_path / "straight", tmp_path / "killed"]
    for place in places:
        shutil.copytree(home / "studies", place / "studies", ignore=without_tables)

    process = _start(places[1], *overrides)
    deadline = time.monotonic() + 240
    while len(ledger_lines(places[1] / "studies")) < 17:  # the second round
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert len(ledger_lines(places[1] / "studies")) < 25

    results = [
        run_study(
            micro_study(*overrides),
            workdir=place / "studies",
            tracking_uri=f"sqlite:///{place / 'm.db'}",
        )
        for place in places
    ]
    straight, resumed = results
    assert straight.stopped == resumed.stopped
    assert straight.stopped == "stopped after 27 of at most 43 evaluations: 27 of 27 evaluations"
    assert (straight.table.coalitions == resumed.table.coalitions).all()
    assert (straight.table.utilities == resumed.table.utilities).all()
    assert (straight.headline.values == resumed.headline.values).all()
    assert (straight.headline.standard_errors == resumed.headline.standard_errors).all()
    made = [len(ledger_lines(place / "studies")) for place in places]
    assert made == [27, 27]

    client = mlflow.MlflowClient(f"sqlite:///{places[1] / 'm.db'}")
    assert {run.info.status for run in client.search_runs(["0"])} == {"FINISHED"}
    parent = client.get_run(resumed.parent_run_id)
    assert parent.data.tags["credit.stopping"] == resumed.stopped
    assert "stopped after" in parent.data.tags["mlflow.note.content"]
    history = client.get_metric_history(resumed.parent_run_id, "stopping/progress")
    steps = [metric.step for metric in history]
    assert [metric.value for metric in history][-1] == 1
    assert steps == [15, 19, 23, 27]
    for name in ("report.md", "report.html"):
        assert "stopped after 27 of at most 43" in (resumed.report / name).read_text()
    print_summary(resumed, None)
    assert resumed.stopped in capsys.readouterr().out


def _start(home, *overrides):
    settings = [part for o in (*MICRO, *overrides) for part in ("--set", o)]
    return subprocess.Popen(
        [
            sys.executable, "-m", "credit_plugin", "run", "--preset", "digits", *settings,
            "--workdir", str(home / "studies"), "--tracking-uri", f"sqlite:///{home / 'm.db'}",
        ],
        cwd=home,
        env={k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")},
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
