"""Source ``archive``: images and who gave them, as arrays of one NumPy archive (.npz).

``data.options`` names the arrays:

* ``images``: uint8 or bool [N, H, W] (grey) or [N, H, W, C] with H = W and C in {1, 3};
* ``contributor``: one array, or several whose combinations are the contributors, for instance
  ``[alphabet, drawer]``; each is integers or text [N];
* ``labels``: classes, integers or text [N], if there are any;
* ``captions``: what the images show, text [N], or integers [N] that ``names`` gives texts.

Where ``images`` has more axes in front, [a, b, ..., H, W, C], ``axes`` names them: each name is
then an array of integers by which the images are told apart, as if the archive had it, for instance
``axes: [vendor, concept]`` with ``contributor: vendor``.

``names`` gives integers a name: ``{alphabet: alphabet_names}`` shows entry a of ``alphabet`` as
``alphabet_names[a]``. ``title`` makes the name of a contributor out of its arrays, as Python's
``str.format`` does. ``keep`` selects images by the values that arrays show.

Bytes are taken as they are, 0 to 255; bool, and bytes of which none is above 1, become 0 and 255.
Ink is neither searched for nor inverted. At another ``image_size`` images are resized. Contributors
are in the order of their integers (of their text without integers), labels likewise, numbered
from 0 among the images that are kept.

Archives are opened without unpickling: an array of Python objects is refused.
"""

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, field_validator

from credit_plugin.config import DataSettings, Settings
from credit_plugin.contributors.columns import OPTIONS, Column, kept_rows, some_of
from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.contributors.options import parse_options
from credit_plugin.contributors.resizing import resize_images
from credit_plugin.contributors.sources import register_source
from credit_plugin.errors import InputError


