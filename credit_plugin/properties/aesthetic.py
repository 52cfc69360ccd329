"""Aesthetic score: what people would say of single images, predicted from CLIP embeddings.

A head on the unit-length embeddings of observer ``open_clip``, as LAION trained them on people's
ratings of 1 to 10: the linear ones for ViT-B/32, B/16 and L/14, and the "improved" perceptron for
L/14. ``properties.options.aesthetic`` names the head's file (``path``; .pth of tensors, or
safetensors) and the statistic: ``percentile`` q (the default, 90, is the paper's) or ``mean``.
About 1 to 10 on photographs, higher is better; the head must be one for the observer's model. A
percentile of N images is biased towards the middle by about 1 / N of its range: compare at equal N,
and use 50 or more.

The head's layers are read off its weights: matrices that fit one behind the other, in the order of
their names, with nothing between them, as in LAION's (dropout does nothing in use).
"""

import hashlib
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from credit_plugin.config import PropertySettings, Settings
from credit_plugin.errors import InputError
from credit_plugin.frozen import read_tensors
from credit_plugin.properties.registry import (
    ImageSet,
    Statistics,
    options_of,
    register_property,
)

FIELD = "properties.options.aesthetic.path"
SOURCE = "the heads are in LAION-AI/aesthetic-predictor and improved-aesthetic-predictor"


class AestheticOptions(Settings):
    """Which head, and which statistic of the samples' scores."""

    path: Path | None = Field(None, description="File of the head.")
    statistic: Literal["percentile", "mean"] = Field("percentile", description="Of the scores.")
    percentile: float = Field(90.0, ge=0, le=100, description="Which percentile.")


@register_property("aesthetic")
class Aesthetic:
    """A percentile or the mean of predicted ratings; higher is better."""

    direction = 1
    unit = "predicted rating"
    observer = "open_clip"
    options = AestheticOptions

    def identity(self, settings: PropertySettings) -> str:
        """Return the hash of the head's layers."""
        options = options_of(settings, "aesthetic", AestheticOptions)
        state = hashlib.sha256()
        for name, array in sorted(_head(options).items()):
            state.update(f"{name} {array.shape}\n".encode() + array.tobytes())
        return state.hexdigest()

    def prepare(self, reference: ImageSet, settings: PropertySettings, seed: int) -> Statistics:
        """Return the layers of the head, and the percentile (negative for the mean)."""
        options = options_of(settings, "aesthetic", AestheticOptions)
        layers = _head(options)
        size = reference.features.shape[1]
        if layers["weight_0"].shape[1] != size:
            raise InputError(
                f"{FIELD}: {options.path} is for embeddings of {layers['weight_0'].shape[1]} "
                f"dimensions, and those of properties.observers.open_clip have {size}"
            )
        percentile = options.percentile if options.statistic == "percentile" else -1.0
        return {**layers, "percentile": np.array(percentile)}

    def measure(self, samples: ImageSet, statistics: Statistics) -> float:
        """Return the statistic of the samples' scores."""
        scores = rate(samples.features, statistics)
        percentile = float(statistics["percentile"])
        return float(scores.mean() if percentile < 0 else np.percentile(scores, percentile))


def _head(options: AestheticOptions) -> dict[str, np.ndarray]:
    if options.path is None:
        raise InputError(f"{FIELD} is missing: name the file of the head ({SOURCE})")
    return read_head(options.path)


def rate(features: np.ndarray, layers: Statistics) -> np.ndarray:
    """Return the predicted rating of unit-length embeddings [N, d], float64 [N]."""
    values = features.astype(np.float64)
    for index in range(sum(name.startswith("weight_") for name in layers)):
        values = values @ layers[f"weight_{index}"].T + layers[f"bias_{index}"]
    return values[:, 0]


def read_head(path: Path) -> dict[str, np.ndarray]:
    """Return the layers of a head: ``weight_i`` [out, in] and ``bias_i`` [out], float64.

    Raises:
        InputError: If the file is missing or no head.
    """
    weights = _read(path)
    names = sorted((n for n in weights if n.endswith("weight")), key=_place)
    layers: dict[str, np.ndarray] = {}
    for index, name in enumerate(names):
        layers[f"weight_{index}"] = weights[name]
        layers[f"bias_{index}"] = weights.get(name.removesuffix("weight") + "bias", np.empty(0))
    sizes = [weights[name].shape for name in names]
    joined = all(len(s) == 2 for s in sizes) and all(
        before[0] == after[1] for before, after in pairwise(sizes)
    )
    biased = all(len(layers[f"bias_{i}"]) == size[0] for i, size in enumerate(sizes) if len(size))
    if not sizes or not joined or not biased or sizes[-1][0] != 1:
        raise InputError(f"{FIELD}: {path} is no head of linear layers that end in one number")
    return layers


def _place(name: str) -> tuple[tuple[int, str], ...]:
    """Return a key that sorts numbers in names as numbers."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in name.split("."))


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        return {name: tensor.double().numpy() for name, tensor in read_tensors(path).items()}
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise InputError(f"{FIELD}: {path}: {reason} ({SOURCE})") from None
    except ValueError:
        raise InputError(f"{FIELD}: {path} is no file of tensors ({SOURCE})") from None
