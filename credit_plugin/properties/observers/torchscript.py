"""Observer ``torchscript``: a network of your own, as a TorchScript file.

``properties.observers.torchscript`` says where it is and what it takes: RGB images [N, 3, H, W] as
float32 in a range, resized to ``size`` if one is given (bicubic, antialiased), to features [N,
...]. TorchScript is code as well as weights: name only files that you trust. The SHA-256 of the
file is kept with the study, and compared before the file is loaded anywhere else; with ``sha256``
it is compared from the first time on.
"""

import hashlib
import io
import warnings
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch.nn import functional

from credit_plugin.config import PropertySettings, Settings
from credit_plugin.errors import InputError
from credit_plugin.properties.embedding import (
    Embedder,
    EmbeddingObserver,
    colour_tensor,
    in_batches,
)
from credit_plugin.properties.observers import Report, observer_options, register_observer

FIELD = "properties.observers.torchscript"
SCALES = {"0..255": (1.0, 0.0), "0..1": (1 / 255, 0.0), "-1..1": (1 / 127.5, -1.0)}


class TorchScriptOptions(Settings):
    """Where the network is, and what it takes."""

    path: Path = Field(description="The TorchScript file.")
    sha256: str | None = Field(None, description="What the file must hash to, hexadecimal.")
    size: int | None = Field(None, ge=1, description="Height and width that images get.")
    scale: Literal["0..255", "0..1", "-1..1"] = Field("0..1", description="Range of pixels.")
    normalise: bool = Field(False, description="Scale features to unit length.")
    batch_size: int = Field(32, ge=1, description="Images at once.")


class TorchScriptNetwork:
    """The network on a device, loaded after its hash was found right.

    Args:
        options: Where it is, and what it takes.
        device: ``cpu`` or ``cuda:i``.

    Raises:
        InputError: If the file is missing, another one or no TorchScript.
    """

    def __init__(self, options: TorchScriptOptions, device: str) -> None:
        self.options, self.device = options, device
        content = _content(options)
        try:
            with warnings.catch_warnings():
                # PyTorch recommends another format; published files have this one
                warnings.simplefilter("ignore", FutureWarning)
                self._network = torch.jit.load(io.BytesIO(content), map_location=device).eval()
        except RuntimeError:
            raise InputError(f"{FIELD}.path: {options.path} is no TorchScript file") from None

    def features(self, images: np.ndarray, report: Report | None = None) -> np.ndarray:
        """Return float32 [N, d] of uint8 images [N, H, W, C]."""
        return in_batches(self._embed, images, self.options.batch_size, report)

    @torch.inference_mode()
    def _embed(self, images: np.ndarray) -> np.ndarray:
        pixels = colour_tensor(images, self.device)
        factor, offset = SCALES[self.options.scale]
        if self.options.size is not None:
            sides = (self.options.size, self.options.size)
            pixels = functional.interpolate(pixels, sides, mode="bicubic", antialias=True)
            pixels = pixels.clamp(0, 255)
        features = self._network(pixels * factor + offset).float().flatten(1)
        if self.options.normalise:
            features = functional.normalize(features)
        found: np.ndarray = features.cpu().numpy()
        return found


@register_observer("torchscript")
class TorchScriptObserver(EmbeddingObserver):
    """Looks through a TorchScript file."""

    name = "torchscript"

    @classmethod
    def identity(cls, settings: PropertySettings) -> str:
        """Return the SHA-256 of the file."""
        options = observer_options(settings, cls.name, TorchScriptOptions)
        return hashlib.sha256(_content(options)).hexdigest()

    @classmethod
    def open(cls, settings: PropertySettings, device: str) -> Embedder:
        """Return the network."""
        options = observer_options(settings, cls.name, TorchScriptOptions)
        return TorchScriptNetwork(options, device)


def _content(options: TorchScriptOptions) -> bytes:
    """Return the bytes of the file, if they are those that the settings expect."""
    try:
        content = options.path.read_bytes()
    except OSError as error:
        raise InputError(f"{FIELD}.path: {options.path}: {error.strerror}") from None
    found = hashlib.sha256(content).hexdigest()
    if options.sha256 not in (None, found):
        raise InputError(
            f"{FIELD}.path: {options.path} hashes to {found[:12]}... and not to "
            f"{str(options.sha256)[:12]}..., and is not loaded"
        )
    return content
