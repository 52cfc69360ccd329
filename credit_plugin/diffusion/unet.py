"""What the tasks with diffusers' UNet2DModel have in common: network, pruning and forward process.

Noise levels are drawn uniformly for each image. A conditional network gets the condition as
diffusers' class label: an embedding that is added to that of the time.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from diffusers import UNet2DModel
from diffusers.models.downsampling import Downsample2D
from diffusers.models.upsampling import Upsample2D
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from credit_plugin.diffusion.denoising import DenoisingTask
from credit_plugin.diffusion.domain import ImageDomain
from credit_plugin.diffusion.examples import Examples
from credit_plugin.diffusion.process import Predict, VariancePreserving
from credit_plugin.errors import InputError

if TYPE_CHECKING:
    from credit_plugin.config import DiffusionSettings, SamplingSettings
    from credit_plugin.diffusion.pruning import History

UNET, WEIGHTS = "unet", "diffusion_pytorch_model.safetensors"


class UNetTask(DenoisingTask):
    """Base of the tasks with a UNet2DModel.

    Args:
        settings: Network, noise process and training.
        domain: Size and channels of the images, and what they can be of.
        parts: Folder of frozen networks, for tasks that have some.

    Raises:
        InputError: If the network does not fit the images.
    """

    sections: ClassVar[frozenset[str]] = frozenset({"network", "noise"})

    def __init__(
        self, settings: DiffusionSettings, domain: ImageDomain, parts: Path | None = None
    ) -> None:
        super().__init__(settings, domain, parts)
        self._check_size()

    def save_weights(self, model: nn.Module, folder: Path) -> None:
        """Write them to ``unet`` as diffusers does; a full model is one that it can load."""
        target = folder / UNET
        target.mkdir()
        weights = {k: w.detach().cpu().contiguous() for k, w in model.state_dict().items()}
        save_file(weights, target / WEIGHTS, metadata={"format": "pt"})
        untouched: Any = self.build(seed=0)
        if all(weights[key].shape == w.shape for key, w in untouched.state_dict().items()):
            untouched.save_config(target)

    def load_weights(self, model: nn.Module, folder: Path) -> None:
        """Read them."""
        model.load_state_dict(load_file(folder / UNET / WEIGHTS))

    @property
    def untrained_is(self) -> str:
        """Return ``untrained``: nothing was there before."""
        return "untrained"

    @property
    @abstractmethod
    def pixels(self) -> int:
        """Pixels of an image, in height and in width, at one position of an example."""

    @cached_property
    def process(self) -> VariancePreserving:
        """The forward process of the settings."""
        return VariancePreserving.from_settings(self.settings.noise, self.is_bounded)

    def build(self, seed: int) -> nn.Module:
        """Return the untrained UNet of ``seed``; global random state is left as it was."""
        network = self.settings.network
        attention = network.attention
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model: Any = UNet2DModel(  # diffusers does not say that it is a Module
                sample_size=self.shape[-1],
                in_channels=self.shape[0],
                out_channels=self.shape[0],
                layers_per_block=network.layers_per_block,
                block_out_channels=network.block_out_channels,
                down_block_types=["AttnDownBlock2D" if a else "DownBlock2D" for a in attention],
                up_block_types=["AttnUpBlock2D" if a else "UpBlock2D" for a in attention[::-1]],
                attention_head_dim=network.attention_head_dim,
                norm_num_groups=network.norm_num_groups,
                dropout=network.dropout,
                num_class_embeds=len(self.domain.conditions) or None,
            )
        return model

    def example_inputs(self) -> dict[str, Tensor]:
        """Return one example of zeros, one timestep and, if the model has any, one condition."""
        inputs = {"sample": torch.zeros(1, *self.shape), "timestep": torch.ones(1).long()}
        if self.domain.conditions:
            inputs["class_labels"] = torch.zeros(1).long()
        return inputs

    def output_layers(self, model: nn.Module) -> list[nn.Module]:
        """Return ``conv_out``: it has one channel for each of the example's."""
        return [model.get_submodule("conv_out")]

    def after_pruning(self, model: nn.Module) -> None:
        """Tell the resampling layers their new widths, which diffusers asserts."""
        for module in model.modules():
            if isinstance(module, Upsample2D | Downsample2D) and isinstance(module.conv, nn.Conv2d):
                module.channels = module.conv.in_channels
                module.out_channels = module.conv.out_channels

    def prune(
        self, model: nn.Module, method: str, ratio: float, examples: Examples, seed: int
    ) -> History:
        """Remove channels in place (:mod:`credit_plugin.diffusion.pruning`)."""
        from credit_plugin.diffusion.pruning import prune

        return prune(self, model, method, ratio, examples, seed)

    def rebuild(self, history: History, seed: int) -> nn.Module:
        """Return the untrained network of ``seed`` with the channels that pruning left."""
        from credit_plugin.diffusion.pruning import rebuild, reset_parameters

        model = rebuild(self, history)
        reset_parameters(model, seed)
        return model

    def check_sampling(self, sampling: SamplingSettings) -> None:
        """Raise InputError if diffusers has no such scheduler."""
        if sampling.guidance != 1:
            raise InputError(
                f"sampling.guidance = {sampling.guidance}: task {self.settings.task} knows no "
                "guidance; use 1"
            )
        super().check_sampling(sampling)

    def caller(self, model: Callable[..., Any], condition: Tensor | None) -> Predict:
        """Return a function that calls the UNet, told the condition as class label."""
        given = {} if condition is None else {"class_labels": condition}

        def predict(noisy: Tensor, time: Tensor) -> Tensor:
            prediction: Tensor = model(noisy, time, return_dict=False, **given)[0]
            return prediction

        return predict

    def _check_size(self) -> None:
        size, levels = self.domain.image_size, len(self.settings.network.block_out_channels)
        unit = self.pixels * 2 ** (levels - 1)
        if size % unit:
            each = f" {self.pixels} pixels a position and" if self.pixels > 1 else ""
            raise InputError(
                f"data.image_size = {size} cannot be halved often enough for{each} the {levels} "
                f"levels of diffusion.network.block_out_channels: use a multiple of {unit}"
            )
