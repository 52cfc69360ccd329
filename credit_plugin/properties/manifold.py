"""Manifolds of features: balls around points that reach to their k-th nearest neighbour.

What precision and recall of Kynkaanniemi et al. (2019, "Improved precision and recall metric for
assessing generative models") share: a point lies in the manifold of others if it is within the ball
of any of them. k is 3 as in the source. Distances are exact and computed a block of rows at a time.
"""

import numpy as np
from scipy.spatial.distance import cdist

NEIGHBOURS = 3
ROWS_AT_ONCE = 1024


def radii(features: np.ndarray) -> np.ndarray:
    """Return the distance of each row [N, d] to its third nearest other row, float64 [N].

    With fewer than four rows, to the farthest of the others.
    """
    k = min(NEIGHBOURS, len(features) - 1)
    found = []
    for start in range(0, len(features), ROWS_AT_ONCE):
        distances = cdist(features[start : start + ROWS_AT_ONCE], features)
        found.append(np.partition(distances, k, axis=1)[:, k])
    return np.concatenate(found)


def share_inside(points: np.ndarray, centres: np.ndarray, reach: np.ndarray) -> float:
    """Return the share of points [n, d] within ``reach`` [m] of any of the centres [m, d]."""
    inside = 0
    for start in range(0, len(points), ROWS_AT_ONCE):
        distances = cdist(points[start : start + ROWS_AT_ONCE], centres)
        inside += int((distances <= reach).any(axis=1).sum())
    return inside / len(points)
