"""The training loop: one function for full training, recovery, fine-tuning and retraining.

AdamW with a warm-up no longer than the run, gradient clipping and an average of the weights (EMA)
that starts afresh in every run: reloading an old average with its step counter would evaluate
mostly the old model (the released code of the paper does; see :class:`diffusers.EMAModel`).

Randomness comes from one generator seeded by the caller; layers that draw by themselves (dropout)
are seeded by that seed and the step. A checkpoint holds weights, moments,
average, generator state and step, so that a resumed run equals an uninterrupted one bit for bit.
The loop reads nothing back from the device except the loss, every ``LOSS_EVERY`` steps.

The shape of the loop follows diffusers' ``examples/unconditional_image_generation`` (schedule from
``get_scheduler``, ``EMAModel`` over trainable parameters); checkpoints are safetensors here.
"""

from __future__ import annotations

import contextlib
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

import torch
from diffusers.optimization import get_scheduler
from diffusers.training_utils import EMAModel
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd
from torch.optim.lr_scheduler import LambdaLR

from credit_plugin.diffusion.examples import Examples
from credit_plugin.seeding import derive_seed
from credit_plugin.written import whole_file

if TYPE_CHECKING:
    from credit_plugin.config import TrainingSettings
    from credit_plugin.diffusion.beginnings import Beginnings

LOSS_EVERY = 25

Report = Callable[[int, int], None]


class Objective(Protocol):
    """What a run asks of whatever it trains; every task answers it."""

    def mirror(self, examples: Examples) -> Tensor:
        """Return ``clean`` of the mirrored images."""

    def loss(self, model: Any, batch: Examples, generator: torch.Generator) -> Tensor:
        """Return the scalar loss of a batch."""


@dataclass
class TrainingResult:
    """What a run left behind besides the weights.

    Attributes:
        losses: Pairs (step, mean loss since the pair before).
        seconds: Wall time of all steps, whoever made them.
        reused: That of the steps that were not made again, because another run began alike.
    """

    losses: list[tuple[int, float]] = field(default_factory=list)
    seconds: float = 0.0
    reused: float = 0.0

    @property
    def ends(self) -> dict[str, float]:
        """The ``first`` and the ``final`` loss."""
        return {"first": self.losses[0][1], "final": self.losses[-1][1]}


class TrainingData(Protocol):
    """What is trained on."""

    def to(self, device: torch.device | str) -> Self:
        """Return it on a device."""


Data = TypeVar("Data", bound=TrainingData)


