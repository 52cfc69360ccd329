"""Pictures that are the same picture but for a mirror, a crop, a recompression or a tint.

Two steps, as in copy detection at large: a hash that is cheap to compare proposes pairs, and an
embedding that is dearer decides.

* **Hash**: the signs of the 8 x 8 lowest frequencies of the grey picture relative to their median
  (perceptual hash). A picture that was cropped or mirrored has another hash, so each is hashed 20
  times, as it is and cropped to 90 % at nine places, mirrored or not, and all of these are compared
  with the plain hashes of the others. At most 12 of 64 bits may differ.
* **Embedding**: the 16 x 16 colour picture without its mean by channel, scaled to length 1; the
  inner product of two is a correlation. Of a proposed pair it is searched over mirror, crop from
  100 to 86 % and place, first on a coarse grid and then in steps of 1 % around its best, both ways
  round. At least 0.97 is a copy.

Everything is linear algebra on thumbnails of 32 pixels: resizing a crop, and its frequencies, are
one product with a matrix from each side, and the mirrored picture's frequencies are the picture's
with alternating signs. Time O(N^2) in bit operations as matrix products, memory O(N) in blocks;
5,000 pictures take a few seconds.

Measured (``python -m tests.benchmarks.duplicates``): of paintings and portraits at 64 pixels 99.5 %
or more are found after a mirror, a 90 % crop, JPEG at quality 50, a tint of 5 % and all four
together, and no picture is taken for another owner's. Small pictures lose more to JPEG: icons at 32
pixels 10 %, and 3 % of them look like another vendor's, which has drawn the same thing alike. A
picture without contrast looks like nothing else.

Not found: rotations, collages, crops below 86 %, redrawings, and pictures of the same thing.

Source: perceptual hash by Zauner (2010); two steps as in libraries for cleaning image collections
(imagededup: hashes or embeddings; cleanvision: hashes). The search over crops is this project's.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from PIL import Image

from credit_plugin.contributors.resizing import resize_images

THUMBNAIL = 32
SIMILARITY = 0.97
PROPOSED_BITS = 12
_BITS = 64
_FREQUENCIES = 8
_WIDTH = 16  # of the embedded picture
_SEARCH = ((0.04, 0.87), (0.02, 0.92), (0.01, 0.95))
"""Steps of the search, and the correlation that a pair needs to be worth each."""

_NO_DOUBT = 0.995
_LEAST_CONTRAST = 4  # grey levels between the darkest and the brightest pixel
_BLOCK = 512
_GREY = np.array([0.299, 0.587, 0.114], np.float32)

Box = tuple[float, float, float]
"""Top, left and side of a square crop, as parts of the picture."""

WHOLE: Box = (0.0, 0.0, 1.0)

Place = tuple[bool, bool, Box]
"""Whether the second of a pair is the cropped one, whether it is mirrored too, and the crop."""


@dataclass(frozen=True)
class Alike:
    """Two pictures that are the same but for what is overlooked.

    Attributes:
        first: Position of one, the smaller.
        second: Position of the other.
        similarity: Correlation of the two, up to 1.
    """

    first: int
    second: int
    similarity: float


def thumbnail(picture: Image.Image) -> np.ndarray:
    """Return a picture as uint8 [32, 32, 3], whatever its shape."""
    size = (THUMBNAIL, THUMBNAIL)
    return np.asarray(picture.convert("RGB").resize(size, Image.Resampling.BOX))


def thumbnails(images: np.ndarray) -> np.ndarray:
    """Return images uint8 [N, H, H, C], C in {1, 3}, as uint8 [N, 32, 32, 3]."""
    small = resize_images(images, THUMBNAIL)
    return np.broadcast_to(small, (*small.shape[:3], 3))


def has_contrast(pictures: np.ndarray) -> np.ndarray:
    """Return which thumbnails, uint8 [N, 32, 32, 3], are more than one flat colour, bool [N]."""
    flat = pictures.reshape(len(pictures), -1, 3).astype(np.int16)
    return np.asarray(np.ptp(flat, axis=1).max(axis=1) >= _LEAST_CONTRAST)


def find_alike(
    pictures: np.ndarray, owner: np.ndarray, similarity: float = SIMILARITY
) -> list[Alike]:
    """Find pairs of pictures of different owners that are the same picture.

    Args:
        pictures: Thumbnails, uint8 [N, 32, 32, 3].
        owner: int [N].
        similarity: The least correlation of a pair.

    Returns:
        Pairs in the order of their second picture, then of their first.
    """
    rows = np.flatnonzero(has_contrast(pictures))
    if len(rows) < 2:
        return []
    own = pictures[rows]
    pairs = _proposed(own, owner[rows])
    found = _searched(own, pairs)
    kept = [
        Alike(int(rows[a]), int(rows[b]), float(c))
        for (a, b), c in zip(pairs.tolist(), found.tolist(), strict=True)
        if c >= similarity
    ]
    return sorted(kept, key=lambda pair: (pair.second, pair.first))


def _proposed(pictures: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Return pairs whose hashes are close in some crop of one of them, int [m, 2], a < b."""
    grey = pictures.astype(np.float32) @ _GREY
    plain = _signs(_frequencies(grey, WHOLE))
    found = []
    for hashed in _hashes(grey):
        for start in range(0, len(grey), _BLOCK):
            rows = slice(start, start + _BLOCK)
            close = hashed[rows] @ plain.T >= _BITS - 2 * PROPOSED_BITS
            close &= owner[rows, None] != owner[None, :]
            a, b = np.nonzero(close)
            found.append(np.stack([a + start, b], axis=1))
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0)


