"""Recall: the share of real images that lie among the samples (Kynkaanniemi et al. 2019).

Precision with the two exchanged: the balls are those of the samples. Range [0, 1], higher is
better: diversity without fidelity. It grows with the number of samples; compare at equal numbers,
and use as many samples as real images, 100 or more. Features are those of the study's observer.
"""

import numpy as np

from credit_plugin.config import PropertySettings
from credit_plugin.properties.manifold import radii, share_inside
from credit_plugin.properties.registry import ImageSet, Statistics, register_property


@register_property("recall")
class Recall:
    """Share of real images in the manifold of samples; higher is better."""

    direction = 1
    unit = "share of real images"

    def prepare(self, reference: ImageSet, settings: PropertySettings, seed: int) -> Statistics:
        """Return the real images' features."""
        return {"features": reference.features.astype(np.float64)}

    def measure(self, samples: ImageSet, statistics: Statistics) -> float:
        """Return the share."""
        centres = samples.features.astype(np.float64)
        return share_inside(statistics["features"], centres, radii(centres))
