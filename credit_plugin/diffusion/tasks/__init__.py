"""The registry of diffusion tasks, and what a task must offer.

A new task is one new module in this folder that registers a class with :func:`register_task`.
"""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from credit_plugin.config import DiffusionSettings, SamplingSettings
from credit_plugin.registry import Registry


class DiffusionTask(Protocol):
    """One kind of diffusion model; holds no weights itself."""

    settings: DiffusionSettings
    image_size: int
    channels: int

    def build(self, seed: int) -> nn.Module:
        """Return the untrained network; the same seed gives the same weights."""

    def example_inputs(self) -> dict[str, Tensor]:
        """Return keyword arguments for one forward pass of a single example, for tracing."""

    def output_layers(self, model: nn.Module) -> list[nn.Module]:
        """Return the layers whose width the data prescribes: they are never pruned."""

    def after_pruning(self, model: nn.Module) -> None:
        """Bring what the network remembers about its own widths in line with its weights."""

    def encode(self, images: np.ndarray) -> Tensor:
        """Turn uint8 images [N, H, W, C] into training examples [N, ...] (float32)."""

    def mirror(self, examples: Tensor) -> Tensor:
        """Return the training examples [N, ...] of the same images, mirrored left to right."""

    def loss(self, model: nn.Module, clean: Tensor, generator: torch.Generator) -> Tensor:
        """Return the scalar training loss of a batch of examples."""

    def predict(
        self, model: Callable[..., Any], clean: Tensor, noise: Tensor, timesteps: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the prediction for noised examples, and the target that the loss compares it with.

        Args:
            model: The network, or a function that calls it with other weights.
            clean: Training examples [n, ...].
            noise: Standard normal noise like ``clean``.
            timesteps: Noise level of each example, int64 [n].
        """

    def noise(self, count: int, seed: int) -> Tensor:
        """Return the initial noise of ``count`` samples on the CPU."""

    def check_sampling(self, sampling: SamplingSettings) -> None:
        """Raise InputError if these settings cannot draw samples."""

    def sample(self, model: nn.Module, noise: Tensor, sampling: SamplingSettings) -> np.ndarray:
        """Denoise one batch of initial noise into uint8 images [n, H, W, C]."""

    def trajectory(
        self, model: nn.Module, noise: Tensor, sampling: SamplingSettings
    ) -> Iterator[tuple[int, Tensor]]:
        """Yield, for each sampler step, its timestep and the examples that its state points to.

        These are the network's estimates of the clean examples [n, ...], on the way to the images
        of :meth:`sample`.
        """


TASKS: Registry[Callable[..., DiffusionTask]] = Registry(__name__, "credit_plugin.tasks", "a task")
register_task = TASKS.register


def create_task(settings: DiffusionSettings, image_size: int, channels: int) -> DiffusionTask:
    """Return the task that ``settings.task`` names.

    Args:
        settings: What is trained.
        image_size: Height and width of the images in pixels.
        channels: Channels of the images, 1 or 3.

    Raises:
        InputError: If no such task is registered.
    """
    return TASKS.get(settings.task, "diffusion.task")(settings, image_size, channels)
