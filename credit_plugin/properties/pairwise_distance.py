"""Pairwise distance: how different two samples are on average, in the manner of LPIPS.

The mean over all pairs of samples of half the squared distance of their features at unit length,
which is 1 minus the cosine (LPIPS of Zhang et al. 2018 compares unit-length features as well, of
several layers). In closed form, without going through pairs:

    1 - (|sum_i u_i|^2 - N) / (N (N - 1))

Range [0, 2], higher is more diverse; 0 if all samples have the same direction. Unbiased at any
N >= 2. Noise is diverse too: read it beside a property of quality. Features are those of the
study's observer.
"""

import numpy as np

from credit_plugin.config import PropertySettings
from credit_plugin.properties.registry import ImageSet, Statistics, register_property


@register_property("pairwise_distance")
class PairwiseDistance:
    """Mean cosine distance of pairs of samples; higher is more diverse."""

    direction = 1
    unit = "1 - cosine"

    def prepare(self, reference: ImageSet, settings: PropertySettings, seed: int) -> Statistics:
        """Nothing needs to be known of real images."""
        return {}

    def measure(self, samples: ImageSet, statistics: Statistics) -> float:
        """Return the mean over pairs."""
        features = samples.features.astype(np.float64)
        length = np.linalg.norm(features, axis=1, keepdims=True)
        total = (features / np.maximum(length, 1e-12)).sum(0)
        pairs = np.float64(len(features) * (len(features) - 1))
        with np.errstate(divide="ignore", invalid="ignore"):
            # rounding alone takes it below zero
            return float(np.maximum(1 - (total @ total - len(features)) / pairs, 0.0))