class GradientDescent(ABC, Generic[Data]):
    """A resumable run of gradient descent, whatever its loss and its data are.

    Args:
        model: What is trained, on its device; changed in place.
        settings: Steps, rates, clipping, EMA.
        seed: Of the run's generator.
    """

    def __init__(self, model: nn.Module, settings: TrainingSettings, seed: int) -> None:
        self.model, self.settings = model, settings
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.device = self.parameters[0].device
        self.generator = torch.Generator(self.device).manual_seed(seed)
        self.optimizer = torch.optim.AdamW(
            self.parameters,
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
            fused=True,
        )
        self.schedule = learning_rate_schedule(self.optimizer, settings)
        self.ema = (
            EMAModel(self.parameters, settings.ema_decay, foreach=True)
            if settings.ema_decay
            else None
        )
        self.step = 0
        self.result = TrainingResult()
        self._loss_sum, self._since = torch.zeros((), device=self.device), 0

    def run(
        self,
        examples: Data,
        report: Report | None = None,
        checkpoint: Path | None = None,
        checkpoint_seconds: float = 20.0,
        beginnings: Beginnings | None = None,
    ) -> TrainingResult:
        """Train to the last step and leave the weights to evaluate in the model.

        Args:
            examples: Training examples, one or more.
            report: Called with (steps done, steps in all).
            checkpoint: File to resume from if it exists, and to save to from time to time.
            checkpoint_seconds: Time between two saves.
            beginnings: States of runs that begin alike, to go on from and to add to.

        Raises:
            FloatingPointError: If the loss stops being finite.
        """
        if checkpoint is not None and checkpoint.exists():
            self.load(checkpoint)
        elif beginnings is not None:
            self._go_on_from(beginnings)
        examples = examples.to(self.device)
        self.model.train()
        saved = time.monotonic()
        started = saved - self.result.seconds
        while self.step < self.settings.steps:
            self._loss_sum, self._since = self._loss_sum + self._advance(examples), self._since + 1
            self.result.seconds = time.monotonic() - started
            if self.step % LOSS_EVERY == 0:
                self._note_loss()
                if checkpoint is not None and time.monotonic() - saved > checkpoint_seconds:
                    self.save(checkpoint)
                    saved = time.monotonic()
            if beginnings is not None:
                self._keep(beginnings)
            if report is not None:
                report(self.step, self.settings.steps)
        if self._since:
            self._note_loss()
        if self.ema is not None:
            self.ema.copy_to(self.parameters)
        self.model.eval()
        return self.result

    def _advance(self, examples: Data) -> Tensor:
        loss = self._loss(examples)
        loss.sum().backward()
        self._clip()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.schedule.step()
        if self.ema is not None:
            self.ema.step(self.parameters)
        self.step += 1
        return loss.detach()

    @abstractmethod
    def _loss(self, examples: Data) -> Tensor:
        """Return the loss of a batch, or of one for each network."""

    @abstractmethod
    def _clip(self) -> None:
        """Shorten gradients that are too long."""

    @abstractmethod
    def _note_loss(self) -> None:
        """Keep the mean of the losses since the last time.

        Raises:
            FloatingPointError: If the run cannot go on with it.
        """

    def _go_on_from(self, beginnings: Beginnings) -> None:
        known = beginnings.latest()
        if known is not None:
            self.load(known)
            self.result.reused = self.result.seconds

    def _keep(self, beginnings: Beginnings) -> None:
        place = beginnings.place(self.step)
        if place is not None and not place.exists():
            self.save(place)

    def save(self, path: Path) -> None:
        """Write a checkpoint; the file before it stays until the new one is complete."""
        tensors = {f"model.{k}": v.detach().contiguous() for k, v in self._named()}
        for index, parameter in enumerate(self.parameters):
            for key, value in self.optimizer.state[parameter].items():
                tensors[f"optimizer.{index}.{key}"] = value.contiguous()
        for index, shadow in enumerate(self.ema.shadow_params if self.ema else ()):
            tensors[f"ema.{index}"] = shadow.contiguous()
        tensors["generator"] = self.generator.get_state()
        tensors["loss_sum"] = self._loss_sum
        state = {
            "step": self.step,
            "since": self._since,
            "losses": self.result.losses,
            "seconds": self.result.seconds,
        }
        with whole_file(path) as partial:
            save_file(tensors, partial, metadata={"state": json.dumps(state)})

    def load(self, path: Path) -> None:
        """Continue from a checkpoint that :meth:`save` wrote for the same settings."""
        with safe_open(path, "pt", device="cpu") as file:
            state = json.loads(file.metadata()["state"])
            tensors: dict[str, Tensor] = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - safe_open is no mapping
        with torch.no_grad():
            for name, parameter in self._named():
                parameter.copy_(tensors[f"model.{name}"])
        for index, parameter in enumerate(self.parameters):
            prefix = f"optimizer.{index}."
            self.optimizer.state[parameter] = {
                key.removeprefix(prefix): _arranged_as(parameter, value)
                for key, value in tensors.items()
                if key.startswith(prefix)
            }
        if self.ema is not None:
            self.ema.shadow_params = [
                _arranged_as(parameter, tensors[f"ema.{index}"])
                for index, parameter in enumerate(self.parameters)
            ]
            self.ema.optimization_step = state["step"]
        self.generator.set_state(tensors["generator"])
        self._loss_sum, self._since = tensors["loss_sum"].to(self.device), state["since"]
        self._restore_progress(state)

    def _restore_progress(self, state: dict[str, Any]) -> None:
        self.step = state["step"]
        self.result.losses = [(int(step), float(loss)) for step, loss in state["losses"]]
        self.result.seconds = state["seconds"]
        # the rate is a function of the step: no need to walk there
        schedule = self.schedule
        schedule.last_epoch = self.step
        for group, rate, factor in zip(
            self.optimizer.param_groups, schedule.base_lrs, schedule.lr_lambdas, strict=True
        ):
            group["lr"] = rate * factor(self.step)

    def _named(self) -> list[tuple[str, Tensor]]:
        return list(self.model.state_dict(keep_vars=True).items())


