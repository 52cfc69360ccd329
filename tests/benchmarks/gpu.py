"""One GPU: stacks against networks one at a time, and a step against what the chip can do.

    python -m tests.benchmarks.gpu [--device cuda] [--quick]

Needs torch and diffusers only, as the training path does. Two tables:

Stacks: milliseconds of a training step (batch 32, 32 px) and of one of 64 samples in 20 steps, for
UNets of 1 to 5 M parameters, of a network alone and of each network of a stack.

Step: milliseconds of a step of the network of preset ``cifar20-ddpm`` at batch 128, in PyTorch's
usual memory format and in channels_last, as it is and compiled (``reduce-overhead`` records CUDA
graphs), beside the least that its multiplications can take: counted operations over the rate that a
large product of bfloat16 matrices reaches here (float32 without a GPU). Compiling is not counted.

``--quick`` takes tiny networks and few steps: it shows that the program runs, also on a CPU.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace as Settings
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from credit_plugin.diffusion.domain import ImageDomain
from credit_plugin.diffusion.examples import Examples
from credit_plugin.diffusion.kernels import apply_kernels
from credit_plugin.diffusion.sampling import sample_images
from credit_plugin.diffusion.stacked import Stack, StackedExamples, StackedTrainer, sample_stack
from credit_plugin.diffusion.tasks.ddpm import DDPMTask
from credit_plugin.diffusion.training import Trainer

NOISE = Settings(
    train_timesteps=1000,
    beta_schedule="linear",
    beta_start=1e-4,
    beta_end=0.02,
    prediction_type="epsilon",
    zero_terminal_snr=False,
)
WIDTHS = ((32, 64, 64), (64, 96, 96), (64, 128, 160))
CIFAR20 = (128, 256, 256, 256)
SAMPLES, IMAGES = 64, 1024


def settings_of(steps: int, batch: int) -> Any:
    """Return the settings of a training."""
    return Settings(
        steps=steps,
        batch_size=batch,
        learning_rate=1e-4,
        weight_decay=0.0,
        lr_schedule="constant",
        warmup_steps=0,
        cooldown_steps=0,
        gradient_clip=1.0,
        ema_decay=0.0,
        flip=True,
    )


def sampling_of(steps: int, samples: int) -> Any:
    """Return the settings of sampling, all samples in one batch."""
    return Settings(
        scheduler="DPMSolverMultistepScheduler",
        steps=steps,
        samples=samples,
        batch_size=samples,
        guidance=1.0,
    )


def task_of(widths: tuple[int, ...], layers: int, groups: int, attention: bool) -> DDPMTask:
    """Return the task of a UNet on 32 px, which attends on its second level or nowhere."""
    network = Settings(
        patch_size=1,
        block_out_channels=widths,
        layers_per_block=layers,
        attention=tuple(attention and level == 1 for level in range(len(widths))),
        attention_head_dim=None,
        norm_num_groups=groups,
        dropout=0.0,
    )
    diffusion: Any = Settings(task="ddpm", network=network, noise=NOISE, condition="none")
    return DDPMTask(diffusion, ImageDomain(32, 3))


def milliseconds(run: Callable[[], Any], device: str) -> float:
    """Return the wall time of something, all of its work on the device included."""
    if device != "cpu":
        torch.cuda.synchronize()
    started = time.perf_counter()
    run()
    if device != "cpu":
        torch.cuda.synchronize()
    return 1e3 * (time.perf_counter() - started)


def warmed(run: Callable[[], Any], device: str) -> float:
    """Return the time of a second call; the first chooses kernels."""
    run()
    return milliseconds(run, device)


def peak(device: str, side: int) -> float:
    """Return the operations a second of a large product of matrices."""
    kind = torch.float32 if device == "cpu" else torch.bfloat16
    left = torch.randn(side, side, device=device, dtype=kind)
    times = 10
    took = warmed(lambda: [left @ left for _ in range(times)], device)
    return times * 2 * side**3 / (took / 1e3)


def stacks(device: str, quick: bool) -> Iterator[str]:
    """Yield the lines of the first table."""
    yield f"{'M params':>9}{'stack of':>9}{'step ms':>9}{'ratio':>7}{'sample ms':>11}{'ratio':>7}"
    settings = settings_of(2, 4) if quick else settings_of(50, 32)
    sampling = sampling_of(2, 4) if quick else sampling_of(20, SAMPLES)
    for widths in ((8, 8),) if quick else WIDTHS:
        task, alone = task_of(widths, 2, 8, attention=False), (0.0, 0.0)
        for count in (1, 2) if quick else (1, 8, 16, 32, 64):
            networks = [task.build(0).to(device) for _ in range(count)]
            size = sum(weight.numel() for weight in networks[0].parameters()) / 1e6
            train, draw = work_of(task, networks, settings, sampling)
            step = warmed(train, device) / settings.steps / count
            sample = warmed(draw, device) / sampling.samples / count
            alone = (step, sample) if count == 1 else alone
            yield (
                f"{size:>9.2f}{count:>9}{step:>9.3f}{alone[0] / step:>7.1f}"
                f"{sample:>11.3f}{alone[1] / sample:>7.1f}"
            )


def work_of(
    task: DDPMTask, networks: list[nn.Module], settings: Any, sampling: Any
) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Return what trains networks and what samples them; one is no stack."""
    examples, noise = images_on(networks[0]), task.noise(sampling.samples, 0)
    if len(networks) == 1:
        return (
            lambda: Trainer(task, networks[0], settings, 0).run(examples),
            lambda: sample_images(task, networks[0], noise, sampling),
        )
    stack, every = Stack(networks), torch.arange(IMAGES, device=examples.clean.device)
    data, seeds = StackedExamples(examples, [every] * len(networks)), range(len(networks))
    return (
        lambda: StackedTrainer(task, stack, settings, seeds).run(data),
        lambda: sample_stack(task, stack, [noise] * len(networks), sampling),
    )


