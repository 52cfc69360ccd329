"""Method ``clip_similarity``: whose training images CLIP finds like the generated ones.

What: the cosine between the CLIP embeddings of a generated and of a training image. Averaged or
maximised over a contributor's images, then averaged over the generated ones
(:mod:`credit_plugin.fidelity.similarity`): variants ``avg`` and ``max``, each in [-1, 1].

``fidelity.clip_model`` is an architecture that open_clip ships, ``fidelity.clip_weights`` a name of
weights that open_clip downloads for it, or a safetensors file of that architecture (images are then
normalised as OpenAI's were). Pickled weights are refused, downloaded ones too. Images get the size
of the network by bicubic interpolation; grey ones get three equal channels.

When: as the control that knows what pictures show. It costs a forward pass of a large network for
each image, is made for photographs much larger than a few pixels, and knows nothing of the
property.

Source: Radford et al., "Learning transferable visual models from natural language supervision"
(ICML 2021), for the embedding; Lu, Lin, Kim and Lee (ICLR 2025), with ViT-B/32, for the baseline.
Departure: at most ``fidelity.images_each`` images of each contributor.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from credit_plugin.config import FidelitySettings, Study
from credit_plugin.errors import InputError
from credit_plugin.fidelity.attribution import ImageAttribution, register_attribution
from credit_plugin.fidelity.similarity import similarity_scores

if TYPE_CHECKING:
    from credit_plugin.fidelity.evidence import Evidence

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


@register_attribution("clip_similarity")
class ClipSimilarity(ImageAttribution):
    """Cosine of CLIP embeddings."""

    title = "CLIP similarity"

    def unavailable(self, study: Study) -> str | None:
        """Return what is missing or wrong in the settings of CLIP, or None."""
        return _problem(study.fidelity)

    def identity(self, study: Study) -> str:
        """Return the hash of a file of weights; those with a name do not change."""
        weights = Path(study.fidelity.clip_weights or "")
        return hashlib.sha256(weights.read_bytes()).hexdigest() if weights.is_file() else ""

    def score(self, evidence: "Evidence") -> dict[str, np.ndarray]:
        """Return ``avg`` and ``max``.

        Raises:
            InputError: If there are no weights, or they cannot be had or do not fit.
        """
        embed = load_clip(evidence.settings, evidence.bench.device)
        own, generated = embed(evidence.images), embed(evidence.generated)
        return similarity_scores(own, evidence.owner, generated)


def load_clip(settings: FidelitySettings, device: str) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function from images uint8 [N, H, W, C] to CLIP embeddings float32 [N, d].

    Args:
        settings: Model and weights.
        device: Where the network runs.

    Raises:
        InputError: If there are no weights, or they cannot be had or do not fit the model.
    """
    problem = _problem(settings)
    if problem:
        raise InputError(problem)
    import torch  # choosing methods needs none of it

    network, transform = _load(settings.clip_model, str(settings.clip_weights))
    network.to(device).eval()

    @torch.inference_mode()
    def embed(images: np.ndarray) -> np.ndarray:
        parts = []
        for start in range(0, len(images), IMAGES_AT_ONCE):
            pictures = map(_picture, images[start : start + IMAGES_AT_ONCE])
            batch = torch.stack([transform(picture) for picture in pictures])
            parts.append(network.encode_image(batch.to(device)).float().cpu().numpy())
        return np.concatenate(parts)

    return embed


def _problem(settings: FidelitySettings) -> str | None:
    """Return what is wrong with the settings as far as can be seen without loading weights."""
    weights, model = settings.clip_weights, settings.clip_model
    if weights is None:
        return (
            "fidelity.clip_weights is null: give a name of weights that open_clip can download, "
            "for instance laion2b_s34b_b79k for ViT-B-32, or a safetensors file"
        )
    import open_clip  # takes seconds, and most studies do without

    if model not in open_clip.list_models():
        return f"fidelity.clip_model: {model!r} is not an architecture that open_clip ships"
    if open_clip.is_pretrained_cfg(model, weights):
        return None
    if Path(weights).is_file():
        return None if weights.endswith(SUFFIX) else _pickled(weights)
    tags = open_clip.list_pretrained_tags_by_model(model)
    choices = f"one of {', '.join(tags)}" if tags else "a file, as there are no names"
    return (
        f"fidelity.clip_weights: {weights!r} is no file, and no name of weights of {model}; use "
        f"{choices}"
    )


def _load(model: str, weights: str) -> tuple[Any, Callable[[Image.Image], Any]]:
    """Return the network, on the CPU, and what makes its input of a picture."""
    import open_clip
    from safetensors import SafetensorError

    if open_clip.is_pretrained_cfg(model, weights):
        _download(model, weights)
    try:
        network, transform = open_clip.create_model_from_pretrained(model, pretrained=weights)
    except (SafetensorError, *UNFIT):
        raise InputError(
            f"fidelity.clip_weights: {weights} does not hold the weights of {model}; set "
            "fidelity.clip_model to their architecture or give another file"
        ) from None
    return network, transform


def _download(model: str, weights: str) -> None:
    """Download weights unless they are here already, and refuse pickled ones."""
    import open_clip

    try:
        found = open_clip.download_pretrained(open_clip.get_pretrained_cfg(model, weights))
    except (OSError, RuntimeError, ValueError):
        raise InputError(
            f"fidelity.clip_weights: {weights} of {model} cannot be downloaded; check the "
            "network, or give a safetensors file"
        ) from None
    if not str(found).endswith(SUFFIX):
        raise InputError(_pickled(weights))


def _pickled(weights: str) -> str:
    return (
        f"fidelity.clip_weights: {weights} is not a safetensors file, and pickled weights are not "
        "read; convert it or use other weights"
    )


def _picture(image: np.ndarray) -> Image.Image:
    """Return uint8 [H, W, C] as an RGB picture."""
    return Image.fromarray(np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image)
