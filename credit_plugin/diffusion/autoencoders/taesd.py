"""Tiny autoencoders of the TAESD family (Bohan), as their two published files of weights.

An encoder is a convolution, then three halvings with three residual blocks each; the decoder is
its mirror image. RGB in [0, 1] at 8 pixels a latent position. The newer ones (TAEF2) have a
bottleneck with a group norm in the three blocks at the coarsest level, which diffusers'
AutoencoderTiny does not know; whether there is one is read off the names of the weights, and so is
the number of latent channels.

Published files are ``*encoder*.pth`` and ``*decoder*.pth``; what this package writes are
safetensors with a config.json. Weights are widened to float32.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from credit_plugin.diffusion.autoencoders import Autoencoder, Format, register_format
from credit_plugin.frozen import read_tensors

CLASS_NAME = "TAESD"
WIDTH, GROUPS, WIDENING = 64, 4, 4
LEVELS, BLOCKS = 3, 3
PARTS, PUBLISHED = ("encoder", "decoder"), ".pth"


class _Bounded(nn.Module):
    """Keeps latents within three, smoothly, as decoders were trained."""

    def forward(self, latents: Tensor) -> Tensor:
        return torch.tanh(latents / 3) * 3


class _Block(nn.Module):
    def __init__(self, pooled: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(3):
            layers += [nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.ReLU()]
        self.conv = nn.Sequential(*layers[:-1])
        self.pool = None
        if pooled:
            inner = WIDENING * WIDTH
            self.pool = nn.Sequential(
                nn.Conv2d(WIDTH, inner, 1, bias=False),
                nn.GroupNorm(GROUPS, inner),
                nn.ReLU(),
                nn.Conv2d(inner, WIDTH, 1, bias=False),
            )

    def forward(self, features: Tensor) -> Tensor:
        if self.pool is not None:
            features = features + self.pool(features)
        return torch.relu(self.conv(features) + features)


def _encoder(channels: int, pooled: bool) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(3, WIDTH, 3, padding=1), _Block(False)]
    for level in range(LEVELS):
        layers.append(nn.Conv2d(WIDTH, WIDTH, 3, stride=2, padding=1, bias=False))
        layers += [_Block(pooled and level == LEVELS - 1) for _ in range(BLOCKS)]
    return nn.Sequential(*layers, nn.Conv2d(WIDTH, channels, 3, padding=1))


def _decoder(channels: int, pooled: bool) -> nn.Sequential:
    layers: list[nn.Module] = [_Bounded(), nn.Conv2d(channels, WIDTH, 3, padding=1), nn.ReLU()]
    for level in range(LEVELS):
        layers += [_Block(pooled and level == 0) for _ in range(BLOCKS)]
        layers += [nn.Upsample(scale_factor=2), nn.Conv2d(WIDTH, WIDTH, 3, padding=1, bias=False)]
    return nn.Sequential(*layers, _Block(False), nn.Conv2d(WIDTH, 3, 3, padding=1))


class TinyAutoencoder(Autoencoder):
    """An autoencoder of the TAESD family.

    Args:
        encoder: Weights by name.
        decoder: Weights by name.

    Raises:
        RuntimeError: If they do not fit.
    """

    factor = 2**LEVELS
    image_channels = 3

    def __init__(self, encoder: Mapping[str, Tensor], decoder: Mapping[str, Tensor]) -> None:
        self.channels = len(encoder[f"{len(_encoder(1, False)) - 1}.bias"])
        self._dtype = encoder["0.weight"].dtype
        parts = []
        for build, weights in ((_encoder, encoder), (_decoder, decoder)):
            network = build(self.channels, any(".pool." in name for name in weights))
            network.load_state_dict({name: w.float() for name, w in weights.items()})
            parts.append(network.eval().requires_grad_(False))
        self.encoder, self.decoder = parts

    def encode(self, pixels: Tensor) -> Tensor:
        """Return latents."""
        latents: Tensor = self.encoder(pixels.add(1).div(2))
        return latents

    def decode(self, latents: Tensor) -> Tensor:
        """Return pixels."""
        pixels: Tensor = self.decoder(latents)
        return pixels.mul(2).sub(1)

    def save(self, folder: Path) -> None:
        """Write both networks as safetensors, in the precision in which they came."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, network in zip(PARTS, self.networks(), strict=True):
            weights = {
                key: w.cpu().to(self._dtype).contiguous() for key, w in network.state_dict().items()
            }
            save_file(weights, folder / f"{name}.safetensors")
        (folder / "config.json").write_text(json.dumps({"_class_name": CLASS_NAME}), "utf-8")

    def networks(self) -> tuple[nn.Module, ...]:
        """Return encoder and decoder."""
        return self.encoder, self.decoder


@register_format("taesd")
class _Files(Format):
    """A folder with the two published files, or with what this package wrote of them."""

    def fits(self, folder: Path, class_name: str) -> bool:
        published = [_file(folder, part, PUBLISHED) for part in PARTS]
        return class_name == CLASS_NAME or (not class_name and all(published))

    def load(self, folder: Path) -> Autoencoder:
        # what has a config.json was written by this package, and never as .pth
        ours = (folder / "config.json").exists()
        files = [_file(folder, part, ".safetensors" if ours else PUBLISHED) for part in PARTS]
        encoder, decoder = (read_tensors(file) for file in files if file is not None)
        return TinyAutoencoder(encoder, decoder)


def _file(folder: Path, part: str, suffix: str) -> Path | None:
    return next(iter(sorted(folder.glob(f"*{part}*{suffix}"))), None)
