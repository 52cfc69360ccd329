"""Diversity: entropy of the samples over clusters of the study's real images.

The features of the real images are grouped by Ward's method into k clusters, once; a sample
counts for the cluster whose centre is nearest. The property is the Shannon entropy (log2) of the
shares, in [0, log2 k] bits, higher is better. The plug-in estimate is biased downwards by about
(k - 1) / (2 N ln 2) bits; compare at equal N only.

This is the diversity of the paper's CelebA-HQ study (entropy over 20 Ward clusters) with features
of the study's observer in place of BLIP's.
"""

import numpy as np
from scipy.cluster.hierarchy import fcluster, ward
from scipy.spatial.distance import cdist

from credit_plugin.config import PropertySettings
from credit_plugin.properties.registry import ImageSet, Statistics, register_property
from credit_plugin.seeding import numpy_generator

LARGEST_POOL = 2000  # Ward's method needs memory quadratic in the images


@register_property("diversity")
class Diversity:
    """Entropy in bits over clusters of real images; higher is more diverse."""

    direction = 1
    unit = "bits"

    def prepare(self, reference: ImageSet, settings: PropertySettings, seed: int) -> Statistics:
        """Return the cluster centres [k, d] of at most 2,000 real images."""
        pool = reference.features.astype(np.float64)
        if len(pool) > LARGEST_POOL:
            chosen = numpy_generator(seed, "", "diversity pool").permutation(len(pool))
            pool = pool[np.sort(chosen[:LARGEST_POOL])]
        clusters = min(settings.clusters, len(pool))
        labels = fcluster(ward(pool), clusters, criterion="maxclust")
        return {"centres": np.stack([pool[labels == c].mean(0) for c in np.unique(labels)])}

    def measure(self, samples: ImageSet, statistics: Statistics) -> float:
        """Return the entropy of the samples' cluster shares in bits."""
        nearest = cdist(samples.features.astype(np.float64), statistics["centres"]).argmin(1)
        shares = np.bincount(nearest) / len(nearest)
        shares = shares[shares > 0]
        return float(-(shares * np.log2(shares)).sum())
