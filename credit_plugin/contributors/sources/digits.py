"""Source ``digits``: scikit-learn's 8 x 8 digits, shared out among eight made-up contributors.

A small benchmark game whose answer is known in outline:

* two large archives own half of the images; they overlap in one digit;
* two offices repeat digits that an archive has as well, and so share credit with it;
* a small school is the only one that owns nines: its value is far above its share of images;
* a small scanner adds little;
* ``noise`` gives images without content, under the labels of real digits;
* ``copycat`` gives exact copies of everything that ``office-c`` gives: the two earn the same.

Nothing is drawn: shares take each digit's images in the order of scikit-learn, and the noise is
the output of SHAKE-256, the same on every machine and for every seed. The images are those of
Alpaydin and Kaynak, Optical Recognition of Handwritten Digits (UCI Machine Learning Repository);
their values 0..16 become 0..255.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from credit_plugin.config import DataSettings, Settings
from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.contributors.options import parse_options, refuse_path
from credit_plugin.contributors.resizing import resize_images
from credit_plugin.contributors.sources import register_source


@dataclass(frozen=True)
class Share:
    """What one contributor owns: ``each[digit]`` images of a digit."""

    name: str
    each: dict[int, int]


SHARES = (
    Share("archive-a", dict.fromkeys((0, 1, 2, 3, 4), 70)),
    Share("archive-b", dict.fromkeys((4, 5, 6, 7, 8), 70)),
    Share("office-c", dict.fromkeys((0, 1, 2, 3), 35)),
    Share("office-d", dict.fromkeys((5, 6, 7, 8), 35)),
    Share("school-e", {0: 20, 9: 60}),
    Share("scanner-f", {1: 25, 7: 25}),
    Share("noise", dict.fromkeys((5, 6, 8), 40)),
    Share("copycat", dict.fromkeys((0, 1, 2, 3), 35)),
)
NOISY, COPY, ORIGINAL = "noise", "copycat", "office-c"


class DigitsOptions(Settings):
    """What makes the game harder than real shares of real digits."""

    noisy: bool = Field(True, description="The contributor noise gives noise, not digits.")
    duplicate: bool = Field(True, description="The contributor copycat copies office-c.")


@register_source("digits")
def load_digits(data: DataSettings, seed: int) -> ContributorDataset:
    """Return the shared-out digits, grey, with the digit as label; the seed is not used.

    Args:
        data: ``image_size`` (8 is the digits' own) and ``options`` count; no ``path``.
        seed: Not used.

    Raises:
        InputError: If ``data.path`` or an unknown option is given.
    """
    from sklearn.datasets import load_digits as load  # slow to import, and only needed here

    refuse_path(data)
    options = parse_options(DigitsOptions, data)
    digits = load()
    rows = _share_out(digits.target)
    if options.duplicate:
        rows[COPY] = rows[ORIGINAL]
    everyone = np.concatenate(list(rows.values()))
    owner = np.repeat(np.arange(len(rows)), [len(own) for own in rows.values()])
    images = np.rint(digits.images[everyone] * (255 / 16)).astype(np.uint8)[..., None]
    if options.noisy:
        noisy = owner == list(rows).index(NOISY)
        images[noisy] = _noise(images[noisy].shape)
    return ContributorDataset(
        name="digits",
        images=resize_images(images, data.image_size),
        contributor=owner.astype(np.int64),
        contributors=tuple(rows),
        labels=digits.target[everyone].astype(np.int64),
    )


def _share_out(target: np.ndarray) -> dict[str, np.ndarray]:
    """Return the rows of each contributor; no row is given twice."""
    waiting = {digit: np.flatnonzero(target == digit) for digit in range(10)}
    rows = {}
    for share in SHARES:
        own = []
        for digit, count in share.each.items():
            own.append(waiting[digit][:count])
            waiting[digit] = waiting[digit][count:]
        rows[share.name] = np.concatenate(own)
    return rows


def _noise(shape: tuple[int, ...]) -> np.ndarray:
    """Return uniform bytes that no library version can change."""
    raw = hashlib.shake_256(b"the images of the contributor noise").digest(int(np.prod(shape)))
    return np.frombuffer(raw, np.uint8).reshape(shape)
