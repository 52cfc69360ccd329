"""Stacks of networks: equal to one at a time, whatever they predict, and apart where one fails."""

import copy

import numpy as np
import pytest
import torch
from toy_training import make_task, settings

from credit_plugin.config import DiffusionSettings, NetworkSettings, SamplingSettings
from credit_plugin.diffusion.domain import ImageDomain
from credit_plugin.diffusion.examples import Examples
from credit_plugin.diffusion.sampling import sample_images
from credit_plugin.diffusion.stacked import (
    MOST,
    MOST_ON_CPUS,
    Room,
    Stack,
    StackedExamples,
    StackedTrainer,
    _within,
    room,
    sample_stack,
)
from credit_plugin.diffusion.tasks import create_task
from credit_plugin.diffusion.training import Trainer

SEEDS = [3, 4, 5]
ROWS = [torch.arange(0, 20), torch.arange(7, 12), torch.tensor([1, 30])]


def pictures(count=32, classes=0):
    generator = torch.Generator().manual_seed(0)
    condition = torch.arange(count) % classes if classes else None
    return Examples(torch.rand(count, 1, 8, 8, generator=generator) * 2 - 1, condition)


def class_task(classes=3):
    network = NetworkSettings(
        block_out_channels=(8, 8), attention=(False, True), norm_num_groups=4, attention_head_dim=4
    )
    names = tuple(str(i) for i in range(classes))
    shown = DiffusionSettings(network=network, condition="label")
    return create_task(shown, ImageDomain(8, 1, names))


def trained_alone(task, networks, plan, examples):
    runs = [Trainer(task, n, plan, seed) for n, seed in zip(networks, SEEDS, strict=True)]
    return [run.run(examples[rows]) for run, rows in zip(runs, ROWS, strict=True)]


def trained_together(task, networks, plan, examples):
    stack = Stack(networks)
    trainer = StackedTrainer(task, stack, plan, SEEDS)
    trainer.run(StackedExamples(examples, ROWS))
    return stack, trainer


@torch.no_grad()
def assert_alike(task, ones, others, examples):
    """Compare what networks say: some weights have no effect, and Adam moves these by rounding."""
    noise = torch.randn(examples.clean.shape, generator=torch.Generator().manual_seed(9))
    levels = torch.arange(len(examples)) * 30
    for one, other in zip(ones, others, strict=True):
        expected, _ = task.predict(one.eval(), examples, noise, levels)
        found, _ = task.predict(other.eval(), examples, noise, levels)
        torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"flip": True, "gradient_clip": 0.05},
        {"ema_decay": 0.9, "weight_decay": 0.1, "lr_schedule": "cosine"},
    ],
)
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_a_stack_learns_what_each_network_learns_alone(prediction, changes):
    task = make_task(prediction_type=prediction)
    plan = settings(steps=12, learning_rate=1e-3, **changes)
    networks = [task.build(i) for i in range(3)]
    alone = copy.deepcopy(networks)
    results = trained_alone(task, alone, plan, pictures())
    stack, trainer = trained_together(task, networks, plan, pictures())
    assert_alike(task, alone, stack.unstack(), pictures())
    for mine, theirs in zip(trainer.results, results, strict=True):
        assert [s for s, _ in mine.losses] == [s for s, _ in theirs.losses]
        assert np.allclose(mine.losses, theirs.losses, rtol=1e-4)


def test_networks_with_classes_and_attention_stack_too():
    task = class_task()
    examples, plan = pictures(classes=3), settings(steps=6, learning_rate=1e-3)
    networks = [task.build(i) for i in range(3)]
    alone = copy.deepcopy(networks)
    trained_alone(task, alone, plan, examples)
    stack, _ = trained_together(task, networks, plan, examples)
    assert_alike(task, alone, stack.unstack(), examples)


