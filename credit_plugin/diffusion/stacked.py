"""Several networks of one architecture, trained and sampled at once on one device.

A small network leaves most of a GPU idle: its kernels are short, and launching them takes longer
than they run. A :class:`Stack` holds the weights of K networks as one tensor [K, P] and calls all
of them by one vectorised call (``torch.func.functional_call`` under ``torch.vmap``), so that K
gradient steps are as many launches as one; optimizer, clipping and average of the weights are one
launch each, whatever the number of layers.

:class:`StackedTrainer` is the descent of :mod:`credit_plugin.diffusion.training` with K losses, K
generators and a clipping for each network: every network sees the batches, noise and levels that it
would see alone, so that results equal those of one at a time up to rounding. A network whose loss
stops being finite ends alone.

How many fit is counted, not guessed: :func:`room` adds up what one step keeps for the backward pass
(``torch.autograd.graph.saved_tensors_hooks``), which holds on every device.

Taken from PyTorch's tutorial on model ensembling: ``functional_call`` with stacked weights under
``vmap``. Unlike its ``stack_module_state``, all weights are one leaf.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from credit_plugin.diffusion.examples import Examples
from credit_plugin.diffusion.process import denoise
from credit_plugin.diffusion.sampling import sample_images
from credit_plugin.diffusion.tasks import DiffusionTask
from credit_plugin.diffusion.training import (
    GradientDescent,
    Report,
    TrainingResult,
    mixed_precision,
)
from credit_plugin.signs import shifted

if TYPE_CHECKING:
    from credit_plugin.config import SamplingSettings, TrainingSettings

MOST, MOST_ON_CPUS = 64, 16
"""Networks in a stack: more of them hardly share more."""

USABLE = 0.7
"""Share of the free memory that a stack may take; the count below is not exact."""

COPIES = 7
"""Weights, gradients twice (of the whole and of its parts), two moments, average, the start."""

Call = Callable[..., Any]


class Stack(nn.Module):
    """The weights of K networks of one architecture, [K, P].

    Args:
        networks: Their weights are copied; all of them are trained.

    Raises:
        ValueError: If they are not alike.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self._networks = list(networks)  # a plain list: what is trained is the stack alone
        named = dict(networks[0].named_parameters())
        self._shapes = {name: weight.shape for name, weight in named.items()}
        self._sizes = [weight.numel() for weight in named.values()]
        if not all(weight.requires_grad for weight in named.values()):
            raise ValueError("a part of the network is frozen")
        for network in networks[1:]:
            if {n: w.shape for n, w in network.named_parameters()} != self._shapes:
                raise ValueError("networks of a stack must have one architecture")
        rows = [parameters_to_vector(network.parameters()).detach() for network in networks]
        self.weights = nn.Parameter(torch.stack(rows))

    def __len__(self) -> int:
        """Return K."""
        return len(self.weights)

    def map(
        self,
        function: Callable[..., Tensor],
        *inputs: Tensor,
        rows: slice = slice(None),
    ) -> Tensor:
        """Return function(call, inputs of the network) of every network, stacked.

        Args:
            function: Gets a function that calls one network, and that network's inputs.
            inputs: Each [K, ...].
            rows: The networks that are asked; inputs are theirs.
        """

        def one(weights: Tensor, *given: Tensor) -> Tensor:
            pieces = zip(self._shapes.items(), weights.split(self._sizes), strict=True)
            state = {name: piece.view(shape) for (name, shape), piece in pieces}

            def call(*args: Any, **options: Any) -> Any:
                return functional_call(self._networks[0], state, args, options)

            return function(call, *given)

        # a slice of everything would cost the backward pass a copy of everything
        weights = self.weights if rows == slice(None) else self.weights[rows]
        with _attention(weights.device):
            mapped: Tensor = torch.vmap(one)(weights, *inputs)
        return mapped

    def train(self, mode: bool = True) -> Stack:
        """Put the network that is called into a mode."""
        self._networks[0].train(mode)
        return self

    def unstack(self) -> list[nn.Module]:
        """Write the weights back to the networks, and return these."""
        for weights, network in zip(self.weights.detach(), self._networks, strict=True):
            vector_to_parameters(weights, network.parameters())
        return self._networks


