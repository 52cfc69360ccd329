"""Images and who contributed each of them: what every other part computes from.

Digests are SHA-256 over a canonical encoding: each part is preceded by its name, its type and its
shape, integers are little-endian, arrays are in C order and text is UTF-8 with its length. They
change if and only if content that affects a result changes, on any machine and whatever the
memory layout. The dataset's own name, attribution, licences, file names and dates of registration
affect no result and are left out.
"""

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credit_plugin.errors import InputError

if TYPE_CHECKING:
    from hashlib import _Hash

MAX_NAME_LENGTH = 120
_ENCODING_VERSION = b"contributor dataset 1"
# Cc control, Cs surrogate, Zl and Zp line breaks: they would break lines, tables and files
_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
# reordering marks make a name read as another one in a report
_FORBIDDEN_MARKS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, eq=False)
class ContributorDataset:
    """A dataset in which every image belongs to one contributor.

    Attributes:
        name: What the dataset is called.
        images: uint8 [N, H, W, C] with H = W, C in {1, 3}, values 0..255.
        contributor: int64 [N], index into ``contributors``; every contributor has an image.
        contributors: Unique names, the players of the game in their order.
        labels: int64 [N] class labels from 0, if the data has them.
        captions: N texts, if the data has them.
        attribution: Lines that must travel with any copy, one per contributor, or empty.
        licences: One per contributor, or empty.
        items: What each of the N images is called, its file for instance, or empty.
        registered: ISO date on which each of the N images was registered, "" if it is not known,
            or empty.

    Raises:
        InputError: One line that names the attribute that does not fit.
    """

    name: str
    images: np.ndarray
    contributor: np.ndarray
    contributors: tuple[str, ...]
    labels: np.ndarray | None = None
    captions: tuple[str, ...] | None = None
    attribution: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    registered: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_images(self.images)
        _check_names(self.contributors)
        count = len(self.images)
        _check_integers("contributor", self.contributor, count, len(self.contributors))
        without = np.flatnonzero(self.counts == 0)
        if without.size:
            raise InputError(
                f"contributors: {self.contributors[without[0]]!r} has no image; leave it out"
            )
        if self.labels is not None:
            _check_integers("labels", self.labels, count, None)
        if self.captions is not None:
            _check_texts("captions", self.captions, count, "image")
        for field in ("attribution", "licences"):
            if getattr(self, field) != ():
                _check_texts(field, getattr(self, field), self.n_contributors, "contributor")
        for field in ("items", "registered"):
            if getattr(self, field) != ():
                _check_texts(field, getattr(self, field), count, "image")

    @property
    def n_images(self) -> int:
        """Number of images, N."""
        return len(self.images)

    @property
    def n_contributors(self) -> int:
        """Number of contributors, n."""
        return len(self.contributors)

    @property
    def image_size(self) -> int:
        """Height and width of the images in pixels."""
        return int(self.images.shape[1])

    @property
    def channels(self) -> int:
        """Channels of the images: 1 (grey) or 3 (RGB)."""
        return int(self.images.shape[3])

    @property
    def counts(self) -> np.ndarray:
        """Number of images of each contributor, int64 [n]."""
        return np.bincount(self.contributor, minlength=self.n_contributors).astype(np.int64)

    def indices(self, coalition: np.ndarray) -> np.ndarray:
        """Return which images a coalition owns.

        Args:
            coalition: bool [n], true for each member.

        Returns:
            Sorted int64 image indices.

        Raises:
            InputError: If ``coalition`` is not bool [n].
        """
        members = np.asarray(coalition)
        if members.dtype != np.bool_ or members.shape != (self.n_contributors,):
            raise InputError(
                f"coalition must be bool [{self.n_contributors}], "
                f"got {members.dtype} {list(members.shape)}"
            )
        return np.flatnonzero(members[self.contributor]).astype(np.int64)

    def item(self, row: int) -> str:
        """Return what an image is called; its number among its contributor's if it has no name."""
        if self.items:
            return self.items[row]
        own = int((self.contributor[:row] == self.contributor[row]).sum())
        return f"image {own + 1} of {self.contributors[int(self.contributor[row])]}"

    def without(self, contributors: Sequence[str]) -> "ContributorDataset":
        """Return the dataset without some contributors and their images.

        Raises:
            InputError: If nobody is left.
        """
        stays = [index for index, name in enumerate(self.contributors) if name not in contributors]
        rows = np.flatnonzero(np.isin(self.contributor, stays))
        owner = np.searchsorted(np.array(stays, np.int64), self.contributor[rows])
        return self.regrouped(rows, owner, {self.contributors[index]: (index,) for index in stays})

    def regrouped(
        self, rows: np.ndarray, owner: np.ndarray, members: Mapping[str, Sequence[int]]
    ) -> "ContributorDataset":
        """Return some of the images under other contributors.

        Args:
            rows: int64 [m], images that stay.
            owner: int64 [m], index into ``members``.
            members: The new contributors, each with the old ones whose licences and lines of
                attribution are theirs; what differs is joined.

        Raises:
            InputError: If a new contributor has no image.
        """
        return ContributorDataset(
            name=self.name,
            images=self.images[rows],
            contributor=owner.astype(np.int64),
            contributors=tuple(members),
            labels=None if self.labels is None else self.labels[rows],
            captions=None if self.captions is None else tuple(self.captions[r] for r in rows),
            attribution=_joined(self.attribution, members.values(), " "),
            licences=_joined(self.licences, members.values(), "; "),
            items=tuple(self.items[r] for r in rows) if self.items else (),
            registered=tuple(self.registered[r] for r in rows) if self.registered else (),
        )

    def digest(self) -> str:
        """Return the SHA-256 (hexadecimal) of all content that affects a result.

        That is images, contributor, names, labels and captions.
        """
        state = hashlib.sha256(_ENCODING_VERSION)
        _feed_texts(state, "contributors", self.contributors)
        _feed_array(state, "contributor", self.contributor)
        self._feed_content(state, np.arange(self.n_images))
        return state.hexdigest()

    def contributor_digests(self) -> dict[str, str]:
        """Return for each contributor the SHA-256 of its name and everything that it gave.

        A contributor's digest does not depend on who else is in the dataset.
        """
        digests = {}
        for index, name in enumerate(self.contributors):
            state = hashlib.sha256(_ENCODING_VERSION)
            _feed_texts(state, "contributor", (name,))
            self._feed_content(state, np.flatnonzero(self.contributor == index))
            digests[name] = state.hexdigest()
        return digests

    def _feed_content(self, state: "_Hash", rows: np.ndarray) -> None:
        _feed_array(state, "images", self.images[rows])
        if self.labels is not None:
            _feed_array(state, "labels", self.labels[rows])
        if self.captions is not None:
            _feed_texts(state, "captions", [self.captions[row] for row in rows])


