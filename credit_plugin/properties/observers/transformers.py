"""Observer ``transformers``: a vision model of the transformers library, for instance BLIP or DINO.

``properties.observers.transformers`` names a repository of the Hugging Face hub or a folder, the
class that reads it and which of its outputs are features: ``pooler`` the pooled output, ``cls`` the
first token, ``mean`` the mean of all tokens. Images are prepared by the model's own image
processor. Weights are safetensors.

The paper's demographic diversity is ``{source: Salesforce/blip-vqa-base, model:
BlipForQuestionAnswering, part: vision_model}``.
"""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import transformers
from pydantic import Field
from torch import Tensor

from credit_plugin.config import PropertySettings, Settings
from credit_plugin.errors import InputError
from credit_plugin.frozen import digest_of, locate
from credit_plugin.properties.embedding import Embedder, EmbeddingObserver, as_colour, in_batches
from credit_plugin.properties.observers import Report, observer_options, register_observer

FIELD = "properties.observers.transformers"


class TransformersOptions(Settings):
    """Which model, and which of its outputs."""

    source: str = Field(description="Repository of the hub, or a folder.")
    revision: str | None = Field(None, description="Branch, tag or commit of a repository.")
    model: str = Field("AutoModel", description="Class of transformers that reads it.")
    part: str = Field("", description="Part of the model that sees, for instance vision_model.")
    pooling: Literal["pooler", "cls", "mean"] = Field("pooler", description="What features are.")
    batch_size: int = Field(32, ge=1, description="Images at once.")


class TransformersNetwork:
    """The model on a device.

    Args:
        options: Which model.
        device: ``cpu`` or ``cuda:i``.

    Raises:
        InputError: If it is missing or does not fit.
    """

    def __init__(self, options: TransformersOptions, device: str) -> None:
        self.options, self.device = options, device
        folder = _located(options)
        kind: Any = getattr(transformers, options.model, None)
        if not hasattr(kind, "from_pretrained"):
            raise InputError(f"{FIELD}.model: transformers has no model class {options.model!r}")
        try:
            self._processor: Any = transformers.AutoImageProcessor.from_pretrained(folder)
            model = kind.from_pretrained(folder, use_safetensors=True)
            self._model = (model.get_submodule(options.part)).to(device).eval()
        except (OSError, ValueError, KeyError, RuntimeError, AttributeError) as error:
            reason = str(error).strip().splitlines()[0]
            raise InputError(
                f"{FIELD}.source: {options.source} cannot be loaded: {reason}"
            ) from None

    def features(self, images: np.ndarray, report: Report | None = None) -> np.ndarray:
        """Return float32 [N, d] of uint8 images [N, H, W, C]."""
        return in_batches(self._embed, images, self.options.batch_size, report)

    @torch.inference_mode()
    def _embed(self, images: np.ndarray) -> np.ndarray:
        inputs = self._processor(list(as_colour(images)), return_tensors="pt")
        pooled = self._pooled(self._model(pixel_values=inputs["pixel_values"].to(self.device)))
        found: np.ndarray = pooled.float().cpu().numpy()
        return found

    def _pooled(self, output: Any) -> Tensor:
        if self.options.pooling == "pooler":
            pooled: Tensor | None = getattr(output, "pooler_output", None)
            if pooled is None:
                raise InputError(f"{FIELD}.pooling: the model has no pooler; use cls or mean")
            return pooled.flatten(1)
        states: Tensor = output.last_hidden_state
        return states[:, 0] if self.options.pooling == "cls" else states.flatten(2).mean(1)


@register_observer("transformers")
class TransformersObserver(EmbeddingObserver):
    """Looks through a model of transformers."""

    name = "transformers"

    @classmethod
    def identity(cls, settings: PropertySettings) -> str:
        """Return the digest of the model's files."""
        return digest_of(_located(observer_options(settings, cls.name, TransformersOptions)))

    @classmethod
    def open(cls, settings: PropertySettings, device: str) -> Embedder:
        """Return the model."""
        options = observer_options(settings, cls.name, TransformersOptions)
        return TransformersNetwork(options, device)


def _located(options: TransformersOptions) -> Path:
    return locate(options.source, f"{FIELD}.source", options.revision)
