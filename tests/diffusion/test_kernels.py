"""Kernels: other orders in memory and compiled calls train and sample the same network."""

import copy

import pytest
import torch
from torch import nn
from torch._dynamo.utils import counters
from toy_training import make_task, settings, stripes

from credit_plugin.config import KernelSettings, SamplingSettings
from credit_plugin.diffusion.kernels import apply_kernels
from credit_plugin.diffusion.sampling import sample_images
from credit_plugin.diffusion.training import Trainer

PLAN = settings(steps=6, warmup_steps=1, ema_decay=0.9, flip=True)
SAMPLING = SamplingSettings(scheduler="DPMSolverMultistepScheduler", steps=3, samples=16)


def trained(kernels):
    """Return weights and samples of a network that is trained as the kernels want it."""
    task = make_task()
    model = apply_kernels(task.build(0), kernels)
    Trainer(task, model, PLAN, 7).run(stripes())
    images = sample_images(task, model, task.noise(16, 0), SAMPLING)
    return copy.deepcopy(model.state_dict()), images.astype(int)


@pytest.fixture(scope="module")
def plain():
    return trained(KernelSettings())


def agree(found, expected):
    weights, images = found
    for name, weight in expected[0].items():
        torch.testing.assert_close(weights[name], weight, rtol=1e-3, atol=1e-5)
    assert abs(images - expected[1]).max() <= 1


def test_as_it_is_nothing_is_touched():
    model = make_task().build(0)
    assert apply_kernels(model, KernelSettings()) is model
    assert model._compiled_call_impl is None
    assert model.conv_in.weight.is_contiguous()


def test_weights_in_another_order_are_trained_and_sampled_alike(plain):
    agree(trained(KernelSettings(memory_format="channels_last")), plain)


def test_moments_and_averages_lie_in_memory_as_their_weights_do():
    task = make_task()
    model = apply_kernels(task.build(0), KernelSettings(memory_format="channels_last"))
    trainer = Trainer(task, model, PLAN, 7)
    trainer.run(stripes())
    weight = model.down_blocks[0].resnets[0].conv1.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    moments = trainer.optimizer.state[weight]
    assert moments["exp_avg"].stride() == moments["exp_avg_sq"].stride() == weight.stride()


class Stripes:
    """A training in which one convolution learns images by heart; quickly compiled."""

    def mirror(self, examples):
        return examples.clean.flip(-1)

    def loss(self, model, batch, generator):
        return (model(torch.ones_like(batch.clean)) - batch.clean).square().mean()


def test_a_compiled_network_is_trained_alike_and_serves_the_next_one():
    torch.compiler.reset()
    counters.clear()
    weights = []
    for mode in ("off", "reduce-overhead", "reduce-overhead"):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            model = nn.Conv2d(1, 1, 3, padding=1)
        apply_kernels(model, KernelSettings(compile=mode))
        Trainer(Stripes(), model, PLAN, 7).run(stripes())
        weights.append(model.weight.detach())
        if mode != "off":
            assert counters["stats"]["unique_graphs"] == 1
    torch.testing.assert_close(weights[1], weights[0])
    assert torch.equal(weights[2], weights[1])


def test_a_unet_is_one_graph():
    # Inductor's minute for it is spent by tests.benchmarks.gpu
    task = make_task()
    inputs = task.example_inputs()
    found = torch._dynamo.explain(task.build(0))(**inputs, return_dict=False)
    assert (found.graph_count, found.graph_break_count) == (1, 0)


def test_a_copy_is_not_compiled():
    model = apply_kernels(make_task().build(0), KernelSettings(compile="default"))
    assert copy.deepcopy(model)._compiled_call_impl is None
