"""CLIP models that open_clip knows, with weights that it downloads or a safetensors file.

Pickled weights are refused, downloaded ones too. Images get the size of the network by its own
transform; grey ones get three equal channels. Source: Radford et al., "Learning transferable visual
models from natural language supervision" (ICML 2021); open_clip (Ilharco et al.).
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from credit_plugin.errors import InputError
from credit_plugin.properties.embedding import as_colour, in_batches
from credit_plugin.properties.observers import Report

SUFFIX = ".safetensors"
IMAGES_AT_ONCE = 64
# what open_clip and torch raise for files that hold something else than a model's weights
UNFIT = (
    RuntimeError,
    AssertionError,
    LookupError,
    StopIteration,
    ValueError,
    TypeError,
    AttributeError,
    OSError,
)


class ClipNetwork:
    """Both halves of a CLIP model on a device.

    Args:
        model: Architecture that open_clip ships.
        weights: Name of weights that open_clip downloads for it, or a safetensors file.
        fields: Settings that name model and weights, for errors.
        device: ``cpu`` or ``cuda:i``.

    Raises:
        InputError: If the weights cannot be had or do not fit.
    """

    def __init__(self, model: str, weights: str, fields: tuple[str, str], device: str) -> None:
        problem = clip_problem(model, weights, fields)
        if problem:
            raise InputError(problem)
        self.model, self.device = model, device
        self._network, self._transform = _load(model, weights, fields)
        self._network.to(device).eval()

    def features(self, images: np.ndarray, report: Report | None = None) -> np.ndarray:
        """Return embeddings of uint8 images [N, H, W, C], float32 [N, d], of any length."""
        return in_batches(self._embed, images, IMAGES_AT_ONCE, report)

    def read(self, texts: Sequence[str]) -> np.ndarray:
        """Return embeddings of texts, float32 [t, d], of any length."""
        import open_clip
        import torch

        tokens = open_clip.get_tokenizer(self.model)(list(texts)).to(self.device)
        with torch.inference_mode():
            found: np.ndarray = self._network.encode_text(tokens).float().cpu().numpy()
        return found

    def _embed(self, images: np.ndarray) -> np.ndarray:
        import torch

        pictures = [Image.fromarray(image) for image in as_colour(images)]
        batch = torch.stack([self._transform(picture) for picture in pictures])
        with torch.inference_mode():
            found: np.ndarray = (
                self._network.encode_image(batch.to(self.device)).float().cpu().numpy()
            )
        return found


def clip_identity(model: str, weights: str) -> str:
    """Return the hash of a file of weights, or the name of those that have one."""
    path = Path(weights)
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return f"{model} {weights}"


def clip_problem(model: str, weights: str, fields: tuple[str, str]) -> str | None:
    """Return what is wrong as far as can be seen without loading weights, or None."""
    import open_clip  # takes seconds, and most studies do without

    if model not in open_clip.list_models():
        return f"{fields[0]}: {model!r} is not an architecture that open_clip ships"
    if open_clip.is_pretrained_cfg(model, weights):
        return None
    if Path(weights).is_file():
        return None if weights.endswith(SUFFIX) else _pickled(weights, fields)
    tags = open_clip.list_pretrained_tags_by_model(model)
    choices = f"one of {', '.join(tags)}" if tags else "a file, as there are no names"
    return f"{fields[1]}: {weights!r} is no file, and no name of weights of {model}; use {choices}"


def _load(
    model: str, weights: str, fields: tuple[str, str]
) -> tuple[Any, Callable[[Image.Image], Any]]:
    """Return the network, on the CPU, and what makes its input of a picture."""
    import open_clip
    from safetensors import SafetensorError

    if open_clip.is_pretrained_cfg(model, weights):
        _download(model, weights, fields)
    try:
        network, transform = open_clip.create_model_from_pretrained(model, pretrained=weights)
    except (SafetensorError, *UNFIT):
        raise InputError(
            f"{fields[1]}: {weights} does not hold the weights of {model}; set {fields[0]} to "
            "their architecture or give another file"
        ) from None
    return network, transform


def _download(model: str, weights: str, fields: tuple[str, str]) -> None:
    """Download weights unless they are here already, and refuse pickled ones."""
    import open_clip

    try:
        found = open_clip.download_pretrained(open_clip.get_pretrained_cfg(model, weights))
    except (OSError, RuntimeError, ValueError):
        raise InputError(
            f"{fields[1]}: {weights} of {model} cannot be downloaded; check the network, or give a "
            "safetensors file"
        ) from None
    if not str(found).endswith(SUFFIX):
        raise InputError(_pickled(weights, fields))


def _pickled(weights: str, fields: tuple[str, str]) -> str:
    return (
        f"{fields[1]}: {weights} is not a safetensors file, and pickled weights are not read; "
        "convert it or use other weights"
    )
