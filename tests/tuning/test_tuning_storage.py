"""Optuna's study with a toy objective: own settings first, resume, failures, many processes."""

import json
import multiprocessing
import os
import signal
import time
from dataclasses import replace

import pytest

from credit_plugin.config import load_study
from credit_plugin.errors import InputError
from credit_plugin.execution.processes import PRELOADED
from credit_plugin.progress import ProgressDisplay
from credit_plugin.tuning import progress
from credit_plugin.tuning.progress import TrialDisplay
from credit_plugin.tuning.search import own_parameters, search_space
from credit_plugin.tuning.storage import JOURNAL, OWN, RECORD, SEEN, STATES, Search, make_sampler
from credit_plugin.tuning.trial import COMPLETE, FAILED, STOPPED, Trial

SEARCHED = (
    "tuning.search.pruning.ratio={low: 0.1, high: 0.9}",
    "tuning.search.sampling.steps=[5, 10, 20]",
)


def toy(*overrides):
    study = load_study("digits", overrides=(*SEARCHED, "tuning.trials=8", *overrides))
    return study, search_space(study)


def outcome(asked):
    """A toy: fidelity is highest at ratio 0.4, steps cost; ratios above 0.8 break."""
    ratio, steps = asked.params["pruning.ratio"], asked.params["sampling.steps"]
    own = bool(asked.user_attrs.get(OWN))
    begun = Trial(asked.number, asked.params, COMPLETE, own, said=(0.1, 0.2), spent=1.0, alone=2.0)
    if ratio > 0.8:
        return replace(begun, state=FAILED, reason="the loss is nan")
    if steps == 20:
        return replace(begun, state=STOPPED, reason="clearly worse than trial 0")
    fidelity = 1 - (ratio - 0.4) ** 2
    return replace(begun, fidelity=fidelity, error=0.05, seconds=steps / 10, flops=steps * 1e9)


def tune(folder, *overrides, at_most=100):
    study, space = toy(*overrides)
    with Search(study, space, folder, "toy") as search:
        made = 0
        while made < at_most and (asked := search.ask(own_parameters(study, space))) is not None:
            search.tell(asked, outcome(asked))
            made += 1
        return search.trials(), made


def test_the_studys_own_settings_are_the_first_trial(tmp_path):
    trials, made = tune(tmp_path)
    assert made == len(trials) == 8
    assert trials[0].parameters == {"pruning.ratio": 0.5, "sampling.steps": 10}
    assert [t.own for t in trials] == [True] + 7 * [False]
    assert len({t.parameters["pruning.ratio"] for t in trials}) == 8


def test_every_state_is_kept_with_its_reason(tmp_path):
    trials, _ = tune(tmp_path, "tuning.trials=30", "tuning.sampler=RandomSampler")
    by_state = {t.state: t for t in trials}
    assert set(by_state) == {COMPLETE, STOPPED, FAILED}
    assert by_state[FAILED].reason == "the loss is nan"
    assert by_state[STOPPED].reason == "clearly worse than trial 0"
    assert by_state[COMPLETE].said == (0.1, 0.2)


@pytest.mark.parametrize("storage", ["", "sqlite"])
def test_a_search_goes_on_with_the_numbers_that_it_would_have_had(tmp_path, storage):
    def options(name):
        place = tmp_path / name
        place.mkdir()
        return (f"tuning.storage=sqlite:///{place / 'optuna.db'}",) if storage else ()

    whole, _ = tune(tmp_path / "whole", *options("whole"))
    halves = options("halves")
    _, first = tune(tmp_path / "halves", *halves, at_most=3)
    resumed, second = tune(tmp_path / "halves", *halves)
    assert (first, second) == (3, 5)
    assert [t.parameters for t in resumed] == [t.parameters for t in whole]


def test_a_finished_search_tries_nothing_and_a_larger_one_goes_on(tmp_path):
    tune(tmp_path)
    assert tune(tmp_path)[1] == 0
    assert tune(tmp_path, "tuning.trials=11")[1] == 3


