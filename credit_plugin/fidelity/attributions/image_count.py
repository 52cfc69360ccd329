"""Method ``image_count``: how many images a contributor gave.

What: the number of training images, float64 [n]. All of them count, whatever they are worth: this
is what schemes pay by that share a pool in proportion to what was handed in.

When: as the control that any measured value has to beat, and as a warning: where it does as well as
the values, either everybody's images are alike or the test coalitions reward size alone.

Source: the pro-rata rule of collecting societies; Lu, Lin, Kim and Lee (ICLR 2025) compare
contributors of equal size, where it says nothing. Departures: none.
"""

from typing import TYPE_CHECKING

import numpy as np

from credit_plugin.fidelity.attribution import ImageAttribution, register_attribution

if TYPE_CHECKING:
    from credit_plugin.fidelity.evidence import Evidence


@register_attribution("image_count")
class ImageCount(ImageAttribution):
    """Number of images."""

    title = "Number of images"

    def score(self, evidence: "Evidence") -> dict[str, np.ndarray]:
        """Return the counts, in one variant without a name."""
        return {"": evidence.dataset.counts.astype(np.float64)}
