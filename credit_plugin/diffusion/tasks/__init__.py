"""The registry of diffusion tasks, and what a task must offer.

A new task is one new module in this folder that registers a class with :func:`register_task`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from credit_plugin.diffusion.domain import ImageDomain
from credit_plugin.diffusion.examples import Examples
from credit_plugin.diffusion.process import ForwardProcess, Predict
from credit_plugin.errors import InputError
from credit_plugin.registry import Registry

if TYPE_CHECKING:
    from credit_plugin.config import DiffusionSettings, SamplingSettings
    from credit_plugin.diffusion.pruning import History


TASK_SECTIONS = frozenset({"network", "autoencoder", "base", "lora", "noise"})
"""Sections of ``diffusion`` that some tasks use and others do not."""


class DiffusionTask(Protocol):
    """One kind of diffusion model; holds no weights of its own that are trained.

    Attributes:
        sections: Those of ``TASK_SECTIONS`` that it uses.
        settings: What is trained.
        domain: What its images are.
    """

    sections: ClassVar[frozenset[str]]
    settings: DiffusionSettings
    domain: ImageDomain

    @property
    def total_levels(self) -> int:
        """Number of noise levels."""

    @property
    def process(self) -> ForwardProcess:
        """How noise is added, and taken away again."""

    @property
    def untrained_is(self) -> str:
        """What the model of the empty coalition is: ``untrained``, or the ``base_model``."""

    @classmethod
    def frozen_digest(cls, settings: DiffusionSettings) -> str:
        """Return what identifies the content of frozen networks; empty for a task without any.

        A task with frozen networks has parts: :meth:`prepare` is called once for a study.

        Raises:
            InputError: If a network is missing, with the mend.
        """

    @classmethod
    def effort(cls, settings: DiffusionSettings, images: int) -> int:
        """Return how much :meth:`prepare` reports in all for so many images."""

    def prepare(
        self,
        images: np.ndarray,
        mirrored: bool,
        folder: Path,
        report: Callable[[int, int], None],
        device: str,
    ) -> None:
        """Write what all models of a study share to ``folder``, which exists.

        Args:
            images: uint8 [N, H, W, C], all of the study's.
            mirrored: Whether trainings flip images.
            folder: Receives the files.
            report: Called with (work done, work in all).
            device: Where frozen networks run.
        """

    def study_examples(
        self, images: np.ndarray, condition: np.ndarray | None, mirrored: bool
    ) -> Examples:
        """Return all images of the study, encoded now or as :meth:`prepare` left them.

        Args:
            images: uint8 [N, H, W, C], all of the study's.
            condition: int64 [N], what each image is of.
            mirrored: Whether trainings flip images.
        """

    def write_parts(self, folder: Path) -> None:
        """Write to a model's folder what :func:`create_task` needs to find there."""

    def save_weights(self, model: nn.Module, folder: Path) -> None:
        """Write the weights of a network to a folder, which exists."""

    def load_weights(self, model: nn.Module, folder: Path) -> None:
        """Read into a network of the same architecture what :meth:`save_weights` wrote.

        Raises:
            InputError: If they do not fit.
            OSError: If they are not there.
        """

    def build(self, seed: int) -> nn.Module:
        """Return the untrained network; the same seed gives the same weights."""

    def prune(
        self, model: nn.Module, method: str, ratio: float, examples: Examples, seed: int
    ) -> History:
        """Prune a trained network in place and return the history that rebuilds its architecture.

        Args:
            model: The network.
            method: ``magnitude``, ``taylor`` or ``random``.
            ratio: How much goes, in (0, 1).
            examples: For methods that need gradients.
            seed: Seeds whatever is random.
        """

    def rebuild(self, history: History, seed: int) -> nn.Module:
        """Return an untrained network of the pruned architecture."""

    def encode(
        self, images: np.ndarray, condition: np.ndarray | None = None, mirrored: bool = False
    ) -> Examples:
        """Turn images into training examples.

        Args:
            images: uint8 [N, H, W, C].
            condition: int64 [N], what each image is of.
            mirrored: Whether :meth:`mirror` will be asked for.
        """

    def mirror(self, examples: Examples) -> Tensor:
        """Return ``clean`` [N, ...] of the same images, mirrored left to right."""

    def loss(self, model: nn.Module, batch: Examples, generator: torch.Generator) -> Tensor:
        """Return the scalar training loss of a batch: :meth:`loss_at` what is drawn."""

    def draw(self, batch: Examples, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return noise like ``clean``, and a noise level for each example, int64 or float [n]."""

    def loss_at(
        self, model: Callable[..., Any], batch: Examples, noise: Tensor, levels: Tensor
    ) -> Tensor:
        """Return the scalar training loss of a batch at this noise and these levels.

        Args:
            model: The network, or a function that calls it with other weights.
            batch: Training examples [n, ...].
            noise: Standard normal noise like ``batch.clean``.
            levels: Noise level of each example.
        """

    def predict(
        self, model: Callable[..., Any], batch: Examples, noise: Tensor, levels: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the prediction for noised examples, and the target that the loss compares it with.

        Args:
            model: The network, or a function that calls it with other weights.
            batch: Training examples [n, ...].
            noise: Standard normal noise like ``batch.clean``.
            levels: Noise level of each example, int64 [n].
        """

    def noise(self, count: int, seed: int) -> Tensor:
        """Return the initial noise of ``count`` samples on the CPU."""

    def check_sampling(self, sampling: SamplingSettings) -> None:
        """Raise InputError if these settings cannot draw samples."""

    def guided(
        self, model: Callable[..., Any], condition: Tensor | None, guidance: float
    ) -> Predict:
        """Return a function from noisy examples and their time to the network's prediction.

        Args:
            model: The network, or a function that calls it with other weights.
            condition: int64 [n], what each example is to be of.
            guidance: Scale of classifier-free guidance; 1 is none.
        """

    def decode(self, examples: Tensor) -> np.ndarray:
        """Turn samples [n, ...] into uint8 images [n, H, W, C]."""

    def sample(
        self,
        model: nn.Module,
        noise: Tensor,
        sampling: SamplingSettings,
        condition: Tensor | None = None,
    ) -> np.ndarray:
        """Denoise one batch of initial noise into uint8 images [n, H, W, C].

        Args:
            model: The network.
            noise: Initial noise [n, ...] on the network's device.
            sampling: Sampler and steps.
            condition: int64 [n], what each image is to be of.
        """

    def trajectory(
        self,
        model: nn.Module,
        noise: Tensor,
        sampling: SamplingSettings,
        condition: Tensor | None = None,
    ) -> Iterator[tuple[int, Tensor]]:
        """Yield, for each sampler step, its level and the examples that its state points to.

        These are the network's estimates of the clean examples [n, ...], on the way to the images
        of :meth:`sample`.
        """


TASKS: Registry[type[DiffusionTask]] = Registry(__name__, "credit_plugin.tasks", "a task")
register_task = TASKS.register


def frozen_digest(settings: DiffusionSettings) -> str:
    """Return what identifies the frozen networks of a task, empty if it has none.

    Raises:
        InputError: If no such task is registered, or a network is missing.
    """
    return TASKS.get(settings.task, "diffusion.task").frozen_digest(settings)


def parts_effort(settings: DiffusionSettings, images: int) -> int:
    """Return how much work it is to prepare a task's parts, in images and steps."""
    return TASKS.get(settings.task, "diffusion.task").effort(settings, images)


def used_settings(settings: DiffusionSettings) -> DiffusionSettings:
    """Return the settings with defaults in place of sections that the task does not use.

    Raises:
        InputError: If no such task is registered.
    """
    unused = TASK_SECTIONS - TASKS.get(settings.task, "diffusion.task").sections
    fields = type(settings).model_fields
    return settings.model_copy(update={name: fields[name].default for name in unused})


def create_task(
    settings: DiffusionSettings, domain: ImageDomain, parts: Path | None = None
) -> DiffusionTask:
    """Return the task that ``settings.task`` names.

    Args:
        settings: What is trained.
        domain: What its images are.
        parts: Folder that holds the frozen networks of the task; without one they are looked for
            where the settings say.

    Raises:
        InputError: If no such task is registered, or the settings and the domain do not fit.
    """
    kind: Callable[..., DiffusionTask] = TASKS.get(settings.task, "diffusion.task")
    if parts is None:  # a study that is being checked; models of older ones still load
        _check_sections(settings)
    return kind(settings, domain, parts)


def _check_sections(settings: DiffusionSettings) -> None:
    """Refuse frozen networks that the task would ignore."""
    used = used_settings(settings)
    for name in sorted(TASK_SECTIONS):
        if getattr(used, name) is None and getattr(settings, name) is not None:
            raise InputError(
                f"diffusion.{name}: task {settings.task} does not use it; set it to null, or "
                "choose a diffusion.task that does"
            )
