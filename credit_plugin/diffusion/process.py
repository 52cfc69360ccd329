"""The forward process of a diffusion model, and the loop that runs it backwards.

A *level* is an integer in 0 .. total - 1, the higher the noisier. The process says how an example
is noised to a level, what the network should then predict, and which clean example a prediction
points to. Samplers are diffusers' own schedulers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import diffusers
import torch
from diffusers import DDPMScheduler
from torch import Tensor

from credit_plugin.errors import InputError

if TYPE_CHECKING:
    from credit_plugin.config import NoiseSettings, SamplingSettings

Predict = Callable[[Tensor, Tensor], Tensor]
"""From noisy examples [n, ...] and the network's time input to its prediction [n, ...]."""

USUAL = "DDIMScheduler or DPMSolverMultistepScheduler"
"""Samplers that run every process of noise that replaces signal."""


class ForwardProcess(Protocol):
    """How noise is added, and what is predicted.

    Attributes:
        total: Number of noise levels.
    """

    total: int

    def draw_levels(self, count: int, generator: torch.Generator, device: torch.device) -> Tensor:
        """Return levels to train at, int64 [count]."""

    def time(self, levels: Tensor) -> Tensor:
        """Return what the network is told as the time of levels [n]."""

    def noised(self, clean: Tensor, noise: Tensor, levels: Tensor) -> Tensor:
        """Return examples [n, ...] noised to levels [n]."""

    def target(self, clean: Tensor, noise: Tensor, levels: Tensor) -> Tensor:
        """Return what the network should predict for them."""

    def clean(self, state: Tensor, prediction: Tensor, time: Tensor) -> tuple[int, Tensor]:
        """Return the level of a sampler's time, and the clean examples a prediction points to."""

    def sampler(self, sampling: SamplingSettings) -> Any:
        """Return the diffusers scheduler that runs the process backwards.

        Raises:
            InputError: If it cannot be used.
        """

    def set_steps(self, scheduler: Any, steps: int, device: torch.device) -> None:
        """Set the times of a scheduler from :meth:`sampler`."""


class VariancePreserving:
    """Noise replaces signal, x_t = sqrt(a_t) x + sqrt(1 - a_t) e (Ho et al. 2020).

    The prediction is the noise, the image, or the velocity (Salimans and Ho 2022); zero terminal
    signal-to-noise and trailing timesteps are those of Lin et al. (2024).

    Args:
        scheduler: A diffusers DDPMScheduler that holds the noise schedule.
    """

    def __init__(self, scheduler: Any) -> None:
        self.scheduler = scheduler
        self.total = int(scheduler.config.num_train_timesteps)

    @classmethod
    def from_settings(cls, noise: NoiseSettings, bounded: bool) -> VariancePreserving:
        """Return the process of a study file.

        Args:
            noise: Schedule and prediction.
            bounded: Whether examples lie in [-1, 1], as pixels do and latents do not: samplers that
                look at the clean example then keep it there.
        """
        return cls(
            DDPMScheduler(
                num_train_timesteps=noise.train_timesteps,
                beta_schedule=noise.beta_schedule,
                beta_start=noise.beta_start,
                beta_end=noise.beta_end,
                prediction_type=noise.prediction_type,
                rescale_betas_zero_snr=noise.zero_terminal_snr,
                timestep_spacing="trailing",
                clip_sample=bounded,
            )
        )

    def draw_levels(self, count: int, generator: torch.Generator, device: torch.device) -> Tensor:
        """Return levels drawn uniformly."""
        return torch.randint(0, self.total, (count,), generator=generator, device=device)

    def time(self, levels: Tensor) -> Tensor:
        """Return the levels themselves."""
        return levels

    def noised(self, clean: Tensor, noise: Tensor, levels: Tensor) -> Tensor:
        """Return sqrt(a) clean + sqrt(1 - a) noise."""
        noisy: Tensor = self.scheduler.add_noise(clean, noise, levels)
        return noisy

    def target(self, clean: Tensor, noise: Tensor, levels: Tensor) -> Tensor:
        """Return noise, velocity or image."""
        found: Tensor = {
            "epsilon": lambda: noise,
            "v_prediction": lambda: self.scheduler.get_velocity(clean, noise, levels),
            "sample": lambda: clean,
        }[self._predicted]()
        return found

    def clean(self, state: Tensor, prediction: Tensor, time: Tensor) -> tuple[int, Tensor]:
        """Return the level and the clean examples."""
        level = min(round(float(time)), self.total - 1)
        signal = self.scheduler.alphas_cumprod[level].to(state)
        kept, noised = signal.sqrt(), (1 - signal).sqrt()
        found: Tensor = {
            "epsilon": lambda: (state - noised * prediction) / kept,
            "v_prediction": lambda: kept * state - noised * prediction,
            "sample": lambda: prediction,
        }[self._predicted]()
        return level, found

    def sampler(self, sampling: SamplingSettings) -> Any:
        """Return the scheduler that ``sampling.scheduler`` names.

        Raises:
            InputError: If it runs another process backwards, or makes fewer steps.
        """
        if sampling.steps > self.total:
            raise InputError(
                f"sampling.steps = {sampling.steps} is more than the {self.total} noise levels of "
                "the model; take fewer"
            )
        found = create_sampler(sampling.scheduler, dict(self.scheduler.config))
        signal = getattr(found, "alphas_cumprod", None)
        own = self.scheduler.alphas_cumprod
        # some put a number above zero, 2^-24, where the signal ends
        if signal is None or len(signal) != len(own) or not torch.allclose(signal, own, atol=1e-6):
            raise InputError(
                f"sampling.scheduler: {sampling.scheduler} has another noise schedule than the "
                f"model; use {USUAL}"
            )
        return found

    def set_steps(self, scheduler: Any, steps: int, device: torch.device) -> None:
        """Set the times of a scheduler from :meth:`sampler`."""
        scheduler.set_timesteps(steps, device=device)

    @cached_property
    def _predicted(self) -> str:
        return str(self.scheduler.config.prediction_type)


