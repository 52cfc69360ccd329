"""How far each contributor's images are from everybody else's.

What: the mean distance of an image to the most similar one of anybody else, on the 32-pixel
thumbnails of :mod:`credit_plugin.contributors.lookalike` averaged to 16 pixels, in grey levels
(root mean square over pixels and channels). Rare work is far away, and so are crafted outliers:
the number asks for a look at the images, and for no more.

Of many images some of each contributor's are looked at, spread evenly over theirs, about 5,000 in
all and two of each at least; nothing is drawn. Time O(m^2) for m of them, as matrix products.
"""

import numpy as np

from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.contributors.lookalike import thumbnails
from credit_plugin.contributors.resizing import resize_images

LOOKED_AT = 5000
_PIXELS = 16
_BLOCK = 512


def distances(dataset: ContributorDataset) -> np.ndarray:
    """Return the mean distance of each contributor's images to the nearest of others, float [n].

    The unit is grey levels, 0..255.
    """
    rows = _looked_at(dataset)
    owner = dataset.contributor[rows]
    small = resize_images(np.ascontiguousarray(thumbnails(dataset.images[rows])), _PIXELS)
    seen = small.reshape(len(rows), -1).astype(np.float32)
    length = np.einsum("nk,nk->n", seen, seen)
    nearest = np.empty(len(rows))
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        squared = length[block, None] + length - 2 * seen[block] @ seen.T
        squared[owner[block, None] == owner] = np.inf
        nearest[block] = np.sqrt(np.clip(squared.min(axis=1), 0, None) / seen.shape[1])
    totals = np.bincount(owner, nearest, minlength=dataset.n_contributors)
    return np.asarray(totals / np.bincount(owner, minlength=dataset.n_contributors))


def _looked_at(dataset: ContributorDataset) -> np.ndarray:
    """Return images of everybody, evenly spread over each one's own."""
    each = max(2, LOOKED_AT // dataset.n_contributors)
    chosen = []
    for index in range(dataset.n_contributors):
        own = np.flatnonzero(dataset.contributor == index)
        steps = np.linspace(0, len(own) - 1, min(each, len(own))).round().astype(int)
        chosen.append(own[np.unique(steps)])
    return np.concatenate(chosen)