@pytest.mark.parametrize(
    "scheduler",
    [
        "DDIMScheduler",
        "DDPMScheduler",
        "DPMSolverMultistepScheduler",
        "EulerAncestralDiscreteScheduler",
    ],
)
@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_samples_of_a_stack_are_those_of_each_network(scheduler, at_once):
    task = class_task()
    networks = [task.build(i) for i in range(3)]
    sampling = SamplingSettings(scheduler=scheduler, steps=4, samples=16, batch_size=6)
    noise = [task.noise(16, seed) for seed in (0, 0, 1)]
    told = [torch.full((16,), k) for k in range(3)]
    heard = []
    report = lambda done, total: heard.append((done, total))  # noqa: E731 - a list of what it says
    found = sample_stack(task, Stack(networks), noise, sampling, told, at_once, report)
    assert len(heard) == 3 * -(-3 // at_once)  # batches of 16 by 6 of each group of networks
    assert heard == sorted(heard)
    assert heard[-1] == (48, 48)
    for k, network in enumerate(networks):
        expected = sample_images(task, network, noise[k], sampling, condition=told[k])
        assert found[k].shape == expected.shape
        assert np.abs(found[k].astype(int) - expected.astype(int)).max() <= 1


def test_a_network_that_diverges_ends_alone():
    task, examples = make_task(), pictures()
    networks = [task.build(i) for i in range(3)]
    with torch.no_grad():
        networks[1].conv_in.weight.fill_(float("nan"))
    stack, trainer = trained_together(task, networks, settings(steps=4, warmup_steps=0), examples)
    assert list(trainer.errors) == [1]
    assert "the loss is nan at step 4: lower the learning rate" in trainer.errors[1]
    finite = [bool(torch.isfinite(w).all()) for w in stack.weights]
    assert finite == [True, False, True]


def test_other_architectures_and_frozen_parts_are_refused():
    small, wide = make_task(), make_task(channels=3)
    with pytest.raises(ValueError, match="one architecture"):
        Stack([small.build(0), wide.build(0)])
    frozen = small.build(0)
    frozen.conv_in.weight.requires_grad_(False)
    with pytest.raises(ValueError, match="frozen"):
        Stack([frozen])


def test_dropout_cannot_be_stacked():
    network = NetworkSettings(
        block_out_channels=(8, 8), attention=(False, False), norm_num_groups=4, dropout=0.1
    )
    task = create_task(DiffusionSettings(network=network), ImageDomain(8, 1))
    with pytest.raises(RuntimeError, match="random"):
        trained_together(
            task, [task.build(i) for i in range(3)], settings(steps=1, warmup_steps=0), pictures()
        )


def test_what_fits_follows_memory_and_batch(monkeypatch):
    task, network = make_task(), make_task().build(0)
    sampling = SamplingSettings(samples=64, batch_size=64)
    before = network.conv_in.weight.clone()

    def fitting(gigabytes, batch=8, sharing=1):
        monkeypatch.setattr(
            "credit_plugin.diffusion.stacked._free_bytes", lambda _: gigabytes * 2**30
        )
        plan = settings(batch_size=batch)
        return room(task, network, plan, sampling, pictures(8), sharing)

    few, many = fitting(0.008), fitting(0.016)
    assert 1 <= few.trained < many.trained < MOST_ON_CPUS
    assert abs(many.trained - 2 * few.trained) <= 1
    assert fitting(0.016, batch=32).trained < many.trained
    assert fitting(0.016, sharing=2).trained == few.trained
    assert fitting(0.000001).trained == fitting(0.000001).sampled == 1
    assert fitting(1000).trained == MOST_ON_CPUS
    assert fitting(1000).sampled == 1
    assert torch.equal(before, network.conv_in.weight)
    assert network.conv_in.weight.grad is None


def test_samples_are_stacked_on_gpus_alone():
    on_gpu = _within(40e6, "cuda", network=10e6, image=1e6, batch=10, drawn=20)
    assert on_gpu == Room(trained=2, sampled=3)
    assert _within(40e6, "cpu", network=10e6, image=1e6, batch=10, drawn=20) == Room(2, 1)
    assert _within(1e15, "cuda", network=10e6, image=1e6, batch=10, drawn=20) == Room(MOST, MOST)
    assert _within(1.0, "cuda", network=10e6, image=1e6, batch=10, drawn=20) == Room(1, 1)
