"""A part of a labelled data set in which every class has its share."""

import numpy as np


def stratified_order(labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return an order of the images whose every beginning has all classes in proportion.

    The j-th of a class's m images, in random order, stands at position j / m of the way, so the
    first m' images hold each class within one image of its share, and each class has one among
    the first k. Beginnings are nested.

    Args:
        labels: int64 [N].
        generator: Decides the order within classes and between equal positions.

    Returns:
        int64 [N], a permutation.
    """
    shuffled = generator.permutation(len(labels))
    position = np.empty(len(labels))
    for label in np.unique(labels):
        own = shuffled[labels[shuffled] == label]
        position[own] = np.arange(len(own)) / len(own)
    return shuffled[np.argsort(position[shuffled], kind="stable")]
