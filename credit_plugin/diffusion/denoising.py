"""What all tasks that denoise have in common: loss, sampling, and the way to a sample.

The loss is the plain mean squared error between the network's prediction and the target of the
forward process (:mod:`credit_plugin.diffusion.process`), at a noise level drawn for each image.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from credit_plugin.diffusion.domain import ImageDomain
from credit_plugin.diffusion.examples import Examples
from credit_plugin.diffusion.process import ForwardProcess, Predict, check_sampler, denoise
from credit_plugin.diffusion.tasks import TASK_SECTIONS

if TYPE_CHECKING:
    from credit_plugin.config import DiffusionSettings, SamplingSettings


class DenoisingTask(ABC):
    """Base of tasks.

    Attributes:
        sections: Those of ``TASK_SECTIONS`` that a task uses; all, unless it says so.
        is_bounded: Whether examples lie in [-1, 1].

    Args:
        settings: What is trained.
        domain: What its images are.
        parts: Folder of what all models of a study share, for tasks that have such.
    """

    sections: ClassVar[frozenset[str]] = TASK_SECTIONS
    is_bounded: ClassVar[bool] = False

    def __init__(
        self, settings: DiffusionSettings, domain: ImageDomain, parts: Path | None = None
    ) -> None:
        self.settings, self.domain, self.parts = settings, domain, parts

    @classmethod
    def frozen_digest(cls, settings: DiffusionSettings) -> str:
        """Return nothing: the base builds on no frozen networks."""
        return ""

    @classmethod
    def effort(cls, settings: DiffusionSettings, images: int) -> int:
        """Return how much :meth:`prepare` reports: nothing."""
        return 0

    def prepare(
        self,
        images: np.ndarray,
        mirrored: bool,
        folder: Path,
        report: Callable[[int, int], None],
        device: str,
    ) -> None:
        """Prepare nothing: encoding is as fast as reading."""
        return

    def write_parts(self, folder: Path) -> None:
        """Write nothing: the weights are all there is."""
        return

    def study_examples(
        self, images: np.ndarray, condition: np.ndarray | None, mirrored: bool
    ) -> Examples:
        """Return all images of the study, encoded now."""
        return self.encode(images, condition, mirrored)

    @abstractmethod
    def encode(
        self, images: np.ndarray, condition: np.ndarray | None = None, mirrored: bool = False
    ) -> Examples:
        """Turn uint8 images [N, H, W, C] into training examples."""

    @abstractmethod
    def mirror(self, examples: Examples) -> Tensor:
        """Return ``clean`` of the mirrored images."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an example."""

    @property
    @abstractmethod
    def process(self) -> ForwardProcess:
        """The forward process."""

    @abstractmethod
    def caller(self, model: Callable[..., Any], condition: Tensor | None) -> Predict:
        """Return a function that calls a network with what its examples are of, int64 [n]."""

    @abstractmethod
    def decode(self, examples: Tensor) -> np.ndarray:
        """Turn samples [n, ...] into uint8 images [n, H, W, C]."""

    def guided(
        self, model: Callable[..., Any], condition: Tensor | None, guidance: float
    ) -> Predict:
        """Return :meth:`caller` with guidance; the base knows none."""
        return self.caller(model, condition)

    @property
    def total_levels(self) -> int:
        """Number of noise levels."""
        return self.process.total

    def loss(self, model: nn.Module, batch: Examples, generator: torch.Generator) -> Tensor:
        """Return the mean squared error of the prediction at drawn levels."""
        return self.loss_at(model, batch, *self.draw(batch, generator))

    def draw(self, batch: Examples, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return noise like ``clean``, and the level of each example."""
        device = batch.clean.device
        noise = torch.randn(batch.clean.shape, generator=generator, device=device)
        return noise, self.process.draw_levels(len(batch), generator, device)

    def loss_at(
        self, model: Callable[..., Any], batch: Examples, noise: Tensor, levels: Tensor
    ) -> Tensor:
        """Return the mean squared error of the prediction."""
        return functional.mse_loss(*self.predict(model, batch, noise, levels))

    def predict(
        self, model: Callable[..., Any], batch: Examples, noise: Tensor, levels: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the prediction for noised examples, and its target, both like ``clean``."""
        noisy = self.process.noised(batch.clean, noise, levels)
        prediction = self.caller(model, batch.condition)(noisy, self.process.time(levels))
        return prediction.float(), self.process.target(batch.clean, noise, levels)

    def noise(self, count: int, seed: int) -> Tensor:
        """Return standard normal noise [count, ...]."""
        return torch.randn((count, *self.shape), generator=torch.Generator().manual_seed(seed))

    def check_sampling(self, sampling: SamplingSettings) -> None:
        """Raise InputError if the scheduler cannot run the process backwards."""
        check_sampler(self.process, sampling)

    @torch.inference_mode()
    def sample(
        self,
        model: nn.Module,
        noise: Tensor,
        sampling: SamplingSettings,
        condition: Tensor | None = None,
    ) -> np.ndarray:
        """Denoise [n, ...] into uint8 [n, H, W, C]."""
        predict = self.guided(model, condition, sampling.guidance)
        for step in denoise(self.process, predict, noise, sampling):
            sample = step.after
        return self.decode(sample.float())

    @torch.no_grad()
    def trajectory(
        self,
        model: nn.Module,
        noise: Tensor,
        sampling: SamplingSettings,
        condition: Tensor | None = None,
    ) -> Iterator[tuple[int, Tensor]]:
        """Yield each step's level and the example that its state points to."""
        predict = self.guided(model, condition, sampling.guidance)
        for step in denoise(self.process, predict, noise, sampling):
            level, clean = self.process.clean(step.state, step.prediction.float(), step.time)
            yield level, clean.clamp(-1, 1) if self.is_bounded else clean
