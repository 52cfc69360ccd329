"""Folds for cross-validation that keep complement pairs together."""

import numpy as np

from credit_plugin.game.coalitions import complements
from credit_plugin.seeding import numpy_generator

FOLDS = 5


def deal_pairs(coalitions: np.ndarray, folds: int = FOLDS) -> np.ndarray:
    """Deal complement pairs into folds.

    A coalition whose complement stays in would hardly be left out at all. The deal is part of an
    estimator and has a fixed seed; it follows the order of the rows.

    Args:
        coalitions: bool [d, n], distinct.
        folds: How many, at most.

    Returns:
        int64 [d], the fold of each row, from 0; fewer folds if there are fewer pairs.
    """
    partner = complements(coalitions)
    here = np.arange(len(partner))
    leader = np.where(partner >= 0, np.minimum(partner, here), here)
    leaders, pair = np.unique(leader, return_inverse=True)
    count = min(folds, len(leaders))
    dealt = numpy_generator(0, "", "folds").permutation(len(leaders)) % count
    return np.asarray(dealt[pair.ravel()])
