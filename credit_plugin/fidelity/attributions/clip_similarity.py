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

from typing import TYPE_CHECKING

import numpy as np

from credit_plugin.config import FidelitySettings, Study
from credit_plugin.errors import InputError
from credit_plugin.fidelity.attribution import ImageAttribution, register_attribution
from credit_plugin.fidelity.similarity import similarity_scores

if TYPE_CHECKING:
    from credit_plugin.fidelity.evidence import Evidence
    from credit_plugin.properties.clip import ClipNetwork

FIELDS = "fidelity.clip_model", "fidelity.clip_weights"


@register_attribution("clip_similarity")
class ClipSimilarity(ImageAttribution):
    """Cosine of CLIP embeddings."""

    title = "CLIP similarity"

    def unavailable(self, study: Study) -> str | None:
        """Return what is missing or wrong in the settings of CLIP, or None."""
        return _problem(study.fidelity)

    def identity(self, study: Study) -> str:
        """Return the hash of a file of weights, or the name of those that have one."""
        from credit_plugin.properties.clip import clip_identity

        weights = study.fidelity.clip_weights
        return clip_identity(study.fidelity.clip_model, weights) if weights else ""

    def score(self, evidence: "Evidence") -> dict[str, np.ndarray]:
        """Return ``avg`` and ``max``.

        Raises:
            InputError: If there are no weights, or they cannot be had or do not fit.
        """
        clip = load_clip(evidence.settings, evidence.bench.device)
        own, generated = clip.features(evidence.images), clip.features(evidence.generated)
        return similarity_scores(own, evidence.owner, generated)


def load_clip(settings: FidelitySettings, device: str) -> "ClipNetwork":
    """Return the CLIP model of the settings.

    Args:
        settings: Model and weights.
        device: Where the network runs.

    Raises:
        InputError: If there are no weights, or they cannot be had or do not fit the model.
    """
    from credit_plugin.properties.clip import ClipNetwork

    problem = _problem(settings)
    if problem:
        raise InputError(problem)
    return ClipNetwork(settings.clip_model, str(settings.clip_weights), FIELDS, device)


def _problem(settings: FidelitySettings) -> str | None:
    """Return what is wrong with the settings as far as can be seen without loading weights."""
    if settings.clip_weights is None:
        return (
            "fidelity.clip_weights is null: give a name of weights that open_clip can download, "
            "for instance laion2b_s34b_b79k for ViT-B-32, or a safetensors file"
        )
    from credit_plugin.properties.clip import clip_problem

    return clip_problem(settings.clip_model, settings.clip_weights, FIELDS)
