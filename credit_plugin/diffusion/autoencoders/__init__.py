"""Frozen autoencoders: images to latents and back, whoever published the weights.

A *format* knows how an autoencoder lies in a folder. ``config.json`` says which one that is (its
``_class_name``); the two files of the TAESD family have no such file and are known by their names.
A further format is one more module in this folder that registers itself with
:func:`register_format`.
"""

import json
from abc import ABC, abstractmethod
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn

from credit_plugin.errors import InputError
from credit_plugin.registry import Registry


class Autoencoder(ABC):
    """A frozen autoencoder on a device.

    Attributes:
        channels: Channels of a latent.
        factor: Pixels, in height and in width, of one latent position.
        image_channels: Channels of the images it knows, 1 or 3.
        scale: Latents times this have about unit variance, according to whoever made it.
        shift: What is subtracted from latents before.
        device: Where it is.
    """

    channels: int
    factor: int
    image_channels: int
    scale: float = 1.0
    shift: float = 0.0
    device: torch.device = torch.device("cpu")

    @abstractmethod
    def encode(self, pixels: Tensor) -> Tensor:
        """Return latents [n, channels, h, w] of pixels [n, C, H, W] in [-1, 1]."""

    @abstractmethod
    def decode(self, latents: Tensor) -> Tensor:
        """Return pixels [n, C, H, W], about [-1, 1], of latents [n, channels, h, w]."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write it to a folder that :func:`load_autoencoder` reads."""

    @abstractmethod
    def networks(self) -> tuple[nn.Module, ...]:
        """Return its networks."""

    def to(self, device: torch.device) -> None:
        """Move it to a device, unless it is there."""
        if device != self.device:
            for network in self.networks():
                network.to(device)
            self.device = device


class Format(ABC):
    """How autoencoders of one kind lie in a folder."""

    @abstractmethod
    def fits(self, folder: Path, class_name: str) -> bool:
        """Say whether this is the format of a folder whose config.json names a class."""

    @abstractmethod
    def load(self, folder: Path) -> Autoencoder:
        """Return the autoencoder, on the CPU.

        Raises:
            OSError, ValueError, KeyError, RuntimeError: If files are missing or do not fit.
        """


FORMATS: Registry[type[Format]] = Registry(
    __name__, "credit_plugin.autoencoders", "a format of autoencoders"
)
register_format = FORMATS.register


@lru_cache(maxsize=2)
def load_autoencoder(folder: Path, field: str) -> Autoencoder:
    """Return the autoencoder of a folder; a process loads it once.

    Args:
        folder: Of the autoencoder.
        field: Setting that led to it, for errors.

    Raises:
        InputError: If no format fits, or the files are damaged.
    """
    name = _class_name(folder)
    formats = [FORMATS.get(format_name, field)() for format_name in FORMATS.names()]
    fitting = [known for known in formats if known.fits(folder, name)]
    if not fitting:
        what = f"class {name}" if name else "no config.json, and not the two files of TAESD"
        raise InputError(
            f"{field}: {folder} is no autoencoder that is known ({what}); it may be AutoencoderKL, "
            "VQModel or AutoencoderTiny of diffusers, or *encoder.pth and *decoder.pth"
        )
    try:
        return fitting[0].load(folder)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"{field}: {folder} cannot be loaded: {reason}") from None


def _class_name(folder: Path) -> str:
    path = folder / "config.json"
    if not path.exists():
        return ""
    try:
        return str(json.loads(path.read_text("utf-8")).get("_class_name", ""))
    except (OSError, ValueError, AttributeError):
        return ""
