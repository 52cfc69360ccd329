"""Observer ``open_clip``: a CLIP model, whose features are embeddings of unit length.

``properties.observers.open_clip`` names an architecture and weights: a name that open_clip
downloads (``weights``), or a safetensors file (``path``). Prompts of the study, where it has some,
are read in the same space. The paper's aesthetic score looks through ViT-L-14 of OpenAI (``{model:
ViT-L-14, weights: openai}``, if it can be had as safetensors).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

from credit_plugin.config import PropertySettings, Settings
from credit_plugin.errors import InputError
from credit_plugin.properties.clip import ClipNetwork, clip_identity, clip_problem
from credit_plugin.properties.embedding import EmbeddingObserver
from credit_plugin.properties.observers import (
    Report,
    TextObserver,
    observer_options,
    register_observer,
)
from credit_plugin.properties.registry import ImageSet

FIELD = "properties.observers.open_clip"


class OpenClipOptions(Settings):
    """Which model."""

    model: str = Field("ViT-B-32", description="Architecture that open_clip ships.")
    weights: str | None = Field(None, description="Name of weights that open_clip downloads.")
    path: Path | None = Field(None, description="A safetensors file of weights instead.")


@register_observer("open_clip")
class OpenClipObserver(EmbeddingObserver, TextObserver):
    """Looks through CLIP."""

    name = "open_clip"
    network: ClipNetwork

    @classmethod
    def check(cls, settings: PropertySettings) -> None:
        """Refuse weights that are missing; they are not loaded yet."""
        problem = clip_problem(*cls._chosen(settings))
        if problem:
            raise InputError(problem)

    @classmethod
    def identity(cls, settings: PropertySettings) -> str:
        """Return the hash of a file of weights, or the name of those that have one."""
        model, weights, _ = cls._chosen(settings)
        return clip_identity(model, weights)

    @classmethod
    def open(cls, settings: PropertySettings, device: str) -> ClipNetwork:
        """Return the network."""
        return ClipNetwork(*cls._chosen(settings), device)

    def describe(self, images: np.ndarray, report: Report | None = None) -> ImageSet:
        """Return images with embeddings of unit length."""
        seen = super().describe(images, report)
        return ImageSet(images, _unit(seen.features), seen.probabilities)

    def read(self, texts: Sequence[str]) -> np.ndarray:
        """Return embeddings of texts, float32 [t, d], of unit length."""
        return _unit(self.network.read(texts))

    @classmethod
    def _chosen(cls, settings: PropertySettings) -> tuple[str, str, tuple[str, str]]:
        options = observer_options(settings, cls.name, OpenClipOptions)
        if (options.weights is None) == (options.path is None):
            raise InputError(
                f"{FIELD}: give weights, a name that open_clip can download (for instance "
                "laion2b_s34b_b79k for ViT-B-32), or path, a safetensors file; one of the two"
            )
        named = "weights" if options.path is None else "path"
        fields = f"{FIELD}.model", f"{FIELD}.{named}"
        return options.model, str(options.path or options.weights), fields


def _unit(features: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(features, axis=1, keepdims=True)
    found: np.ndarray = features / np.maximum(length, 1e-12)
    return found
