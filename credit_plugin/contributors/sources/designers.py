"""Source ``designers``: 12 named designers, 160 avatars each, that ship with the package.

The avatars are drawn by the designers' own published styles, rendered at 128 pixels on white and
averaged to 16; at any other ``image_size`` they are resized from 16. Ten of the designs are CC BY
4.0, two are CC0: the attribution lines are in the dataset and in ``data/ATTRIBUTION.md``, and
travel with every copy. The archive is compared with its SHA-256 before it is opened.
"""

import hashlib
import io
import json
from importlib import resources

import numpy as np

from credit_plugin.config import DataSettings, Settings
from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.contributors.options import parse_options, refuse_path
from credit_plugin.contributors.resizing import resize_images
from credit_plugin.contributors.sources import register_source
from credit_plugin.errors import InputError

ARCHIVE = "avatars16.npz"
ARCHIVE_SHA256 = "d43430bc565cbe0dd71da2cfabc506a9c9d4c5978af8202be824548a43e68b7d"


class DesignersOptions(Settings):
    """The source has no options."""


@register_source("designers")
def load_designers(data: DataSettings, seed: int) -> ContributorDataset:
    """Return the 1,920 avatars; the seed is not used.

    Args:
        data: ``image_size`` counts; ``path`` and ``options`` must be empty.
        seed: Not used.

    Raises:
        InputError: If ``data.path`` or an option is given, or the shipped archive is damaged.
    """
    refuse_path(data)
    parse_options(DesignersOptions, data)
    folder = resources.files("credit_plugin.contributors") / "data"
    packed = (folder / ARCHIVE).read_bytes()
    if hashlib.sha256(packed).hexdigest() != ARCHIVE_SHA256:
        raise InputError(f"{ARCHIVE} inside the package is damaged; reinstall credit_plugin")
    archive = np.load(io.BytesIO(packed), allow_pickle=False)
    records = json.loads((folder / "contributors.json").read_text("utf-8"))
    return ContributorDataset(
        name="designers",
        images=resize_images(archive["images"], data.image_size),
        contributor=archive["contributor"].astype(np.int64),
        contributors=tuple(record["contributor"] for record in records),
        attribution=tuple(record["attribution"] for record in records),
        licences=tuple(record["licence"] for record in records),
    )
