"""Similarity of contributors' images to generated ones: what similarity baselines have in common.

Images are vectors: pixels, features or gradients. A generated image g has with contributor i the
mean or the largest similarity s(g, x) over the looked-at images x of i; the score of i is the mean
of that over the generated images:

    avg_i = mean over g, mean over x of i: s(g, x);    max_i = mean over g, max over x of i: s(g, x)

so avg <= max for each contributor. Similarities are those of two blocks of vectors, [a, d] and
[b, d], float64 [a, b]:

* :func:`cosine`, in [-1, 1]; 0 with a vector that is 0.
* :func:`negative_distance`, minus the Euclidean distance, at most 0.

The similarity matrix [g, m] is made in blocks, so that vectors may stay in whatever small type they
are in (pixels are bytes) and memory holds a strip of the matrix and two blocks in float64.

Source: Lu, Lin, Kim and Lee, "An efficient framework for crediting data contributors of diffusion
models" (ICLR 2025), who aggregate so. Departures: none.
"""

from collections.abc import Callable

import numpy as np
from scipy.spatial.distance import cdist

Similarity = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""([a, d], [b, d]) -> float64 [a, b], higher is more alike."""

NUMBERS_AT_ONCE = 2**22  # numbers in a block of vectors: 32 MB in float64
ROWS_AT_ONCE = 64  # generated images in a strip of the matrix


def cosine(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the cosine of the angle between each two vectors, float64 [a, b]."""
    return _unit(first) @ _unit(second).T


def negative_distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return minus the Euclidean distance of each two vectors, float64 [a, b]."""
    return np.asarray(-cdist(first.astype(np.float64), second.astype(np.float64)))


def similarity_scores(
    own: np.ndarray,
    owner: np.ndarray,
    generated: np.ndarray,
    similarity: Similarity = cosine,
    numbers_at_once: int = NUMBERS_AT_ONCE,
) -> dict[str, np.ndarray]:
    """Score contributors by how similar their images are to generated ones.

    Args:
        own: Vectors of contributors' images, [m, ...], flattened here.
        owner: Contributor of each, int64 [m]; everyone from 0 to the largest has an image.
        generated: Vectors of generated images, [g, ...].
        similarity: Of two blocks of vectors.
        numbers_at_once: Bounds the memory; changes results by rounding at most.

    Returns:
        ``avg`` and ``max``, each float64 [n].
    """
    order = np.argsort(owner, kind="stable")
    starts = np.flatnonzero(np.diff(owner[order], prepend=-1))
    counts = np.bincount(owner)
    ordered = own.reshape(len(own), -1)[order]
    targets = generated.reshape(len(generated), -1)
    rows = max(1, min(ROWS_AT_ONCE, numbers_at_once // targets.shape[1]))
    average, largest = np.zeros(len(starts)), np.zeros(len(starts))
    for start in range(0, len(targets), rows):
        strip = _strip(targets[start : start + rows], ordered, similarity, numbers_at_once)
        average += (np.add.reduceat(strip, starts, axis=1) / counts).sum(axis=0)
        largest += np.maximum.reduceat(strip, starts, axis=1).sum(axis=0)
    return {"avg": average / len(targets), "max": largest / len(targets)}


def _strip(
    targets: np.ndarray, own: np.ndarray, similarity: Similarity, numbers_at_once: int
) -> np.ndarray:
    """Return the similarities of a few generated images to all others, float64 [r, m]."""
    size = max(1, numbers_at_once // own.shape[1])
    blocks = (own[start : start + size] for start in range(0, len(own), size))
    return np.concatenate([similarity(targets, block) for block in blocks], axis=1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    doubles = vectors.astype(np.float64)
    lengths = np.linalg.norm(doubles, axis=1, keepdims=True)
    return np.asarray(doubles / np.where(lengths > 0, lengths, 1.0))
