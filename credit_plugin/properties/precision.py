"""Precision: the share of samples that lie among the real images (Kynkaanniemi et al. 2019).

A sample counts if it is within the ball of any real image in feature space, a ball reaching to its
third nearest real neighbour (:mod:`credit_plugin.properties.manifold`). Range [0, 1], higher is
better: fidelity without diversity. Biased upwards with more real images, downwards with fewer;
compare at equal numbers, and use 100 samples and real images or more. Features are those of the
study's observer.
"""

import numpy as np

from credit_plugin.config import PropertySettings
from credit_plugin.properties.manifold import radii, share_inside
from credit_plugin.properties.registry import ImageSet, Statistics, register_property


@register_property("precision")
class Precision:
    """Share of samples in the manifold of real images; higher is better."""

    direction = 1
    unit = "share of samples"

    def prepare(self, reference: ImageSet, settings: PropertySettings, seed: int) -> Statistics:
        """Return the real images' features and how far their balls reach."""
        features = reference.features.astype(np.float64)
        return {"features": features, "radii": radii(features)}

    def measure(self, samples: ImageSet, statistics: Statistics) -> float:
        """Return the share."""
        points = samples.features.astype(np.float64)
        return share_inside(points, statistics["features"], statistics["radii"])
