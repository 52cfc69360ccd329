"""Flow matching as a forward process: what SD3 and FLUX are trained with.

x_s = (1 - s) x + s e, and the network predicts e - x (Lipman et al. 2023; Esser et al. 2024).
Level l of ``total`` is the fraction t = (l + 1) / total of the way, and s = k t / (1 + (k - 1) t)
with the shift k of the scheduler's config, which grows with the image where the config says so.
Levels to train at are logit-normal, as in Esser et al.; the network is told 1000 s.
"""

import math
from typing import Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from torch import Tensor

from credit_plugin.config import SamplingSettings
from credit_plugin.diffusion.process import create_sampler
from credit_plugin.errors import InputError

TIME_SCALE = 1000.0


class FlowMatching:
    """Straight paths from images to noise.

    Args:
        scheduler: FlowMatchEulerDiscreteScheduler of a pipeline.
        positions: Image positions that the network attends to.
    """

    def __init__(self, scheduler: Any, positions: int) -> None:
        self.scheduler = scheduler
        self.total = int(scheduler.config.num_train_timesteps)
        self._mu = _dynamic_shift(scheduler.config, positions)
        self._shift = float(scheduler.config.shift) if self._mu is None else math.exp(self._mu)

    def draw_levels(self, count: int, generator: torch.Generator, device: torch.device) -> Tensor:
        """Return logit-normal levels."""
        fraction = torch.randn(count, generator=generator, device=device).sigmoid()
        return (fraction * self.total).long().clamp(max=self.total - 1)

    def time(self, levels: Tensor) -> Tensor:
        """Return 1000 s of levels [n]."""
        return TIME_SCALE * self._noise_share(levels)

    def noised(self, clean: Tensor, noise: Tensor, levels: Tensor) -> Tensor:
        """Return (1 - s) clean + s noise."""
        share = self._noise_share(levels).view(-1, *[1] * (clean.ndim - 1))
        return (1 - share) * clean + share * noise

    def target(self, clean: Tensor, noise: Tensor, levels: Tensor) -> Tensor:
        """Return noise - clean."""
        return noise - clean

    def clean(self, state: Tensor, prediction: Tensor, time: Tensor) -> tuple[int, Tensor]:
        """Return the level and state - s prediction."""
        share = float(time) / TIME_SCALE
        fraction = share / (self._shift - (self._shift - 1) * share)
        level = min(max(round(fraction * self.total) - 1, 0), self.total - 1)
        return level, state - share * prediction

    def sampler(self, sampling: SamplingSettings) -> Any:
        """Return the scheduler that ``sampling.scheduler`` names.

        Raises:
            InputError: If it is not one of flow matching.
        """
        if not sampling.scheduler.startswith("FlowMatch"):
            raise InputError(
                f"sampling.scheduler: {sampling.scheduler} does not run flow matching backwards, "
                "which the base model was trained with; use FlowMatchEulerDiscreteScheduler"
            )
        return create_sampler(sampling.scheduler, dict(self.scheduler.config))

    def set_steps(self, scheduler: Any, steps: int, device: torch.device) -> None:
        """Set the times of a scheduler from :meth:`sampler`."""
        shift = {} if self._mu is None else {"mu": self._mu}
        scheduler.set_timesteps(steps, device=device, **shift)

    def _noise_share(self, levels: Tensor) -> Tensor:
        fraction = (levels.float() + 1) / self.total
        return self._shift * fraction / (1 + (self._shift - 1) * fraction)


def is_flow(scheduler: Any) -> bool:
    """Say whether a pipeline's scheduler is one of flow matching."""
    return isinstance(scheduler, FlowMatchEulerDiscreteScheduler)


def _dynamic_shift(config: Any, positions: int) -> float | None:
    """Return the logarithm of the shift that a config wants for so many positions, if it does."""
    if not config.use_dynamic_shifting:
        return None
    span = config.max_image_seq_len - config.base_image_seq_len
    slope = (config.max_shift - config.base_shift) / span
    return float(config.base_shift + slope * (positions - config.base_image_seq_len))
