"""What grows with contributors, images and the network: seconds, and peak memory.

    python -m tests.benchmarks.scaling

Contributors: seconds to plan a thousand coalitions and to estimate values with 200 resamples from
them. Images and network: milliseconds of one training step of batch 32 (16 px, 3 channels), the
same for each network in a stack, and of drawing one sample in 10 steps, on one thread. Every line
is measured in a process of its own, whose largest memory stands at its end. How coalitions an hour
grow with workers is in ``tests.benchmarks.throughput``.
"""

import multiprocessing
import os
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import click

CONTRIBUTORS = (8, 32, 128, 512)
IMAGES = (1_000, 10_000, 100_000)
WIDTHS = (16, 32, 64, 128)
STEPS, SAMPLES, STACKED = 10, 64, 8


def contributors(players: int) -> tuple[float, float]:
    """Return seconds of a plan of 1,000 coalitions and of an estimate from it."""
    import numpy as np

    from credit_plugin.game import UtilityTable, design
    from credit_plugin.values import estimate

    amounts = np.random.default_rng(0).uniform(0.5, 2, players)
    planned = time.perf_counter()
    rows = design(players, min(1000, 2**players))
    estimated = time.perf_counter()
    table = UtilityTable.from_arrays(rows, np.sqrt(rows @ amounts / amounts.sum()))
    estimate(table, resamples=200)
    return estimated - planned, time.perf_counter() - estimated


def training(images: int, width: int) -> tuple[float, float, float, float]:
    """Return parameters in millions and the milliseconds of a step, one in a stack, a sample."""
    import torch

    from credit_plugin.config import (
        DiffusionSettings,
        NetworkSettings,
        SamplingSettings,
        TrainingSettings,
    )
    from credit_plugin.diffusion.domain import ImageDomain
    from credit_plugin.diffusion.examples import Examples
    from credit_plugin.diffusion.sampling import sample_images
    from credit_plugin.diffusion.stacked import Stack, StackedExamples, StackedTrainer
    from credit_plugin.diffusion.tasks import create_task
    from credit_plugin.diffusion.training import Trainer

    torch.set_num_threads(1)
    network = NetworkSettings(block_out_channels=(width, width), attention=(False, False))
    task = create_task(DiffusionSettings(network=network), ImageDomain(16, 3))
    generator = torch.Generator().manual_seed(0)
    examples = Examples(torch.rand(images, 3, 16, 16, generator=generator) * 2 - 1)
    settings = TrainingSettings(steps=STEPS)
    sampling = SamplingSettings(steps=10, samples=SAMPLES, batch_size=SAMPLES)
    once = settings.model_copy(update={"steps": 1})
    Trainer(task, task.build(0), once, 0).run(examples)  # first calls choose their kernels
    alone, model = Trainer(task, task.build(0), settings, 0), task.build(0)
    stack = Stack([task.build(0) for _ in range(STACKED)])
    stacked = StackedTrainer(task, stack, settings, range(STACKED))
    rows = StackedExamples(examples, [torch.arange(images)] * STACKED)
    return (
        sum(weight.numel() for weight in model.parameters()) / 1e6,
        1e3 * _seconds(lambda: alone.run(examples)) / STEPS,
        1e3 * _seconds(lambda: stacked.run(rows)) / STEPS / STACKED,
        1e3
        * _seconds(lambda: sample_images(task, model, task.noise(SAMPLES, 0), sampling))
        / SAMPLES,
    )


def _seconds(run: Callable[[], Any]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def _with_peak(measure: Callable[..., Any], *asked: int) -> tuple[Any, float]:
    found = measure(*asked)
    return found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def _in_process(measure: Callable[..., Any], *asked: int) -> tuple[Any, float]:
    """Return what a new process measured, and the most memory that it held, in GB."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_with_peak, measure, *asked).result()


@click.command()
def main() -> None:
    """Print the tables."""
    os.environ["OMP_NUM_THREADS"] = "1"
    print(f"{'contributors':>12}{'plan s':>9}{'values s':>10}{'peak':>10}")
    for players in CONTRIBUTORS:
        (plan, values), peak = _in_process(contributors, players)
        print(f"{players:>12}{plan:>9.2f}{values:>10.2f}{peak:>7.2f} GB", flush=True)
    print(
        f"\n{'images':>8}{'width':>7}{'M params':>10}{'step ms':>9}{'stacked':>9}{'sample':>8}"
        f"{'peak':>10}"
    )
    for images, width in [*((images, 32) for images in IMAGES), *((1_000, w) for w in WIDTHS)]:
        (size, step, stacked, sample), peak = _in_process(training, images, width)
        print(
            f"{images:>8}{width:>7}{size:>10.2f}{step:>9.1f}{stacked:>9.1f}{sample:>8.1f}"
            f"{peak:>7.2f} GB",
            flush=True,
        )


if __name__ == "__main__":
    main()