class Step(NamedTuple):
    """One step of a sampler.

    Attributes:
        time: As the sampler counts it.
        state: Noisy examples as the network sees them.
        prediction: What the network says.
        after: The sampler's next examples.
    """

    time: Tensor
    state: Tensor
    prediction: Tensor
    after: Tensor


def denoise(
    process: ForwardProcess,
    predict: Predict,
    noise: Tensor,
    sampling: SamplingSettings,
    stacked: bool = False,
) -> Iterator[Step]:
    """Yield the steps from initial noise [n, ...] to samples.

    Args:
        process: The process that is run backwards.
        predict: The network.
        noise: Standard normal noise on the network's device. What a sampler draws is a function
            of it: another batch or repeat draws other numbers, another coalition the same.
        sampling: Scheduler and steps.
        stacked: Whether noise is that of several networks, [networks, n, ...]; each of them draws
            what it would draw alone.
    """
    scheduler = process.sampler(sampling)
    process.set_steps(scheduler, sampling.steps, noise.device)
    drawn_by: Any = [_seeded_by(own) for own in noise] if stacked else _seeded_by(noise)
    extra = {"generator": drawn_by} if _is_stochastic(scheduler) else {}
    sample = noise * getattr(scheduler, "init_noise_sigma", 1.0)
    for time in scheduler.timesteps:
        state = _scaled(scheduler, sample, time)
        # samplers remember predictions, and a recorded CUDA graph writes each over the one before
        prediction = predict(state, time).clone()
        sample = scheduler.step(prediction, time, sample, return_dict=False, **extra)[0]
        yield Step(time, state, prediction, sample)


def create_sampler(name: str, forward_process: dict[str, object]) -> Any:
    """Return the diffusers scheduler ``name`` for a model of this forward process.

    Raises:
        InputError: If diffusers has no such scheduler.
    """
    kind = getattr(diffusers, name, None)
    if not (isinstance(kind, type) and issubclass(kind, diffusers.SchedulerMixin)):
        raise InputError(f"sampling.scheduler: diffusers has no scheduler {name!r}; try {USUAL}")
    return kind.from_config(forward_process, timestep_spacing="trailing")


def check_sampler(process: ForwardProcess, sampling: SamplingSettings) -> None:
    """Run a sampler on nothing, so that what it cannot do is known before anything is trained.

    Raises:
        InputError: If it cannot run the process backwards in so many steps.
    """
    steps: list[Step] = []
    try:
        for step in denoise(process, lambda state, _: 0 * state, torch.ones(1, 3, 2, 2), sampling):
            steps.append(step)
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 - every scheduler says it in its own way
        reason = " ".join(str(error).split()) or type(error).__name__
    else:
        if steps[-1].after.isfinite().all() and steps[0].time >= steps[-1].time:
            return
        reason = "its samples are no images"
    raise InputError(
        f"sampling.scheduler: {sampling.scheduler} cannot draw from this model in "
        f"{sampling.steps} steps ({reason}); use another one, such as {USUAL}"
    )


def _seeded_by(noise: Tensor) -> torch.Generator:
    """Return a generator on the device of some noise that is a function of its numbers."""
    content = noise.detach().float().cpu().contiguous().numpy().tobytes()
    seed = int.from_bytes(hashlib.sha256(content).digest()[:8], "big") >> 1
    return torch.Generator(noise.device).manual_seed(seed)


def _scaled(scheduler: Any, sample: Tensor, time: Tensor) -> Tensor:
    if not hasattr(scheduler, "scale_model_input"):  # those of flow matching have no scale
        return sample
    scaled: Tensor = scheduler.scale_model_input(sample, time)
    return scaled


def _is_stochastic(scheduler: Any) -> bool:
    return "generator" in scheduler.step.__code__.co_varnames
