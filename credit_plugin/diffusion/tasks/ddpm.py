"""Task ``ddpm``: unconditional denoising diffusion in pixel space.

The network is diffusers' UNet2DModel; the forward process and every sampler are diffusers'
schedulers. Images in [0, 255] become examples in [-1, 1]. The loss is the plain mean squared error
between the prediction (noise, velocity or image) and its target, at a timestep drawn uniformly
for each image (Ho et al. 2020; Salimans and Ho 2022 for the velocity; Lin et al. 2024 for zero
terminal signal-to-noise and trailing timesteps).

With ``patch_size`` p > 1 the p x p pixels of a patch become channels before the first layer and
pixels again after sampling: the same images at 1 / p^2 of the positions, several times cheaper.
"""

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import diffusers
import numpy as np
import torch
from diffusers import DDPMScheduler, UNet2DModel
from diffusers.models.downsampling import Downsample2D
from diffusers.models.upsampling import Upsample2D
from torch import Tensor, nn
from torch.nn import functional

from credit_plugin.config import DiffusionSettings, SamplingSettings
from credit_plugin.diffusion.tasks import register_task
from credit_plugin.errors import InputError


@register_task("ddpm")
class DDPMTask:
    """Unconditional diffusion of images of one size.

    Args:
        settings: Network, noise process and training.
        image_size: Height and width in pixels.
        channels: 1 or 3.
    """

    def __init__(self, settings: DiffusionSettings, image_size: int, channels: int) -> None:
        self.settings = settings
        self.image_size = image_size
        self.channels = channels

    def build(self, seed: int) -> nn.Module:
        """Return the untrained UNet of ``seed``; global random state is left as it was."""
        network = self.settings.network
        attention = network.attention
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model: Any = UNet2DModel(  # diffusers does not say that it is a Module
                sample_size=self._shape[-1],
                in_channels=self._shape[0],
                out_channels=self._shape[0],
                layers_per_block=network.layers_per_block,
                block_out_channels=network.block_out_channels,
                down_block_types=["AttnDownBlock2D" if a else "DownBlock2D" for a in attention],
                up_block_types=["AttnUpBlock2D" if a else "UpBlock2D" for a in attention[::-1]],
                attention_head_dim=network.attention_head_dim,
                norm_num_groups=network.norm_num_groups,
                dropout=network.dropout,
            )
        return model

    def example_inputs(self) -> dict[str, Tensor]:
        """Return one image of zeros and one timestep."""
        return {"sample": torch.zeros(1, *self._shape), "timestep": torch.ones(1, dtype=torch.long)}

    def output_layers(self, model: nn.Module) -> list[nn.Module]:
        """Return ``conv_out``: it has one channel for each of the image's."""
        return [model.get_submodule("conv_out")]

    def after_pruning(self, model: nn.Module) -> None:
        """Tell the resampling layers their new widths, which diffusers asserts."""
        for module in model.modules():
            if isinstance(module, Upsample2D | Downsample2D) and isinstance(module.conv, nn.Conv2d):
                module.channels = module.conv.in_channels
                module.out_channels = module.conv.out_channels

    def encode(self, images: np.ndarray) -> Tensor:
        """Return float32 [N, C p^2, H / p, W / p] in [-1, 1]."""
        # a copy: images may be a read-only memory map
        pixels = torch.from_numpy(np.array(images.transpose(0, 3, 1, 2), order="C"))
        return functional.pixel_unshuffle(pixels.float().div_(127.5).sub_(1.0), self._patch)

    def mirror(self, examples: Tensor) -> Tensor:
        """Reverse the columns of patches, and those within each patch."""
        patch = self._patch
        # channels are in the order (C, row in the patch, column in the patch)
        return examples.unflatten(1, (-1, patch, patch)).flip(3, -1).flatten(1, 3)

    def loss(self, model: nn.Module, clean: Tensor, generator: torch.Generator) -> Tensor:
        """Return the mean squared error of the prediction at uniformly drawn timesteps."""
        count, device = len(clean), clean.device
        noise = torch.randn(clean.shape, generator=generator, device=device)
        total = self.settings.noise.train_timesteps
        timesteps = torch.randint(0, total, (count,), generator=generator, device=device)
        return functional.mse_loss(*self.predict(model, clean, noise, timesteps))

    def predict(
        self, model: Callable[..., Any], clean: Tensor, noise: Tensor, timesteps: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the prediction for noised examples, and its target, both like ``clean``."""
        scheduler = self._forward_process
        noisy = scheduler.add_noise(clean, noise, timesteps)
        target = {
            "epsilon": lambda: noise,
            "v_prediction": lambda: scheduler.get_velocity(clean, noise, timesteps),
            "sample": lambda: clean,
        }[self.settings.noise.prediction_type]()
        prediction = model(noisy, timesteps, return_dict=False)[0]
        return prediction.float(), target

    def noise(self, count: int, seed: int) -> Tensor:
        """Return standard normal noise [count, C p^2, H / p, W / p]."""
        return torch.randn((count, *self._shape), generator=torch.Generator().manual_seed(seed))

    def check_sampling(self, sampling: SamplingSettings) -> None:
        """Raise InputError if diffusers has no such scheduler."""
        create_sampler(sampling.scheduler, dict(self._forward_process.config))

    @torch.inference_mode()
    def sample(self, model: nn.Module, noise: Tensor, sampling: SamplingSettings) -> np.ndarray:
        """Denoise [n, C p^2, H / p, W / p] into uint8 [n, H, W, C]."""
        for step in self._denoising(model, noise, sampling):
            sample = step.after
        sample = functional.pixel_shuffle(sample.float(), self._patch)
        pixels = sample.clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
        return pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()

    @torch.no_grad()
    def trajectory(
        self, model: nn.Module, noise: Tensor, sampling: SamplingSettings
    ) -> Iterator[tuple[int, Tensor]]:
        """Yield each step's timestep and the example in [-1, 1] that its state points to."""
        total = self.settings.noise.train_timesteps
        for step in self._denoising(model, noise, sampling):
            timestep = min(round(float(step.timestep)), total - 1)
            yield timestep, self._clean(step.state, step.prediction.float(), timestep)

    def _denoising(
        self, model: nn.Module, noise: Tensor, sampling: SamplingSettings
    ) -> "Iterator[_Step]":
        scheduler = create_sampler(sampling.scheduler, dict(self._forward_process.config))
        scheduler.set_timesteps(sampling.steps, device=noise.device)
        generator = torch.Generator(noise.device).manual_seed(0)
        extra = {"generator": generator} if _is_stochastic(scheduler) else {}
        sample = noise * scheduler.init_noise_sigma
        for timestep in scheduler.timesteps:
            state = scheduler.scale_model_input(sample, timestep)
            prediction = model(state, timestep, return_dict=False)[0]
            sample = scheduler.step(prediction, timestep, sample, return_dict=False, **extra)[0]
            yield _Step(timestep, state, prediction, sample)

    def _clean(self, state: Tensor, prediction: Tensor, timestep: int) -> Tensor:
        signal = self._forward_process.alphas_cumprod[timestep].to(state)
        kept, noised = signal.sqrt(), (1 - signal).sqrt()
        clean = {
            "epsilon": lambda: (state - noised * prediction) / kept,
            "v_prediction": lambda: kept * state - noised * prediction,
            "sample": lambda: prediction,
        }[self.settings.noise.prediction_type]()
        return clean.clamp(-1, 1)

    @property
    def _patch(self) -> int:
        return self.settings.network.patch_size

    @property
    def _shape(self) -> tuple[int, int, int]:
        side = self.image_size // self._patch
        return self.channels * self._patch**2, side, side

    @cached_property
    def _forward_process(self) -> Any:  # diffusers' mixins hide its methods from type checkers
        noise = self.settings.noise
        return DDPMScheduler(
            num_train_timesteps=noise.train_timesteps,
            beta_schedule=noise.beta_schedule,
            prediction_type=noise.prediction_type,
            rescale_betas_zero_snr=noise.zero_terminal_snr,
            timestep_spacing="trailing",
        )


class _Step(NamedTuple):
    timestep: Tensor
    state: Tensor  # as the network sees it
    prediction: Tensor
    after: Tensor


def create_sampler(name: str, forward_process: dict[str, object]) -> Any:
    """Return the diffusers scheduler ``name`` for a model of this forward process.

    Raises:
        InputError: If diffusers has no such scheduler.
    """
    kind = getattr(diffusers, name, None)
    if not (isinstance(kind, type) and issubclass(kind, diffusers.SchedulerMixin)):
        raise InputError(
            f"sampling.scheduler: diffusers has no scheduler {name!r}; "
            "try DDIMScheduler or DPMSolverMultistepScheduler"
        )
    return kind.from_config(forward_process, timestep_spacing="trailing")


def _is_stochastic(scheduler: Any) -> bool:
    return "generator" in scheduler.step.__code__.co_varnames
