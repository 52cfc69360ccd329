"""Method ``pixel_similarity``: whose training images look like the generated ones, pixel by pixel.

What: the cosine of the angle between the pixels of a generated and of a training image, scaled to
[-1, 1] as the network sees them, so that mid-grey is the origin; with bytes from 0 to 255 all
pictures would point the same way. Averaged or maximised over a contributor's images, then averaged
over the generated ones (:mod:`credit_plugin.fidelity.similarity`): variants ``avg`` and ``max``,
each in [-1, 1].

When: as the cheapest control. It follows background and brightness, knows nothing of the property
and of what was learnt, and ``max`` grows with the number of images that are looked at.

Source: Lu, Lin, Kim and Lee, "An efficient framework for crediting data contributors of diffusion
models" (ICLR 2025), with the same scale and aggregates. Departure: at most ``fidelity.images_each``
images of each contributor.
"""

from typing import TYPE_CHECKING

import numpy as np

from credit_plugin.fidelity.attribution import ImageAttribution, register_attribution
from credit_plugin.fidelity.similarity import cosine, similarity_scores

if TYPE_CHECKING:
    from credit_plugin.fidelity.evidence import Evidence

MID_GREY = 127.5


@register_attribution("pixel_similarity")
class PixelSimilarity(ImageAttribution):
    """Cosine of pixels."""

    title = "Pixel similarity"

    def score(self, evidence: "Evidence") -> dict[str, np.ndarray]:
        """Return ``avg`` and ``max``."""
        return similarity_scores(
            evidence.images, evidence.owner, evidence.generated, cosine_about_grey
        )


def cosine_about_grey(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the cosines float64 [a, b] of bytes [a, d] and [b, d], mid-grey being the origin."""
    return cosine(first.astype(np.float64) - MID_GREY, second.astype(np.float64) - MID_GREY)
