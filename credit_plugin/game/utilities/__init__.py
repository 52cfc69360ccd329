"""Utilities: how v(S) is obtained. The registry, and what they all share.

A :class:`Utility` evaluates coalitions. One that trains says where a coalition's model starts and
how it is trained; evaluation itself (train on the coalition's data, sample with the shared noise,
measure every property) is :meth:`TrainedUtility.evaluate`, once for all of them. A new utility is
one new module in this folder.

The empty coalition has no data to train on. Its utility is that of the same architecture before
any training, not of the start model, which has seen everybody's data.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from credit_plugin.config import Study, TrainingSettings
from credit_plugin.diffusion.training import Trainer
from credit_plugin.game.coalitions import from_bits
from credit_plugin.game.utilities.workbench import Workbench
from credit_plugin.registry import Registry
from credit_plugin.seeding import derive_seed
from credit_plugin.signs import standing

Report = Callable[[int, int], None]

SAMPLING_SHARE = 3
"""In progress, sampling counts as a third of the training steps."""


class Utility(ABC):
    """How v(S) is obtained.

    Attributes:
        needs: Stages that must be finished before: ``full``, ``pruned``.
        role: Value of the tag ``credit.role`` of its runs.
        finetunes: Whether ``game.finetuning`` affects it.
    """

    needs: tuple[str, ...] = ()
    role = "coalition"
    finetunes = False

    def unsuitable(self, study: Study) -> str:
        """Return why a study cannot use it and the mend, beginning with the field, or nothing."""
        return ""

    @abstractmethod
    def evaluate(
        self, bench: Workbench, payload: Mapping[str, Any], report: Report
    ) -> dict[str, Any]:
        """Return properties, losses and costs of one coalition.

        Args:
            bench: Data, models and references.
            payload: ``coalition`` (bits), ``repeat``, ``key``.
            report: Called with (work done, work in all).

        Raises:
            FloatingPointError: If a property is not finite.
        """

    @abstractmethod
    def flops(self, bench: Workbench, report: Report) -> dict[str, float]:
        """Return the floating-point operations of one coalition, by phase.

        All of what PyTorch multiplies and convolves is counted, not element-wise work. The counts
        do not depend on the coalition or the machine.

        Args:
            bench: Data, models and references.
            report: Called as a sign of life.
        """

    def judge(
        self,
        bench: Workbench,
        payload: Mapping[str, Any],
        images: np.ndarray,
        losses: Mapping[str, float],
        clock: "Stopwatch",
        report: Report,
    ) -> dict[str, Any]:
        """Measure the samples of a coalition, keep a picture of them, and return everything.

        Args:
            bench: What the worker has at hand.
            payload: Of the job: coalition, repeat and key.
            images: uint8 [N, H, W, C], the samples.
            losses: What training reports of itself.
            clock: Counts the seconds of each part.
            report: Called as a sign of life.
        """
        coalition = from_bits(payload["coalition"])
        properties = bench.measure(images, payload["repeat"], coalition, report)
        bench.save_preview(payload["key"], images)
        clock.lap("measuring")
        return {"properties": properties, "losses": dict(losses), "costs": clock.seconds}

    def generation_flops(
        self, bench: Workbench, model: nn.Module, report: Report
    ) -> dict[str, float]:
        """Return the operations of sampling a network and of measuring the samples."""
        with FlopCounterMode(display=False) as sampling:
            images = bench.sample(model, report=report)
        with FlopCounterMode(display=False) as measuring:
            bench.measure(images, report=report)
        return {
            "sampling": float(sampling.get_total_flops()),
            "measuring": float(measuring.get_total_flops()),
        }


class TrainedUtility(Utility):
    """A utility that trains a network on the coalition's data.

    Attributes:
        common_randomness: Whether every coalition of a repeat is trained with the same random
            numbers. Trainings that begin at the same weights then drift alike, and the drift
            cancels where coalitions are compared; repeats still have numbers of their own.
    """

    common_randomness = False

    @abstractmethod
    def training(self, study: Study) -> TrainingSettings:
        """Return how a coalition's model is trained."""

    @abstractmethod
    def start(self, bench: Workbench, seed: int) -> nn.Module:
        """Return a fresh network to train on a coalition's data."""

    def untrained(self, bench: Workbench, seed: int) -> nn.Module:
        """Return the same architecture before any training: the empty coalition's model."""
        return bench.untrained(seed)

    def evaluate(
        self, bench: Workbench, payload: Mapping[str, Any], report: Report
    ) -> dict[str, Any]:
        """Train, sample and measure; work is counted in steps.

        Raises:
            FloatingPointError: If the loss or a property is not finite.
        """
        bits, repeat = payload["coalition"], payload["repeat"]
        scope, seed = self.scope_of(payload), self.seed_of(bench, payload)
        settings = self.training(bench.study)
        sampling_share = max(1, settings.steps // SAMPLING_SHARE)
        total = settings.steps + sampling_share
        clock = Stopwatch()
        losses, reused = {}, 0.0
        if "1" in bits:
            model = bench.ready(self.start(bench, seed))
            examples = bench.examples(from_bits(bits))
            result = Trainer(bench.task, model, settings, seed).run(
                examples,
                lambda done, _: report(done, total),
                beginnings=bench.beginnings_of(settings, *self._start_names(bench), scope, bits),
            )
            reused = result.reused
            losses = result.ends
        else:
            model = bench.ready(self.untrained(bench, seed))
        clock.lap("training", reused)
        images = bench.sample(
            model,
            repeat,
            from_bits(bits),
            lambda done, of: report(settings.steps + sampling_share * done // of, total),
        )
        clock.lap("sampling")
        return self.judge(bench, payload, images, losses, clock, standing(report, total, total))

    def scope_of(self, payload: Mapping[str, Any]) -> str:
        """Return what the random numbers of a training are for."""
        bits, repeat = payload["coalition"], payload["repeat"]
        return f"repeat {repeat}" if self.common_randomness else f"{bits}/{repeat}"

    def seed_of(self, bench: Workbench, payload: Mapping[str, Any]) -> int:
        """Return the seed of a training."""
        return derive_seed(bench.study.seed, self.scope_of(payload), "training")

    def flops(self, bench: Workbench, report: Report) -> dict[str, float]:
        """Count one step, and all of sampling and measuring."""
        study, settings = bench.study, self.training(bench.study)
        model = self.start(bench, study.seed)
        everybody = from_bits("1" * bench.dataset.n_contributors)
        examples = bench.examples(everybody)[: settings.batch_size]
        one_step = settings.model_copy(update={"steps": 1, "warmup_steps": 0})
        with FlopCounterMode(display=False) as training:
            Trainer(bench.task, model, one_step, study.seed).run(examples, report)
        trained = float(training.get_total_flops()) * settings.steps
        return {"training": trained, **self.generation_flops(bench, model, report)}

    def _start_names(self, bench: Workbench) -> tuple[str, ...]:
        """Return what identifies the networks that fine-tunings begin with."""
        return (type(self).__name__, *(getattr(bench.folders, kind).name for kind in self.needs))


class Stopwatch:
    """Wall seconds of consecutive pieces of work.

    Args:
        seconds: Of work that is done already, by name.
    """

    def __init__(self, seconds: Mapping[str, float] | None = None) -> None:
        self.seconds = dict(seconds or {})
        self._last = time.monotonic()

    def lap(self, name: str, reused: float = 0.0) -> None:
        """Charge the time since the last lap to ``name``, and what it would have been beside."""
        now = time.monotonic()
        self.seconds[name] = now - self._last + reused
        self._last = now


UTILITIES: Registry[Callable[[], Utility]] = Registry(
    __name__, "credit_plugin.utilities", "a utility"
)
register_utility = UTILITIES.register


def get_utility(name: str, field: str = "game.utility") -> Utility:
    """Return the utility ``name``.

    Args:
        name: As a study file says it.
        field: Where it says so, for the error.

    Raises:
        InputError: If it is not registered.
    """
    return UTILITIES.get(name, field)()