def _attention(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    # the fused kernel of CPUs cannot be vectorised, those of GPUs can
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else contextlib.nullcontext()


@dataclass(frozen=True)
class StackedExamples:
    """The examples of each network of a stack.

    Attributes:
        all: Every example that any of them has.
        rows: Of each network, which of them are its own, int64 [n].
    """

    all: Examples
    rows: Sequence[Tensor]

    def to(self, device: torch.device | str) -> StackedExamples:
        """Return them on a device."""
        return StackedExamples(self.all.to(device), [rows.to(device) for rows in self.rows])


class StackedTrainer(GradientDescent[StackedExamples]):
    """A run of gradient descent on each network of a stack.

    Args:
        task: Supplies the loss.
        stack: The networks, on their device; changed in place.
        settings: Of every run.
        seeds: Of each run.

    Attributes:
        results: Of each network. Their seconds are those of the stack, shared evenly.
        errors: By network whose loss stopped being finite, what there is to say.
    """

    def __init__(
        self,
        task: DiffusionTask,
        stack: Stack,
        settings: TrainingSettings,
        seeds: Sequence[int],
    ) -> None:
        super().__init__(stack, settings, seeds[0])
        self.task, self.stack = task, stack
        self.generators = [torch.Generator(self.device).manual_seed(seed) for seed in seeds]
        self.results = [TrainingResult() for _ in seeds]
        self.errors: dict[int, str] = {}

    def save(self, path: Path) -> None:
        """Refuse: runs in stacks are short, and one that was cut off is made again."""
        raise NotImplementedError("a stack keeps no checkpoints")

    def _loss(self, examples: StackedExamples) -> Tensor:
        batch = self._draw_batch(examples)
        drawn = [self.task.draw(batch[k], g) for k, g in enumerate(self.generators)]
        noise, levels = (torch.stack(part) for part in zip(*drawn, strict=True))
        told = () if batch.condition is None else (batch.condition,)

        def loss(call: Call, clean: Tensor, noise: Tensor, levels: Tensor, *told: Tensor) -> Tensor:
            return self.task.loss_at(call, Examples(clean, *told), noise, levels)

        with mixed_precision(self.device):
            return self.stack.map(loss, batch.clean, noise, levels, *told)

    def _draw_batch(self, examples: StackedExamples) -> Examples:
        """Return the batch of every network, [K, batch, ...]."""
        size, device = (self.settings.batch_size,), self.device
        picked, mirrored = [], []
        for rows, generator in zip(examples.rows, self.generators, strict=True):
            picked.append(rows[torch.randint(len(rows), size, generator=generator, device=device)])
            if self.settings.flip:
                mirrored.append(torch.rand(size, generator=generator, device=device) < 0.5)
        batch = examples.all[torch.cat(picked)]
        if self.settings.flip:
            turned = torch.cat(mirrored).view(-1, *[1] * (batch.clean.ndim - 1))
            batch = batch.replaced(torch.where(turned, self.task.mirror(batch), batch.clean))
        shape = (len(self.generators), *size)
        told = None if batch.condition is None else batch.condition.unflatten(0, shape)
        return Examples(batch.clean.unflatten(0, shape), told)

    def _clip(self) -> None:
        gradient = self.stack.weights.grad
        assert gradient is not None
        norms = gradient.norm(dim=1, keepdim=True)
        # as torch.nn.utils.clip_grad_norm_ does for one network
        gradient.mul_((self.settings.gradient_clip / (norms + 1e-6)).clamp(max=1.0))

    def _note_loss(self) -> None:
        for k, loss in enumerate((self._loss_sum / self._since).tolist()):
            if not loss < float("inf"):
                known = f"the loss is {loss} at step {self.step}: lower the learning rate"
                self.errors.setdefault(k, known)
            self.results[k].losses.append((self.step, loss))
            self.results[k].seconds = self.result.seconds / len(self.results)
        self._loss_sum, self._since = torch.zeros((), device=self.device), 0


@torch.inference_mode()
def sample_stack(
    task: DiffusionTask,
    stack: Stack,
    noise: Sequence[Tensor],
    sampling: SamplingSettings,
    conditions: Sequence[Tensor] | None = None,
    at_once: int = MOST,
    report: Report | None = None,
) -> list[np.ndarray]:
    """Return the samples of each network: one uint8 image [H, W, C] for each row of its noise.

    Args:
        task: Knows how to denoise.
        stack: The networks.
        noise: Initial noise [n, ...] of each network, on the CPU, as many rows for each.
        sampling: Sampler, steps, and rows of noise in a batch.
        conditions: Of each network, what each image is to be of, int64 [n].
        at_once: Networks that are sampled at once, at most. With 1 each is called as itself.
        report: Called with (images done, images in all).
    """
    if at_once == 1:
        return _sampled_one_by_one(task, stack, noise, sampling, conditions, report)
    stack.train(False)
    device, count = stack.weights.device, len(noise[0])
    images: list[np.ndarray] = []
    for first in range(0, len(stack), at_once):
        rows = slice(first, first + at_once)
        given = torch.stack(list(noise[rows]))
        told = [] if conditions is None else [torch.stack(list(conditions[rows]))]
        parts: list[list[np.ndarray]] = [[] for _ in given]
        for start in range(0, count, sampling.batch_size):
            batch = slice(start, start + sampling.batch_size)
            inputs = [part[:, batch].to(device) for part in (given, *told)]
            for found, some in zip(
                parts, _sampled(task, stack, rows, sampling, *inputs), strict=True
            ):
                found.append(task.decode(some))
            if report is not None:
                done = count * first + len(given) * min(batch.stop, count)
                report(done, count * len(stack))
        images += [np.concatenate(found) for found in parts]
    return images


def _sampled_one_by_one(
    task: DiffusionTask,
    stack: Stack,
    noise: Sequence[Tensor],
    sampling: SamplingSettings,
    conditions: Sequence[Tensor] | None,
    report: Report | None,
) -> list[np.ndarray]:
    total = sum(map(len, noise))
    drawn: Sequence[Tensor | None] = conditions or [None] * len(stack)
    images: list[np.ndarray] = []
    for one, given, of in zip(stack.unstack(), noise, drawn, strict=True):
        before = sum(map(len, images))
        told = None if report is None else shifted(report, before, total)
        images.append(sample_images(task, one, given, sampling, told, of))
    return images


def _sampled(
    task: DiffusionTask,
    stack: Stack,
    rows: slice,
    sampling: SamplingSettings,
    noise: Tensor,
    *told: Tensor,
) -> Tensor:
    def predict(state: Tensor, time: Tensor) -> Tensor:
        def one(call: Call, state: Tensor, *told: Tensor) -> Tensor:
            guided = task.guided(call, told[0] if told else None, sampling.guidance)
            return guided(state, time)

        return stack.map(one, state, *told, rows=rows)

    for step in denoise(task.process, predict, noise, sampling, stacked=True):
        sample = step.after
    return sample.float()


@dataclass(frozen=True)
class Room:
    """How many networks fit into the free memory of a device, one or more.

    Attributes:
        trained: At once.
        sampled: At once.
    """

    trained: int
    sampled: int


def room(
    task: DiffusionTask,
    network: nn.Module,
    settings: TrainingSettings,
    sampling: SamplingSettings,
    examples: Examples,
    sharing: int = 1,
) -> Room:
    """Count how many networks fit, from what one training step of one of them keeps.

    Args:
        task: Supplies the loss.
        network: One of them, on its device; left as it was.
        settings: Of the training.
        sampling: Of the samples; a sampler step keeps the widest layers only, which is taken to be
            half of what training keeps of each image.
        examples: Some, as many as a batch has or fewer.
        sharing: Processes that share the memory.
    """
    device = next(network.parameters()).device
    kept = _kept_bytes(task, network, examples) / len(examples)
    weights = sum(weight.numel() for weight in network.parameters()) * 4
    usable = USABLE * _free_bytes(device) / sharing
    drawn = min(sampling.batch_size, sampling.samples)
    return _within(usable, device.type, COPIES * weights, kept, settings.batch_size, drawn)


def _within(
    usable: float, device: str, network: float, image: float, batch: int, drawn: int
) -> Room:
    """Return the room in so many bytes: a network and its copies, what training keeps of an image.

    Samples of one network keep a CPU busy; those of several would compete for its cache.
    """
    most = MOST_ON_CPUS if device == "cpu" else MOST
    trained = usable / (network + batch * image)
    sampled = 1 if device == "cpu" else (usable - network) / (0.5 * image * drawn)
    return Room(max(1, min(most, int(trained))), max(1, min(most, int(sampled))))


def _kept_bytes(task: DiffusionTask, network: nn.Module, examples: Examples) -> int:
    """Return the bytes that the backward pass of a batch needs, weights not counted."""
    own = {weight.untyped_storage().data_ptr() for weight in network.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    device = examples.clean.device
    generator = torch.Generator(device).manual_seed(0)
    # the graph must live while it is counted, or freed memory is counted twice
    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        mixed_precision(device),
    ):
        loss = task.loss(network, examples, generator)
    del loss
    return sum(kept.values())


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + cached
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