def name_problem(name: str) -> str | None:
    """Return what is wrong with a contributor's name, or None if it can be used."""
    if not name.strip():
        return "the name is empty; give the contributor a name"
    if len(name) > MAX_NAME_LENGTH:
        return f"the name has {len(name)} characters; use at most {MAX_NAME_LENGTH}"
    for character in name:
        if unicodedata.category(character) in _FORBIDDEN_CATEGORIES or (
            character in _FORBIDDEN_MARKS
        ):
            return f"the name contains the control character {character!a}; remove it"
    return None


def _joined(
    texts: tuple[str, ...], members: Iterable[Sequence[int]], between: str
) -> tuple[str, ...]:
    """Return one text for each new contributor: the different ones of the old ones."""
    if not texts:
        return ()
    return tuple(between.join(dict.fromkeys(texts[i] for i in old)) for old in members)


def _check_images(images: np.ndarray) -> None:
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 4:
        found = f"{images.dtype} {list(images.shape)}" if isinstance(images, np.ndarray) else "none"
        raise InputError(f"images must be an array uint8 [N, H, W, C], got {found}")
    count, height, width, channels = images.shape
    if count < 1 or height < 1 or height != width:
        raise InputError(f"images must be square and at least one, got {list(images.shape)}")
    if channels not in (1, 3):
        raise InputError(f"images must have 1 or 3 channels, got {channels}")


def _check_names(names: tuple[str, ...]) -> None:
    if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
        raise InputError("contributors must be a tuple of names")
    if not names:
        raise InputError("contributors is empty; name at least one")
    for name in names:
        problem = name_problem(name)
        if problem:
            raise InputError(f"contributors: {name[:MAX_NAME_LENGTH]!a}: {problem}")
    if len(set(names)) < len(names):
        twice = sorted(name for name in set(names) if names.count(name) > 1)
        raise InputError(f"contributors: {twice[0]!r} is there twice; names must be unique")


def _check_integers(field: str, array: np.ndarray, count: int, below: int | None) -> None:
    if not isinstance(array, np.ndarray) or array.dtype != np.int64 or array.shape != (count,):
        raise InputError(f"{field} must be an array int64 [{count}], one entry for each image")
    if array.min() < 0 or (below is not None and array.max() >= below):
        allowed = "at least 0" if below is None else f"in 0..{below - 1}"
        raise InputError(
            f"{field} must be {allowed}, got entries from {array.min()} to {array.max()}"
        )


def _check_texts(field: str, texts: tuple[str, ...], count: int, owner: str) -> None:
    if not isinstance(texts, tuple) or not all(isinstance(text, str) for text in texts):
        raise InputError(f"{field} must be a tuple of texts")
    if len(texts) != count:
        raise InputError(f"{field} must have one text for each {owner}: {count}, not {len(texts)}")


def _feed_array(state: "_Hash", field: str, array: np.ndarray) -> None:
    fixed = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    state.update(f"\n{field} {fixed.dtype.str} {list(fixed.shape)}\n".encode())
    state.update(fixed.data)


def _feed_texts(state: "_Hash", field: str, texts: Sequence[str]) -> None:
    state.update(f"\n{field} text {len(texts)}\n".encode())
    for text in texts:
        # a caption may hold a lone surrogate; names may not
        encoded = text.encode("utf-8", "surrogatepass")
        state.update(f"{len(encoded)}:".encode())
        state.update(encoded)
