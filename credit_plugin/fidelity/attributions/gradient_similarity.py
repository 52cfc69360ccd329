"""Gradient similarity: whether training on an image moves the weights as a generated image would.

What: the cosine, in [-1, 1], of the projected gradients of the training loss at a training and at a
generated image (:mod:`credit_plugin.fidelity.gradients`); ``avg`` and ``max`` over a contributor's
images, then the mean over generated images (:mod:`credit_plugin.fidelity.similarity`). It is
influence with the identity for the Hessian, renormalised on both sides.

Source: Charpiat, Girard, Felardos and Tarabalka, "Input similarity from the neural network
perspective" (NeurIPS 2019); as a baseline for contributors, Lu, Lin, Kim and Lee (ICLR 2025).
Departure: cosines are those after projection, off by about 1 / sqrt(k).
"""

import numpy as np

from credit_plugin.fidelity.attribution import ImageAttribution, register_attribution
from credit_plugin.fidelity.evidence import Evidence
from credit_plugin.fidelity.similarity import cosine, similarity_scores


@register_attribution("gradient_similarity")
class GradientSimilarity(ImageAttribution):
    """Gradient similarity of contributors."""

    title = "Gradient similarity"

    def score(self, evidence: Evidence) -> dict[str, np.ndarray]:
        """Return float64 [n] for the variants ``avg`` and ``max``."""
        features = evidence.gradients
        return similarity_scores(features.training, evidence.owner, features.generated, cosine)