class ArchiveOptions(Settings):
    """Which arrays of the archive mean what."""

    images: str = Field("images", description="Array of the images.")
    axes: tuple[str, ...] = Field(
        (), description="Names of the axes before height, if images has more than one."
    )
    contributor: tuple[str, ...] = Field(
        ("contributor",),
        min_length=1,
        description="Array that says who gave each image, or several that say it together.",
    )
    labels: str | None = Field(None, description="Array of the images' classes.")
    captions: str | None = Field(None, description="Array of the images' captions.")
    names: dict[str, str] = Field(
        {}, description="For an array of integers, the array of text that names them."
    )
    title: str = Field(
        "", description="Name of a contributor, for instance '{alphabet}, drawer {drawer:02d}'."
    )
    keep: dict[str, tuple[str | int, ...]] = Field(
        {}, description="For an array, the values whose images are used; all others are not."
    )
    licence: str = Field("", description="Licence of every contribution.")
    attribution: str = Field("", description="Line that must travel with any copy.")
    expects: str = Field("", description="What the file is, said when data.path is missing.")

    @field_validator("contributor", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


@register_source("archive")
def load_archive(data: DataSettings, seed: int) -> ContributorDataset:
    """Return the labelled images of the archive ``data.path``; the seed is not used.

    Args:
        data: ``path``, ``image_size`` and ``options`` count.
        seed: Not used.

    Raises:
        InputError: If the path is missing, an option is wrong, or an array does not fit.
    """
    options = parse_options(ArchiveOptions, data)
    if data.path is None:
        what = options.expects or "the .npz archive of images and contributors"
        raise InputError(f"data.path is missing; set it to the file {what}")
    arrays = _read(data.path, _wanted(options))
    if options.axes:
        arrays |= _unfolded(arrays[options.images], options)
    images = _as_images(arrays[options.images], options.images)
    columns = {
        name: _as_column(name, field, arrays, options.names.get(name), len(images))
        for name, field in _columns(options).items()
    }
    rows = kept_rows(columns, options.keep, len(images))
    owner, contributors = _contributors(columns, options, rows)
    labels = None
    if options.labels is not None:
        labels = np.unique(columns[options.labels].codes[rows], return_inverse=True)[1]
    captions = None
    if options.captions is not None:
        column = columns[options.captions]
        captions = tuple(str(column.shown[code]) for code in column.codes[rows])
    count = len(contributors)
    return ContributorDataset(
        name=data.path.stem,
        images=resize_images(images[rows], data.image_size),
        contributor=owner,
        contributors=contributors,
        labels=None if labels is None else labels.astype(np.int64),
        captions=captions,
        attribution=(options.attribution,) * count if options.attribution else (),
        licences=(options.licence,) * count if options.licence else (),
    )


def _columns(options: ArchiveOptions) -> dict[str, str]:
    """Return the arrays with one entry for each image, with the option that names each first."""
    fields = dict.fromkeys(options.contributor, f"{OPTIONS}.contributor")
    if options.labels is not None:
        fields.setdefault(options.labels, f"{OPTIONS}.labels")
    if options.captions is not None:
        fields.setdefault(options.captions, f"{OPTIONS}.captions")
    for name in options.keep:
        fields.setdefault(name, f"{OPTIONS}.keep")
    for name in options.names:
        if name not in fields:
            raise InputError(f"{OPTIONS}.names.{name}: no option uses array {name!r}; remove it")
    return fields


def _wanted(options: ArchiveOptions) -> dict[str, str]:
    fields = {options.images: f"{OPTIONS}.images", **_columns(options)}
    fields = {name: field for name, field in fields.items() if name not in options.axes}
    return fields | {names: f"{OPTIONS}.names.{of}" for of, names in options.names.items()}


def _read(path: Path, wanted: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Return the wanted arrays, each given with the option that names it."""
    try:
        with zipfile.ZipFile(path):  # np.load would take a bare array and name pickles in errors
            pass
        opened = np.load(path, allow_pickle=False)
    except OSError as error:
        raise InputError(f"data.path: {path} cannot be read: {error.strerror}") from None
    except (zipfile.BadZipFile, ValueError):
        raise InputError(
            f"data.path: {path} is not an .npz archive; write one with numpy.savez"
        ) from None
    with opened as archive:
        return {name: _array(archive, name, field, path) for name, field in wanted.items()}


def _array(archive: Any, name: str, field: str, path: Path) -> np.ndarray:
    if name not in archive.files:
        raise InputError(f"{field}: {path} has no array {name!r}; it has {some_of(archive.files)}")
    try:
        array = archive[name]
    except ValueError:
        raise InputError(
            f"{field}: array {name!r} holds Python objects, which are never loaded; save numbers "
            "or text"
        ) from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError):
        raise InputError(f"data.path: {path} is damaged: array {name!r} cannot be read") from None
    if not isinstance(array, np.ndarray):
        raise InputError(f"{field}: {name!r} in {path} is no array; write it with numpy.savez")
    return array


def _unfolded(array: np.ndarray, options: ArchiveOptions) -> dict[str, np.ndarray]:
    """Return images with one axis before height, and for each named axis the index on it."""
    shape = array.shape[: len(options.axes)]
    if array.ndim - len(shape) not in (2, 3) or 0 in shape:
        raise InputError(
            f"{OPTIONS}.axes: array {options.images!r} is {list(array.shape)}; name all axes "
            "before height and width"
        )
    positions = np.indices(shape).reshape(len(shape), -1)
    flat = array.reshape(-1, *array.shape[len(shape) :])
    return {options.images: flat, **dict(zip(options.axes, positions, strict=True))}


def _as_images(array: np.ndarray, name: str) -> np.ndarray:
    """Return uint8 [N, H, H, C]."""
    found = f"{array.dtype} {list(array.shape)}"
    images = array[..., None] if array.ndim == 3 else array
    square = images.ndim == 4 and len(images) and images.shape[1] == images.shape[2] > 0
    if array.dtype not in (np.uint8, np.bool_) or not square or images.shape[3] not in (1, 3):
        raise InputError(
            f"{OPTIONS}.images: array {name!r} is {found}; it must be uint8 or bool [N, H, W] or "
            "[N, H, W, C], square, with 1 or 3 channels"
        )
    if images.dtype == np.bool_ or images.max() == 1:
        return images.astype(np.uint8) * np.uint8(255)
    return images


def _as_column(
    name: str, field: str, arrays: Mapping[str, np.ndarray], names: str | None, count: int
) -> Column:
    array = arrays[name]
    if array.shape != (count,) or array.dtype.kind not in "iuU":
        raise InputError(
            f"{field}: array {name!r} is {array.dtype} {list(array.shape)}; it must be integers or "
            f"text [{count}], one entry for each image"
        )
    if names is None:
        return Column.of(array)
    texts = arrays[names]
    if texts.ndim != 1 or texts.dtype.kind != "U" or array.dtype.kind == "U":
        raise InputError(
            f"{OPTIONS}.names.{name}: {names!r} must be text [k] that names the integers of "
            f"{name!r}; they are {texts.dtype} {list(texts.shape)} and {array.dtype}"
        )
    if array.min() < 0 or array.max() >= len(texts):
        raise InputError(
            f"{field}: array {name!r} has entries from {array.min()} to {array.max()}, but "
            f"{names!r} names 0 to {len(texts) - 1}"
        )
    return Column(array.astype(np.int64), tuple(texts.tolist()))


def _contributors(
    columns: Mapping[str, Column], options: ArchiveOptions, rows: np.ndarray
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return each kept image's contributor, int64, and the contributors' names."""
    codes = np.stack([columns[name].codes[rows] for name in options.contributor], axis=1)
    combinations, owner = np.unique(codes, axis=0, return_inverse=True)
    title = options.title or ", ".join(f"{{{name}}}" for name in options.contributor)
    names = []
    for combination in combinations:
        parts = zip(options.contributor, combination, strict=True)
        values = {name: columns[name].shown[code] for name, code in parts}
        try:
            names.append(title.format(**values))
        except (LookupError, ValueError, AttributeError, TypeError):
            usable = ", ".join(f"{{{name}}}" for name in options.contributor)
            raise InputError(
                f"{OPTIONS}.title: {title!r} cannot be filled in; it may use {usable}"
            ) from None
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(
            f"{OPTIONS}.title: several contributors would be called {twice!r}; use every array of "
            f"{OPTIONS}.contributor in it"
        )
    # NumPy 2.0 alone gives the inverse of rows a second axis
    return owner.reshape(-1).astype(np.int64), tuple(names)