def test_the_journal_resumes_in_another_place(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    trials, _ = tune(here, at_most=5)
    there.mkdir()
    (there / JOURNAL).write_bytes((here / JOURNAL).read_bytes())
    resumed, made = tune(there)
    assert made == 3
    assert [t.record() for t in resumed[:5]] == [t.record() for t in trials]


def test_the_sampler_searches_where_it_is_good(tmp_path):
    trials, _ = tune(tmp_path, "tuning.trials=40", "tuning.search.sampling.steps=[5, 10]")
    ratios = [t.parameters["pruning.ratio"] for t in trials]
    late = [abs(ratio - 0.4) for ratio in ratios[20:]]
    early = [abs(ratio - 0.4) for ratio in ratios[1:11]]
    assert sum(late) / len(late) < sum(early) / len(early)


def test_nothing_is_tried_twice_and_a_small_search_ends_when_all_is_tried(tmp_path):
    small = "tuning.search={sampling: {steps: [5, 10]}, pruning: {ratio: [0.3, 0.5, 0.7]}}"
    trials, made = tune(tmp_path, "tuning.trials=20", small)
    tried = [tuple(t.parameters.values()) for t in trials]
    assert made == len(set(tried)) == 6
    assert tune(tmp_path, "tuning.trials=20", small)[1] == 0


def test_importances_name_what_matters(tmp_path):
    study, space = toy("tuning.trials=20", "tuning.search.sampling.steps=[5, 10]")
    tune(tmp_path, "tuning.trials=20", "tuning.search.sampling.steps=[5, 10]")
    with Search(study, space, tmp_path, "toy") as search:
        found = search.importances()
    assert found["fidelity"]["pruning.ratio"] > 0.9
    assert found["cost"]["sampling.steps"] > 0.9


def test_importances_of_too_few_trials_are_left_out(tmp_path):
    study, space = toy("tuning.trials=1")
    tune(tmp_path, "tuning.trials=1")
    with Search(study, space, tmp_path, "toy") as search:
        assert search.importances() == {}


def test_under_a_limit_there_is_one_objective(tmp_path):
    study, space = toy("tuning.cost_limit=0.9")
    with Search(study, space, tmp_path, "toy") as search:
        asked = search.ask(own_parameters(study, space))
        search.tell(asked, outcome(asked))
        assert len(search.optuna.directions) == 1
        assert search.trials()[0].fidelity == pytest.approx(0.99)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def stay():
    time.sleep(600)


def at_work(folder, ending, told):
    """Finish two trials, say which is the third, and be at it until the ending."""
    study, space = toy()
    with Search(study, space, folder, "toy") as search:
        for _ in range(2):
            asked = search.ask(own_parameters(study, space))
            search.tell(asked, outcome(asked))
        asked = search.ask(own_parameters(study, space))
        told.send((asked.number, asked.params["pruning.ratio"]))
        ending()


def processes():
    """Return how other processes are made: as workers are, from one that has imported PyTorch."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([PRELOADED])
    return context


def start(folder, ending):
    """Return a process that is at its third trial, or was, and that trial's number and ratio."""
    context = processes()
    heard, told = context.Pipe(duplex=False)
    process = context.Process(target=at_work, args=(folder, ending, told), daemon=True)
    process.start()
    told.close()  # if it dies before it says so, nothing waits for it
    return process, *heard.recv()


def test_the_trial_of_a_killed_process_is_tried_again_and_no_finished_one_is(tmp_path):
    killed, number, ratio = start(tmp_path, die)
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    trials, made = tune(tmp_path)
    assert len(trials) == 8
    assert made == 6
    again = next(t for t in trials if t.parameters["pruning.ratio"] == ratio)
    assert again.number != number  # Optuna's number of the broken one is not used again
    assert [t.number for t in trials[:2]] == [0, 1]


def test_own_settings_that_were_interrupted_are_still_known_as_such(tmp_path):
    """Optuna gives them another number, so the number cannot tell."""
    study, space = toy()
    with Search(study, space, tmp_path, "toy") as search:
        search.ask(own_parameters(study, space))  # and never told
    trials, _ = tune(tmp_path)
    assert [t.number for t in trials if t.own] == [1]
    assert trials[0].parameters == own_parameters(study, space)


@pytest.mark.parametrize("storage", ["", "sqlite"])
def test_a_process_that_was_taken_for_gone_goes_on_and_its_trial_is_left_out(tmp_path, storage):
    url = (f"tuning.storage=sqlite:///{tmp_path / 'optuna.db'}",) if storage else ()
    study, space = toy(*url)
    with Search(study, space, tmp_path, "toy") as slow:
        slow.process = "another machine's"  # where its lock cannot be seen
        asked = slow.ask(own_parameters(study, space))
        asked.set_user_attr(SEEN, 0.0)
        with Search(study, space, tmp_path, "toy") as other:
            again = other.ask(own_parameters(study, space))
            assert again.params == asked.params
            slow.seen(asked)
            slow.tell(asked, outcome(asked))
            other.tell(again, outcome(again))
            assert [(t.number, t.own) for t in other.trials()] == [(again.number, True)]


def test_a_trial_whose_process_died_before_telling_the_sampler_is_not_made_again(tmp_path):
    study, space = toy()
    with Search(study, space, tmp_path, "toy") as search:
        asked = search.ask(own_parameters(study, space))
        asked.set_user_attr(RECORD, outcome(asked).record())  # the first half of telling
        assert len(search.trials()) == 1
    trials, made = tune(tmp_path)
    assert (made, len(trials)) == (7, 8)
    assert trials[0].own
    with Search(study, space, tmp_path, "toy") as search:
        assert {t.state for t in search.optuna.get_trials()} <= set(STATES.values())


def test_signs_of_life_end_with_the_last_trial(monkeypatch):
    monkeypatch.setattr(progress, "BEAT_SECONDS", 0.0)
    beats = []
    shown = TrialDisplay(ProgressDisplay(quiet=True), 5)
    shown.beat = lambda: beats.append(1)
    time.sleep(0.01)
    shown.update(1)
    assert beats == [1]
    shown.close()
    time.sleep(0.01)
    shown.update(2)
    assert beats == [1]


def test_the_trial_of_a_living_process_is_left_to_it(tmp_path):
    other, _, ratio = start(tmp_path, stay)
    study, space = toy()
    with Search(study, space, tmp_path, "toy") as search:
        assert search.others() == 1
    trials, made = tune(tmp_path)
    assert made == 5  # 8, less 2 that it finished and 1 that it is at
    assert ratio not in {t.parameters["pruning.ratio"] for t in trials}
    other.kill()
    other.join()


def work(folder, queue):
    queue.put(tune(folder, "tuning.trials=20")[1])


def test_several_processes_share_the_trials_and_none_is_made_twice(tmp_path):
    context = processes()
    queue = context.Queue()
    both = [context.Process(target=work, args=(tmp_path, queue)) for _ in range(2)]
    for process in both:
        process.start()
    made = [queue.get(timeout=120) for _ in both]
    for process in both:
        process.join()
    trials, more = tune(tmp_path, "tuning.trials=20")
    assert sum(made) == len(trials) == 20
    assert more == 0


def test_a_trial_of_a_silent_machine_is_given_up_after_a_while(tmp_path):
    study, space = toy("execution.patience_seconds=0.5")
    with Search(study, space, tmp_path, "toy") as search:
        search.process = "another-machine-1"
        search.ask(own_parameters(study, space))
    with Search(study, space, tmp_path, "toy") as search:
        assert search.others() == 1
        time.sleep(0.6)
        assert search.others() == 0
        asked = search.ask(own_parameters(study, space))
        assert asked.params == own_parameters(study, space)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("tuning.sampler=Magic", "Optuna has no sampler 'Magic'"),
        ("tuning.sampler=trial", "Optuna has no sampler"),
        ("tuning.sampler_options={population: 3}", "population"),
    ],
)
def test_samplers_that_do_not_exist_are_named(override, words):
    study, _ = toy(override)
    with pytest.raises(InputError, match=r"tuning\.sampler") as caught:
        make_sampler(study.tuning, 0)
    assert words in str(caught.value)


def test_a_database_that_cannot_be_opened_is_one_line(tmp_path):
    study, space = toy("tuning.storage=sqlite:////nowhere/at/all/optuna.db")
    with pytest.raises(InputError, match=r"tuning\.storage") as caught:
        Search(study, space, tmp_path, "toy")
    assert len(str(caught.value).splitlines()) == 1


def test_records_are_plain_json(tmp_path):
    trials, _ = tune(tmp_path)
    assert json.loads(json.dumps(trials[0].record())) == {
        **trials[0].record(),
        "said": [0.1, 0.2],
    }
