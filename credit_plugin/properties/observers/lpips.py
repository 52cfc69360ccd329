"""Observer ``lpips``: features whose squared distance is LPIPS (Zhang et al. 2018, version 0.1).

LPIPS compares two images in five layers of AlexNet: activations get unit length over channels at
every place, squared differences are weighted by a learned layer w >= 0 and averaged over places.
That is the squared Euclidean distance of

    sqrt(w_c / places) * activation_c / |activation|    of all layers, places and channels,

which are the features here, so that the mean over all pairs of N images needs N passes and no
pairs. Images are first brought to ``size`` (averaged when they shrink, bilinear when they grow), as
torch-fidelity and torchmetrics do; at 64 pixels an image has 31,872 features of 4 bytes. ``null``
keeps the images' own size, as the paper does, and needs memory in proportion to their pixels.

AlexNet's weights are torchvision's file, by path or downloaded once to torch.hub's folder; the
learned layers are the file of the authors that the package torchmetrics ships. The hash of
both is kept with the study.
"""

import hashlib
from importlib.util import find_spec
from pathlib import Path
from urllib.error import URLError

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from credit_plugin.config import PropertySettings, Settings, fingerprint
from credit_plugin.errors import InputError
from credit_plugin.frozen import read_tensors
from credit_plugin.properties.embedding import (
    Embedder,
    EmbeddingObserver,
    colour_tensor,
    in_batches,
)
from credit_plugin.properties.observers import Report, observer_options, register_observer

FIELD = "properties.observers.lpips"
URL = "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"
HEADS = ("functional", "image", "lpips_models", "alex.pth")
COMPARED = (1, 4, 7, 9, 11)
"""Places of the five rectified layers among AlexNet's."""
SMALLEST = 31
"""Side below which AlexNet has nothing left to pool."""
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""Of the three channels in -1..1, as the authors fixed them."""
EPSILON = 1e-8


class LpipsOptions(Settings):
    """Where AlexNet and the learned layers are, and what size images get."""

    path: Path | None = Field(
        None, description="File of AlexNet's weights; null finds or downloads torchvision's."
    )
    heads: Path | None = Field(
        None, description="File of the learned layers; null takes the package torchmetrics' own."
    )
    size: int | None = Field(64, ge=SMALLEST, description="Side that images get; null: their own.")
    batch_size: int = Field(32, ge=1, description="Images at once.")


class LpipsNetwork:
    """AlexNet with the square roots of the learned layers, on a device.

    Args:
        options: Where the files are.
        device: ``cpu`` or ``cuda:i``.

    Raises:
        InputError: If a file is missing or another one.
    """

    def __init__(self, options: LpipsOptions, device: str) -> None:
        from torchvision.models import alexnet  # slow to import

        self.options, self.device = options, device
        network, learned = _network(options), _heads(options)
        weights, heads = _read(network, "path"), _read(learned, "heads")
        with torch.device("meta"):  # the classifier, 20 times the rest, is never made
            layers = alexnet().features[: COMPARED[-1] + 1]
        own = {name.removeprefix("features."): tensor for name, tensor in weights.items()}
        try:
            layers.load_state_dict({n: own[n] for n in layers.state_dict()}, assign=True)
        except (KeyError, RuntimeError):
            raise InputError(f"{FIELD}.path: {network} holds no AlexNet") from None
        self._layers = layers.to(device).eval()
        found = [heads.get(f"lin{index}.model.1.weight") for index in range(len(COMPARED))]
        if any(head is None or (head < 0).any() for head in found):
            raise InputError(f"{FIELD}.heads: {learned} holds no layers of LPIPS 0.1")
        self._roots = [head.sqrt().to(device) for head in found if head is not None]
        self._shift = torch.tensor(SHIFT, device=device)[:, None, None]
        self._scale = torch.tensor(SCALE, device=device)[:, None, None]

    def features(self, images: np.ndarray, report: Report | None = None) -> np.ndarray:
        """Return float32 [N, d] of uint8 images [N, H, W, C]."""
        return in_batches(self._embed, images, self.options.batch_size, report)

    @torch.inference_mode()
    def _embed(self, images: np.ndarray) -> np.ndarray:
        pixels = colour_tensor(images, self.device) / 127.5 - 1
        state = self._sized((pixels - self._shift) / self._scale)
        parts: list[Tensor] = []
        for index, layer in enumerate(self._layers):
            state = layer(state)
            if index in COMPARED:
                length = (EPSILON + state.square().sum(1, keepdim=True)).sqrt()
                places = state.shape[2] * state.shape[3]
                parts.append((state / length * self._roots[len(parts)] / places**0.5).flatten(1))
        found: np.ndarray = torch.cat(parts, 1).float().cpu().numpy()
        return found

    def _sized(self, pixels: Tensor) -> Tensor:
        side = self.options.size
        if side is None:
            if min(pixels.shape[2:]) < SMALLEST:
                raise InputError(
                    f"{FIELD}.size: images of {min(pixels.shape[2:])} pixels are smaller than "
                    f"AlexNet can look at; give a size of at least {SMALLEST}"
                )
            return pixels
        if min(pixels.shape[2:]) > side:
            return functional.interpolate(pixels, (side, side), mode="area")
        return functional.interpolate(pixels, (side, side), mode="bilinear")


@register_observer("lpips")
class LpipsObserver(EmbeddingObserver):
    """Looks through AlexNet as LPIPS does."""

    name = "lpips"

    @classmethod
    def identity(cls, settings: PropertySettings) -> str:
        """Return the SHA-256 over both files."""
        options = observer_options(settings, cls.name, LpipsOptions)
        digests = []
        for path in (_network(options), _heads(options)):
            with path.open("rb") as file:
                digests.append(hashlib.file_digest(file, "sha256").hexdigest())
        return fingerprint(*digests)

    @classmethod
    def open(cls, settings: PropertySettings, device: str) -> Embedder:
        """Return the network."""
        return LpipsNetwork(observer_options(settings, cls.name, LpipsOptions), device)


def downloaded_network() -> Path:
    """Return where AlexNet is once it was downloaded."""
    return Path(torch.hub.get_dir()) / "checkpoints" / URL.rsplit("/", 1)[1]


def _network(options: LpipsOptions) -> Path:
    """Return the file of AlexNet, downloaded if none is named and none is there yet."""
    if options.path is not None:
        return _existing(options.path, "path")
    path = downloaded_network()
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(URL, str(path), "7be5be79", progress=False)
        except (URLError, OSError, RuntimeError):
            raise InputError(
                f"{FIELD}.path: AlexNet cannot be downloaded from {URL}; give the path of a copy"
            ) from None
    return path


def _heads(options: LpipsOptions) -> Path:
    """Return the file of the learned layers; the package that ships it is not imported."""
    if options.heads is not None:
        return _existing(options.heads, "heads")
    package = find_spec("torchmetrics")
    if package is None or package.origin is None:
        raise InputError(
            f"{FIELD}.heads: the learned layers of LPIPS are in the package torchmetrics: "
            "pip install 'credit_plugin[lpips]', or give the path of alex.pth"
        )
    return _existing(Path(package.origin).parent.joinpath(*HEADS), "heads")


def _existing(path: Path, field: str) -> Path:
    if not path.is_file():
        raise InputError(f"{FIELD}.{field}: there is no file {path}")
    return path


def _read(path: Path, field: str) -> dict[str, Tensor]:
    try:
        return read_tensors(path)
    except (OSError, ValueError):
        raise InputError(f"{FIELD}.{field}: {path} is no file of tensors") from None
