"""LPIPS diversity: how different two samples look on average to LPIPS (Zhang et al. 2018).

The mean of LPIPS over all pairs of samples, in closed form from the features e_i of observer
``lpips``, whose squared distance it is:

    2 (N sum_i |e_i|^2 - |sum_i e_i|^2) / (N (N - 1))

Range [0, inf), in practice below 1; higher is more diverse. Unbiased at any N >= 2. Noise is
diverse too: read it beside a property of quality.
"""

import numpy as np

from credit_plugin.config import PropertySettings
from credit_plugin.properties.registry import ImageSet, Statistics, register_property


@register_property("lpips")
class Lpips:
    """Mean LPIPS of pairs of samples; higher is more diverse."""

    observer = "lpips"
    direction = 1
    unit = "LPIPS"

    def prepare(self, reference: ImageSet, settings: PropertySettings, seed: int) -> Statistics:
        """Nothing needs to be known of real images."""
        return {}

    def measure(self, samples: ImageSet, statistics: Statistics) -> float:
        """Return the mean over pairs."""
        features = samples.features
        count = len(features)
        total = features.sum(0, dtype=np.float64)
        squares = np.einsum("ij,ij->", features, features, dtype=np.float64)
        if count < 2:
            return float("nan")
        # rounding alone takes it below zero
        return float(max(2 * (count * squares - total @ total) / (count * (count - 1)), 0.0))
