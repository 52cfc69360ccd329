"""Method ``embedding_similarity``: whose training images are near the generated ones in features.

What: minus the Euclidean distance between the features of a generated and of a training image; they
are the features that the study's properties are measured with. Averaged or maximised over a
contributor's images, then averaged over the generated ones
(:mod:`credit_plugin.fidelity.similarity`): variants ``avg`` and ``max``, each at most 0, the unit
being that of the features.

When: as the control that sees what the properties see and needs nothing else. It knows nothing of
the headline property, and ``max`` grows with the number of images that are looked at.

Source: the embedding distance of Lu, Lin, Kim and Lee, "An efficient framework for crediting data
contributors of diffusion models" (ICLR 2025). Departures: the study's own features, and at most
``fidelity.images_each`` images of each contributor.
"""

from typing import TYPE_CHECKING

import numpy as np

from credit_plugin.fidelity.attribution import ImageAttribution, register_attribution
from credit_plugin.fidelity.similarity import negative_distance, similarity_scores

if TYPE_CHECKING:
    from credit_plugin.fidelity.evidence import Evidence


@register_attribution("embedding_similarity")
class EmbeddingSimilarity(ImageAttribution):
    """Negative distance of features."""

    title = "Embedding distance"

    def score(self, evidence: "Evidence") -> dict[str, np.ndarray]:
        """Return ``avg`` and ``max``."""
        own, generated = evidence.described_images, evidence.described_generated
        return similarity_scores(
            own.features, evidence.owner, generated.features, negative_distance
        )
