"""Frechet distance between the features of samples and of the study's real images.

||mu_1 - mu_2||^2 + tr(C_1 + C_2 - 2 (C_1 C_2)^{1/2}) of two Gaussians fitted to the features of
the study's observer, by default its own classifier. This is the FID of Heusel et al. (2017) with
another network: numbers are comparable within a study only, not with published FIDs. Range
[0, inf), lower is better. The estimate is biased upwards by about d/N of the feature variance; use
at least ten samples for each feature dimension (the classifier has 32), and compare at equal N
only.

tr((C_1 C_2)^{1/2}) is the sum of the square roots of the eigenvalues of C_1^{1/2} C_2 C_1^{1/2},
which is symmetric: no matrix square root of a non-symmetric matrix, no imaginary part to discard.
"""

import numpy as np

from credit_plugin.config import PropertySettings
from credit_plugin.properties.registry import ImageSet, Statistics, register_property


@register_property("frechet_distance")
class FrechetDistance:
    """Distance between two Gaussians in feature space; lower is better."""

    direction = -1
    unit = "squared distance of features"

    def prepare(self, reference: ImageSet, settings: PropertySettings, seed: int) -> Statistics:
        """Return mean [d] and covariance [d, d] of the real images' features."""
        mean, covariance = _moments(reference.features)
        return {"mean": mean, "covariance": covariance}

    def measure(self, samples: ImageSet, statistics: Statistics) -> float:
        """Return the distance of the samples to the reference."""
        mean, covariance = _moments(samples.features)
        return frechet_distance(mean, covariance, statistics["mean"], statistics["covariance"])


def frechet_distance(
    mean_a: np.ndarray, cov_a: np.ndarray, mean_b: np.ndarray, cov_b: np.ndarray
) -> float:
    """Return the squared Frechet distance of N(mean_a, cov_a) and N(mean_b, cov_b).

    Args:
        mean_a: [d].
        cov_a: Symmetric positive semi-definite [d, d].
        mean_b: [d].
        cov_b: Symmetric positive semi-definite [d, d].
    """
    eigenvalues, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(eigenvalues.clip(min=0))) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ cov_b @ root).clip(min=0)).sum()
    shift = float(np.sum((mean_a - mean_b) ** 2))
    return max(shift + float(np.trace(cov_a) + np.trace(cov_b) - 2 * cross), 0.0)


def _moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    doubles = features.astype(np.float64)
    return doubles.mean(0), np.cov(doubles, rowvar=False)