class Trainer(GradientDescent[Examples]):
    """A run on one network.

    Args:
        task: Supplies the loss.
        model: The network, on its device; changed in place.
        settings: Steps, rates, clipping, EMA.
        seed: Seeds batches, noise, timesteps and flips.
    """

    def __init__(
        self, task: Objective, model: nn.Module, settings: TrainingSettings, seed: int
    ) -> None:
        super().__init__(model, settings, seed)
        self.task, self.seed = task, seed
        self.layers_draw = any(isinstance(m, _DropoutNd) and m.p for m in model.modules())

    def _loss(self, examples: Examples) -> Tensor:
        batch = self._draw_batch(examples)
        with mixed_precision(self.device), self._luck_of_layers():
            return self.task.loss(self.model, batch, self.generator)

    @contextlib.contextmanager
    def _luck_of_layers(self) -> Iterator[None]:
        """Seed PyTorch's own generator, which alone dropout asks, by the run and its step.

        As it is found, it depends on what this process did before.
        """
        if not self.layers_draw:
            yield
            return
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(derive_seed(self.seed, str(self.step), "layers"))
            yield

    def _clip(self) -> None:
        torch.nn.utils.clip_grad_norm_(self.parameters, self.settings.gradient_clip)

    def _draw_batch(self, examples: Examples) -> Examples:
        size = (self.settings.batch_size,)
        generator, device = self.generator, self.device
        batch = examples[torch.randint(len(examples), size, generator=generator, device=device)]
        if not self.settings.flip:
            return batch
        mirrored = torch.rand(size, generator=generator, device=device) < 0.5
        mirrored = mirrored.view(-1, *[1] * (batch.clean.ndim - 1))
        return batch.replaced(torch.where(mirrored, self.task.mirror(batch), batch.clean))

    def _note_loss(self) -> None:
        loss = self._loss_sum.item() / self._since
        if not loss < float("inf"):
            raise FloatingPointError(
                f"the loss is {loss} at step {self.step}: lower the learning rate"
            )
        self.result.losses.append((self.step, loss))
        self._loss_sum, self._since = torch.zeros((), device=self.device), 0


def learning_rate_schedule(
    optimizer: torch.optim.Optimizer, settings: TrainingSettings
) -> LambdaLR:
    """Return the schedule of the learning rate: a function of the step."""
    name, warmup, cooldown = settings.lr_schedule, settings.warmup_steps, settings.cooldown_steps
    if name == "cooldown":  # Haegele et al. 2024; diffusers has no such schedule

        def factor(step: int) -> float:
            rising = step / warmup if step < warmup else 1.0
            return min(rising, max(settings.steps - step, 0) / cooldown)

        return LambdaLR(optimizer, factor)
    return get_scheduler(
        "constant_with_warmup" if name == "constant" else name,
        optimizer,
        num_warmup_steps=warmup,
        num_training_steps=settings.steps,
    )


def _arranged_as(parameter: Tensor, value: Tensor) -> Tensor:
    """Return a moment, an average or a counter of a parameter where its kernel looks for it.

    The fused AdamW walks a parameter and its moments in the order of memory, which must be one
    (channels_last is another), and keeps counters on the parameter's device too.
    """
    if value.shape != parameter.shape:
        return value.to(parameter.device).clone()
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def mixed_precision(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Return a context in which networks compute in bfloat16, where the device is good at it."""
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return contextlib.nullcontext()