def images_on(network: nn.Module) -> Examples:
    """Return random images on the device of a network."""
    device = next(network.parameters()).device
    return Examples(torch.rand(IMAGES, 3, 32, 32, device=device) * 2 - 1)


def step_operations(task: DDPMTask, network: nn.Module, examples: Examples, batch: int) -> int:
    """Return the operations of the products and convolutions of one step, backwards too."""
    with FlopCounterMode(display=False) as counted:
        Trainer(task, network, settings_of(1, batch), 0).run(examples)
    return counted.get_total_flops()


def one_step(device: str, quick: bool) -> Iterator[str]:
    """Yield the lines of the second table."""
    widths, batch, steps = ((8, 16), 4, 2) if quick else (CIFAR20, 128, 50)
    task = task_of(widths, 2, 8 if quick else 32, attention=True)
    examples = images_on(task.build(0).to(device))
    rate = peak(device, 512 if quick else 8192)
    counted = step_operations(task, task.build(0).to(device), examples, batch)
    least = 1e3 * counted / rate
    yield f"{counted / 1e9:.1f} GFLOP a step, {rate / 1e12:.2f} TFLOP/s: {least:.2f} ms at least"
    yield f"{'memory format':<16}{'compiled':<18}{'step ms':>9}{'of least':>10}"
    modes = ("off",) if quick else ("off", "default", "reduce-overhead")
    for layout in ("contiguous", "channels_last"):
        for mode in modes:
            asked: Any = Settings(memory_format=layout, compile=mode)
            network = apply_kernels(task.build(0).to(device), asked)
            took = warmed(
                lambda n=network: Trainer(task, n, settings_of(steps, batch), 0).run(examples),
                device,
            )
            yield f"{layout:<16}{mode:<18}{took / steps:>9.2f}{took / steps / least:>10.2f}"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--quick", action="store_true")
    told = parser.parse_args()
    for table in (stacks, one_step):
        for line in table(told.device, told.quick):
            print(line, flush=True)
        print()


if __name__ == "__main__":
    main()
