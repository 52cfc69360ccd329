"""Kernel distance: squared maximum mean discrepancy with the kernel of KID (Binkowski et al. 2018).

With k(x, y) = (x'y / d + 1)^3 on features of the study's observer, the unbiased estimate

    sum_{i != j} k(x_i, x_j) / (n (n - 1)) + sum_{i != j} k(y_i, y_j) / (m (m - 1))
        - 2 sum_{ij} k(x_i, y_j) / (n m)

of samples x and real images y, all of them at once in float64. Lower is better; 0 in expectation
for samples like the real images, so single values may be negative. Unbiased at any N >= 2: of all
distances the one for few samples; its spread falls as 1 / sqrt(N), use 100 or more.

clean-fid averages the same over 100 random subsets of at most 1,000; with one subset of everything
the two are equal (see the tests), and without subsets nothing is drawn.
"""

import numpy as np

from credit_plugin.config import PropertySettings
from credit_plugin.properties.registry import ImageSet, Statistics, register_property

ROWS_AT_ONCE = 1024


@register_property("kernel_distance")
class KernelDistance:
    """Unbiased squared MMD with a cubic kernel; lower is better."""

    direction = -1
    unit = "squared MMD"

    def prepare(self, reference: ImageSet, settings: PropertySettings, seed: int) -> Statistics:
        """Return the real images' features and their mean kernel with each other."""
        features = reference.features.astype(np.float64)
        return {"features": features, "within": np.array(_within(features))}

    def measure(self, samples: ImageSet, statistics: Statistics) -> float:
        """Return the distance of the samples to the reference."""
        features, real = samples.features.astype(np.float64), statistics["features"]
        between = _total(features, real) / (len(features) * len(real))
        return float(_within(features) + statistics["within"] - 2 * between)


def _within(features: np.ndarray) -> float:
    """Return the mean kernel of different rows."""
    count, size = features.shape
    own = ((np.einsum("ij,ij->i", features, features) / size + 1) ** 3).sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        return float((_total(features, features) - own) / np.float64(count * (count - 1)))


def _total(one: np.ndarray, other: np.ndarray) -> float:
    """Return the sum of the kernel over all pairs of rows, with bounded memory."""
    size, total = one.shape[1], 0.0
    for start in range(0, len(one), ROWS_AT_ONCE):
        total += float(((one[start : start + ROWS_AT_ONCE] @ other.T / size + 1) ** 3).sum())
    return total
