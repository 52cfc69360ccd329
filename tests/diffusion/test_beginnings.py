"""Trainings that begin alike: what is shared is exact, and nothing else is shared."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toy_training import make_task, settings, stripes

from credit_plugin.config import TrainingSettings
from credit_plugin.diffusion.beginnings import BeginningStore
from credit_plugin.diffusion.training import Trainer, learning_rate_schedule


def train(plan, store=None, start="start", seed=7):
    """Return the weights, what the run says of itself, and the steps that it made."""
    task, made = make_task(), []
    model = task.build(0)
    beginnings = store.of(plan, start) if store else None
    result = Trainer(task, model, plan, seed).run(
        stripes(), lambda done, _: made.append(done), beginnings=beginnings
    )
    return model.state_dict(), result, made


def assert_equal(one, two):
    for name, weight in one.items():
        assert torch.equal(weight, two[name]), name


@pytest.mark.parametrize("ema", [0.0, 0.9])
@pytest.mark.parametrize("schedule", ["constant", "cooldown"])
def test_a_longer_and_a_shorter_run_branch_off_exactly(tmp_path, schedule, ema):
    lengths = (10, 20, 30)
    runs = {n: settings(steps=n, lr_schedule=schedule, ema_decay=ema, flip=True) for n in lengths}
    store = BeginningStore.for_lengths(tmp_path, list(runs.values()))
    shared = {n: runs[n].shared_steps for n in lengths}
    train(runs[20], store)
    for length, begun in ((30, shared[20]), (10, shared[10])):
        straight, alone, _ = train(runs[length])
        branched, result, made = train(runs[length], store)
        assert made[:1] == ([begun + 1] if begun < length else [])
        assert_equal(straight, branched)
        assert result.losses == alone.losses
        assert result.seconds >= result.reused > 0


@pytest.mark.parametrize("schedule", ["constant", "cooldown", "cosine", "linear"])
def test_a_whole_run_is_not_made_again(tmp_path, schedule):
    plan, store = settings(steps=16, lr_schedule=schedule, ema_decay=0.9), BeginningStore(tmp_path)
    first, before, _ = train(plan, store)
    again, result, made = train(plan, store)
    assert made == []
    assert_equal(first, again)
    assert result.losses == before.losses
    assert result.reused == result.seconds > 0


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_runs_whose_rate_depends_on_their_length_share_nothing(tmp_path, schedule):
    store = BeginningStore(tmp_path, (4, 8, 16, 24))
    train(settings(steps=20, lr_schedule=schedule), store)
    _, result, made = train(settings(steps=30, lr_schedule=schedule), store)
    assert len(made) == 30
    assert result.reused == 0


@pytest.mark.parametrize(
    "change", [{"learning_rate": 2e-3}, {"batch_size": 9}, {"warmup_steps": 4}, {"flip": True}]
)
def test_runs_that_differ_in_more_than_length_share_nothing(tmp_path, change):
    store = BeginningStore(tmp_path)
    train(settings(steps=12), store)
    assert len(train(settings(steps=12, **change), store)[2]) == 12


def test_runs_with_another_start_share_nothing(tmp_path):
    store = BeginningStore(tmp_path)
    train(settings(steps=12), store, start="one network")
    assert len(train(settings(steps=12), store, start="another network")[2]) == 12


def test_constant_and_cooldown_share_their_beginning(tmp_path):
    store = BeginningStore(tmp_path)
    train(settings(steps=40, lr_schedule="cooldown"), store)
    assert train(settings(steps=60), store)[2][0] == 33


@given(
    st.integers(1, 400),
    st.integers(1, 400),
    st.integers(0, 50),
    st.sampled_from(["constant", "cooldown"]),
)
def test_the_rate_of_shared_steps_does_not_depend_on_the_length(one, two, warmup, schedule):
    plans = [
        TrainingSettings(steps=n, warmup_steps=min(warmup, one, two), lr_schedule=schedule)
        for n in (one, two)
    ]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    first, second = (learning_rate_schedule(optimizer, plan).lr_lambdas[0] for plan in plans)
    for step in range(min(plan.shared_steps for plan in plans)):
        assert first(step) == second(step)


@given(st.integers(1, 1000), st.integers(0, 40))
def test_the_rate_rises_stays_and_falls_towards_zero(steps, warmup):
    plan = TrainingSettings(
        steps=steps, warmup_steps=min(warmup, steps), lr_schedule="cooldown", learning_rate=0.5
    )
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    factor = learning_rate_schedule(optimizer, plan).lr_lambdas[0]
    rates = [factor(step) for step in range(steps + 1)]
    assert all(0 <= rate <= 1 for rate in rates)
    assert rates[-1] == 0.0
    top = range(plan.warmup_steps, plan.shared_steps + 1)
    assert all(rates[step] == 1.0 for step in top)
    assert rates[:1] == ([0.0] if plan.warmup_steps else [1.0])


def test_milestones_are_where_other_lengths_branch_off():
    runs = [TrainingSettings(steps=n, lr_schedule="cooldown") for n in (10, 25, 50)]
    store = BeginningStore.for_lengths(Path("nowhere"), runs)
    assert store.milestones == (8, 20, 40)
    beginnings = store.of(runs[2], "start")
    kept = [step for step in range(1, 51) if beginnings.place(step)]
    assert kept == [8, 20, 40, 50]