def _hashes(grey: np.ndarray) -> Iterator[np.ndarray]:
    mirror = (-1.0) ** np.arange(_FREQUENCIES, dtype=np.float32)
    for box in _coarse():
        frequencies = _frequencies(grey, box)
        yield _signs(frequencies)
        yield _signs(frequencies * mirror)


def _searched(pictures: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Return the best correlation of each pair over crops, mirrors and who was cropped."""
    best = np.full(len(pairs), -1.0)
    where: list[Place] = [(False, False, WHOLE)] * len(pairs)
    plain = _embedded(pictures, WHOLE)
    for swapped, mirrored in product((False, True), repeat=2):
        cropped, other = pairs[:, int(swapped)], pairs[:, int(not swapped)]
        for box in _coarse():
            found = _products(_seen(pictures, box, mirrored), plain, cropped, other)
            for row in np.flatnonzero(found > best).tolist():
                where[row] = (swapped, mirrored, box)
            best = np.maximum(best, found)
    for step, promising in _SEARCH:
        rows = np.flatnonzero((best >= promising) & (best < _NO_DOUBT))
        together: dict[Place, list[int]] = defaultdict(list)
        for row in rows.tolist():
            together[where[row]].append(row)
        for place, of_place in together.items():
            _improve(pictures, plain, pairs, np.array(of_place), place, step, best, where)
    return best


def _improve(
    pictures: np.ndarray,
    plain: np.ndarray,
    pairs: np.ndarray,
    rows: np.ndarray,
    place: Place,
    step: float,
    best: np.ndarray,
    where: list[Place],
) -> None:
    """Look around the place that pairs share; note what helps in ``best`` and ``where``."""
    swapped, mirrored, centre = place
    cropped, other = pairs[rows, int(swapped)], plain[pairs[rows, int(not swapped)]]
    one_each = np.arange(len(rows))
    for box in _around(centre, step):
        found = _products(_seen(pictures[cropped], box, mirrored), other, one_each, one_each)
        better = found > best[rows]
        for row in rows[better]:
            where[row] = (swapped, mirrored, box)
        best[rows] = np.maximum(best[rows], found)


def _around(box: Box, step: float) -> Iterator[Box]:
    top, left, side = box
    for longer in (-step, 0.0, step):
        size = min(max(side + longer, 0.86), 1.0)
        for down in (-step, 0.0, step):
            for right in (-step, 0.0, step):
                # the crop stays inside the picture, and grows around its middle
                y = min(max(top + down - (size - side) / 2, 0.0), 1.0 - size)
                x = min(max(left + right - (size - side) / 2, 0.0), 1.0 - size)
                yield (y, x, size)


@cache
def _coarse() -> tuple[Box, ...]:
    places = (0.0, 0.05, 0.1)
    return (WHOLE, *((y, x, 0.9) for y in places for x in places))


def _embedded(pictures: np.ndarray, box: Box) -> np.ndarray:
    """Return crops as vectors of length 1, float32 [N, 16, 16, 3]."""
    top, left, side = box
    down, across = _resizing(_WIDTH, top, side), _resizing(_WIDTH, left, side)
    blocks = []
    for start in range(0, len(pictures), _BLOCK):
        seen = pictures[start : start + _BLOCK].astype(np.float32)
        small = np.einsum("as,nstc,bt->nabc", down, seen, across, optimize=True)
        small -= small.mean(axis=(1, 2), keepdims=True)
        length = np.sqrt(np.einsum("nabc,nabc->n", small, small))
        blocks.append(small / np.maximum(length, 1e-6)[:, None, None, None])
    return np.concatenate(blocks)


def _seen(pictures: np.ndarray, box: Box, mirrored: bool) -> np.ndarray:
    embedded = _embedded(pictures, box)
    return embedded[:, :, ::-1] if mirrored else embedded


def _products(seen: np.ndarray, plain: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the inner products of rows ``a`` of one and rows ``b`` of the other."""
    found = np.empty(len(a))
    for start in range(0, len(a), _BLOCK):
        rows = slice(start, start + _BLOCK)
        found[rows] = np.einsum("nabc,nabc->n", seen[a[rows]], plain[b[rows]])
    return found


def _frequencies(grey: np.ndarray, box: Box) -> np.ndarray:
    """Return the lowest frequencies of crops, float32 [N, 8, 8]."""
    top, left, side = box
    down = _waves() @ _resizing(THUMBNAIL, top, side)
    across = _waves() @ _resizing(THUMBNAIL, left, side)
    return np.einsum("as,nst,bt->nab", down, grey, across, optimize=True)


def _signs(frequencies: np.ndarray) -> np.ndarray:
    """Return hashes as float32 [N, 64] of -1 and 1."""
    flat = frequencies.reshape(len(frequencies), -1)
    return np.where(flat > np.median(flat, axis=1, keepdims=True), 1, -1).astype(np.float32)


@cache
def _waves() -> np.ndarray:
    """Return the first cosines of the discrete cosine transform, [8, 32]."""
    k, x = np.arange(_FREQUENCIES)[:, None], np.arange(THUMBNAIL)[None, :]
    return np.cos(np.pi * k * (2 * x + 1) / (2 * THUMBNAIL)).astype(np.float32)


@cache
def _resizing(pixels: int, start: float, side: float) -> np.ndarray:
    """Return the matrix that makes so many pixels of a part of a line of 32, triangle filter."""
    scale = side * THUMBNAIL / pixels
    centres = start * THUMBNAIL + (np.arange(pixels) + 0.5) * scale
    distance = np.abs(np.arange(THUMBNAIL)[None, :] + 0.5 - centres[:, None])
    weights = np.clip(1 - distance / max(scale, 1.0), 0, None)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)
