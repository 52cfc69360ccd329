"""The same picture twice: exact copies by hash, near copies by their looks.

*Exact*: SHA-256 of the decoded RGB pixels and the size; a copy in another lossless format, or with
other metadata, is found.

*Near, across contributors*: mirrored, cropped, recompressed or tinted copies, see
:mod:`credit_plugin.contributors.lookalike`. Two pictures below 32 pixels are compared exactly only:
of 8 x 8 digits one in six looks like another contributor's.

Each picture is reported once, with its most similar predecessor, so the report is linear in N.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from credit_plugin.contributors.findings import Finding, warning
from credit_plugin.contributors.lookalike import Alike, find_alike, thumbnails

LEAST_PIXELS = 32


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What identifies a picture.

    Attributes:
        file: Relative path.
        contributor: Its owner.
        size: (width, height) in pixels.
        exact: SHA-256 of the decoded pixels.
        thumbnail: uint8 [32, 32, 3].
    """

    file: str
    contributor: str
    size: tuple[int, int]
    exact: bytes
    thumbnail: np.ndarray


def exact_hash(picture: Image.Image) -> bytes:
    """Return the SHA-256 of the size and the RGB pixels of a decoded picture."""
    state = hashlib.sha256(f"{picture.width} {picture.height}\n".encode())
    state.update(picture.convert("RGB").tobytes())
    return state.digest()


def exact_copies(prints: Sequence[Fingerprint]) -> tuple[list[Finding], list[Fingerprint]]:
    """Find exact copies within and across contributors.

    Returns:
        One warning for each picture that equals an earlier one, and the pictures that do not.
    """
    first: dict[bytes, Fingerprint] = {}
    findings = []
    for own in prints:
        original = first.setdefault(own.exact, own)
        if original is own:
            continue
        of_whom = (
            "the same contributor"
            if own.contributor == original.contributor
            else f"contributor {original.contributor!r}"
        )
        findings.append(warning(own.file, f"is an exact copy of {original.file} of {of_whom}"))
    return findings, list(first.values())


def near_copies(prints: Sequence[Fingerprint]) -> list[Finding]:
    """Find pictures that look like an earlier one of another contributor."""
    large = np.array([min(own.size) >= LEAST_PIXELS for own in prints])
    if not large.any():
        return []
    _, owner = np.unique([own.contributor for own in prints], return_inverse=True)
    most: dict[int, Alike] = {}
    for pair in find_alike(np.stack([own.thumbnail for own in prints]), owner):
        known = most.get(pair.second)
        told_apart = large[pair.first] or large[pair.second]
        if told_apart and (known is None or pair.similarity > known.similarity):
            most[pair.second] = pair
    return [
        warning(
            prints[pair.second].file,
            f"looks like {prints[pair.first].file} of contributor "
            f"{prints[pair.first].contributor!r} (similarity {min(pair.similarity, 1):.3f} of 1)",
        )
        for pair in most.values()
    ]


def same_pictures(images: np.ndarray, owner: np.ndarray) -> list[np.ndarray]:
    """Return clusters of images that are the same picture across owners.

    Args:
        images: uint8 [N, H, H, C].
        owner: int [N].

    Returns:
        int64 indices of each cluster, sorted, with images of two owners at least. Exact copies
        within an owner join the cluster of a picture that others have too.
    """
    from scipy.sparse import coo_array  # reading a dataset does not need it
    from scipy.sparse.csgraph import connected_components

    ends = _exact_pairs(images)
    if images.shape[1] >= LEAST_PIXELS:
        ends += [(pair.first, pair.second) for pair in find_alike(thumbnails(images), owner)]
    if not ends:
        return []
    a, b = np.array(ends).T
    graph = coo_array((np.ones(len(a)), (a, b)), shape=(len(images), len(images)))
    _, label = connected_components(graph, directed=False)
    together = np.flatnonzero(np.bincount(label)[label] > 1)
    order = together[np.argsort(label[together], kind="stable")]
    clusters = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
    across = [np.sort(rows) for rows in clusters if len(np.unique(owner[rows])) > 1]
    return sorted(across, key=lambda rows: int(rows[0]))


def _exact_pairs(images: np.ndarray) -> list[tuple[int, int]]:
    """Return each image that equals an earlier one, with the first that it equals."""
    first: dict[bytes, int] = {}
    pairs = []
    for row, image in enumerate(images):
        original = first.setdefault(hashlib.sha256(image.tobytes()).digest(), row)
        if original != row:
            pairs.append((original, row))
    return pairs
