"""AutoencoderKL, VQModel and AutoencoderTiny of diffusers, from safetensors.

Latents are deterministic: the mean of AutoencoderKL's posterior, the unquantised latents of
VQModel (decoding quantises them). ``scaling_factor`` and ``shift_factor`` are those of the config.
"""

import json
from pathlib import Path
from typing import Any

import diffusers
from torch import Tensor, nn

from credit_plugin.diffusion.autoencoders import Autoencoder, Format, register_format

CLASSES = ("AutoencoderKL", "VQModel", "AutoencoderTiny")


class DiffusersAutoencoder(Autoencoder):
    """Wraps a model of diffusers.

    Args:
        model: AutoencoderKL, VQModel or AutoencoderTiny.
    """

    def __init__(self, model: Any) -> None:
        self.model = model.eval().requires_grad_(False)
        config = model.config
        self.channels = int(config.latent_channels)
        blocks = getattr(config, "encoder_block_out_channels", None) or config.block_out_channels
        self.factor = 2 ** (len(blocks) - 1)
        self.image_channels = int(config.in_channels)
        self.scale = float(config.scaling_factor)
        self.shift = float(getattr(config, "shift_factor", None) or 0.0)

    def encode(self, pixels: Tensor) -> Tensor:
        """Return latents, without their scale."""
        encoded = self.model.encode(pixels.to(self.model.dtype))
        mean = encoded.latent_dist.mode() if hasattr(encoded, "latent_dist") else encoded.latents
        latents: Tensor = mean.float()
        return latents

    def decode(self, latents: Tensor) -> Tensor:
        """Return pixels."""
        pixels: Tensor = self.model.decode(latents.to(self.model.dtype)).sample.float()
        return pixels

    def save(self, folder: Path) -> None:
        """Write config.json and safetensors."""
        self.model.save_pretrained(folder, safe_serialization=True)

    def networks(self) -> tuple[nn.Module, ...]:
        """Return the model."""
        return (self.model,)


@register_format("diffusers_models")
class _Diffusers(Format):
    """A folder that diffusers wrote: config.json and safetensors."""

    def fits(self, folder: Path, class_name: str) -> bool:
        return class_name in CLASSES

    def load(self, folder: Path) -> Autoencoder:
        name: str = json.loads((folder / "config.json").read_text("utf-8"))["_class_name"]
        kind = getattr(diffusers, name)
        return DiffusersAutoencoder(kind.from_pretrained(folder, use_safetensors=True))
