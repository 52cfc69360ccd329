"""Source ``imagefolder``: your own folder of images, with a metadata.csv or a folder per owner.

Layouts are described in :mod:`credit_plugin.contributors.folder`. Pictures become RGB (or grey),
are cut to a centred square and resized with Pillow's Lanczos filter to ``data.image_size``.
Contributors are in the order of their names, images in the order of their files; labels are the
positions of the label column's distinct values, numbers in numerical order.

Only what cannot be used is refused: the errors of
:func:`~credit_plugin.contributors.check.check_folder`, which also lists the warnings.
"""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image
from pydantic import Field

from credit_plugin.config import DataSettings, Settings
from credit_plugin.contributors.check import decoding_findings, resolve_folder, scan_folder
from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.contributors.findings import Finding
from credit_plugin.contributors.folder import Entry
from credit_plugin.contributors.options import parse_options
from credit_plugin.contributors.pictures import Decoded, decode_each
from credit_plugin.contributors.sources import register_source
from credit_plugin.errors import InputError


class ImageFolderOptions(Settings):
    """How pictures become images."""

    grayscale: bool = Field(False, description="One grey channel instead of RGB.")
    crop: Literal["center", "none"] = Field(
        "center", description="Cut to a centred square, or squeeze the whole picture into one."
    )
    captions: str = Field("text", description="Column of metadata.csv that describes the images.")


@register_source("imagefolder")
def load_imagefolder(data: DataSettings, seed: int) -> ContributorDataset:
    """Return the images of the folder ``data.path``; the seed is not used.

    Args:
        data: ``path``, ``image_size`` and ``options`` count.
        seed: Not used.

    Raises:
        InputError: If the path is missing, an option is wrong, or an image cannot be used.
    """
    options = parse_options(ImageFolderOptions, data)
    if data.path is None:
        raise InputError("data.path is missing; name the folder of images")
    root = resolve_folder(data.path, "data.path")
    scan = scan_folder(root, options.captions)
    _refuse_errors(scan.findings, data.path)
    if not scan.entries:
        raise InputError(f"data.path: {data.path} holds no pictures; {_advice(data.path)}")
    images = _load_images(root, scan.entries, data, _preparation(data.image_size, options))
    names, owner = np.unique([entry.contributor for entry in scan.entries], return_inverse=True)
    return ContributorDataset(
        name=root.name,
        images=images,
        contributor=owner.astype(np.int64),
        contributors=tuple(names.tolist()),
        labels=_labels([e.label for e in scan.entries if e.label is not None]),
        captions=tuple(e.text for e in scan.entries if e.text is not None) or None,
        items=tuple(entry.file for entry in scan.entries),
        registered=tuple(entry.registered for entry in scan.entries),
    )


def prepare(picture: Image.Image, size: int, options: ImageFolderOptions) -> np.ndarray:
    """Return a decoded picture as a square image, uint8 [size, size, C]."""
    picture = picture.convert("L" if options.grayscale else "RGB")
    box = (0.0, 0.0, float(picture.width), float(picture.height))
    if options.crop == "center":
        side = min(picture.size)
        left, top = (picture.width - side) / 2, (picture.height - side) / 2
        box = (left, top, left + side, top + side)
    square = picture.resize((size, size), Image.Resampling.LANCZOS, box=box)
    return np.asarray(square).reshape(size, size, -1)


def _preparation(size: int, options: ImageFolderOptions) -> Callable[[Image.Image], np.ndarray]:
    return lambda picture: prepare(picture, size, options)


def _load_images(
    root: Path,
    entries: Sequence[Entry],
    data: DataSettings,
    use: Callable[[Image.Image], np.ndarray],
) -> np.ndarray:
    images: list[np.ndarray] = []
    findings: list[Finding] = []
    decoded: Decoded[np.ndarray]
    for decoded in decode_each(root, [entry.file for entry in entries], use):
        findings += decoding_findings(decoded)
        if decoded.result is not None:
            images.append(decoded.result)
    _refuse_errors(findings, data.path or root)
    return np.stack(images)


def _refuse_errors(findings: Sequence[Finding], path: Path) -> None:
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        first = errors[0]
        raise InputError(f"data.path: {first.where}: {first.message} ({_advice(path)})")


def _advice(path: Path) -> str:
    return f"run `credit data check {shlex.quote(str(path))}` for the rest"


def _labels(written: Sequence[str]) -> np.ndarray | None:
    """Return int64 [N] positions of the values among the distinct ones, None without a column."""
    if not written:
        return None
    values = [label.strip() for label in written]
    distinct = sorted(set(values))
    if all(value.removeprefix("-").isdecimal() for value in distinct):
        distinct.sort(key=int)
    position = {value: index for index, value in enumerate(distinct)}
    return np.array([position[value] for value in values], np.int64)
