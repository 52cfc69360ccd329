"""Source ``huggingface``: a dataset of the Hugging Face hub, or a local folder of one.

``data.path`` is the name on the hub (``owner/dataset``), a folder that the ``datasets`` library can
load (Parquet, ImageFolder), or one that it saved itself. ``data.options`` names the columns:

* ``image``: the pictures; ``contributor``: who gave each, a class or text;
* ``labels``: classes or text; ``captions``: text, if there are any;
* ``keep``: for a column, the values whose rows are used, classes by their *names*; contributors and
  labels are then in the order in which ``keep`` lists them, otherwise in the dataset's own;
* ``each``: at most so many images of each contributor, the first ones.

Pictures are decoded by :mod:`credit_plugin.contributors.pictures` and become squares like those of
source ``imagefolder``. Datasets that are programs are not run. Needs the extra ``hub``.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from credit_plugin.config import DataSettings, Settings
from credit_plugin.contributors.columns import OPTIONS, Column, kept_rows, some_of
from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.contributors.options import parse_options
from credit_plugin.contributors.pictures import PictureError, open_picture
from credit_plugin.contributors.sources import register_source
from credit_plugin.contributors.sources.imagefolder import ImageFolderOptions, prepare
from credit_plugin.errors import InputError

INSTALL = "pip install 'credit_plugin[hub]'"


class HuggingFaceOptions(Settings):
    """Which part of the dataset, and which columns mean what."""

    split: str = Field("train", description="Part of the dataset.")
    revision: str | None = Field(None, description="Branch, tag or commit on the hub.")
    image: str = Field("image", description="Column of the pictures.")
    contributor: str = Field("contributor", description="Column of who gave each.")
    labels: str | None = Field(None, description="Column of classes.")
    captions: str | None = Field(None, description="Column of what the pictures show.")
    keep: dict[str, tuple[str | int, ...]] = Field(
        {}, description="For a column, the values whose rows are used; classes by name."
    )
    each: int | None = Field(None, ge=1, description="Images of each contributor, at most.")
    grayscale: bool = Field(False, description="One grey channel instead of RGB.")
    crop: Literal["center", "none"] = Field(
        "center", description="Cut to a centred square, or squeeze the whole picture into one."
    )
    licence: str = Field("", description="Licence of every contribution.")
    attribution: str = Field("", description="Line that must travel with any copy.")


@register_source("huggingface")
def load_huggingface(data: DataSettings, seed: int) -> ContributorDataset:
    """Return the pictures of a dataset; the seed is not used.

    Args:
        data: ``path``, ``image_size`` and ``options`` count.
        seed: Not used.

    Raises:
        InputError: If the dataset or a column is missing, or a picture cannot be used.
    """
    options = parse_options(HuggingFaceOptions, data)
    if data.path is None:
        raise InputError("data.path is missing; name a dataset of the hub or a folder")
    rows = _load(str(data.path), options)
    columns = {name: _column(rows, name, field) for name, field in _columns(options).items()}
    kept = kept_rows(columns, options.keep, len(rows))
    by = options.contributor
    owner, contributors = _numbered(columns[by], kept, options.keep.get(by, ()))
    if options.each is not None:
        first = _first_of_each(owner, options.each)
        kept, owner = kept[first], owner[first]
    labels = captions = None
    if options.labels is not None:
        listed = options.keep.get(options.labels, ())
        labels = _numbered(columns[options.labels], kept, listed)[0]
    if options.captions is not None:
        column = columns[options.captions]
        captions = tuple(str(column.shown[code]) for code in column.codes[kept])
    count = len(contributors)
    return ContributorDataset(
        name=data.path.name,
        images=_pictures(rows, kept, options, data.image_size, data.path),
        contributor=owner,
        contributors=contributors,
        labels=labels,
        captions=captions,
        attribution=(options.attribution,) * count if options.attribution else (),
        licences=(options.licence,) * count if options.licence else (),
    )


def _load(path: str, options: HuggingFaceOptions) -> Any:
    """Return the split, with pictures as the bytes of their files."""
    try:
        import datasets
    except ImportError:
        raise InputError(
            f"data.source: huggingface needs the library datasets; {INSTALL}"
        ) from None
    try:
        if (Path(path) / "dataset_info.json").exists() or (
            Path(path) / "dataset_dict.json"
        ).exists():
            loaded = datasets.load_from_disk(path)
            rows = loaded[options.split] if isinstance(loaded, datasets.DatasetDict) else loaded
        else:
            rows = datasets.load_dataset(path, split=options.split, revision=options.revision)
        if isinstance(rows.features.get(options.image), datasets.Image):
            rows = rows.cast_column(options.image, datasets.Image(decode=False))
    except KeyError:
        raise InputError(f"{OPTIONS}.split: {path} has no split {options.split!r}") from None
    except ConnectionError:
        raise InputError(
            f"data.path: the hub cannot be reached for {path}, and there is no such folder; give "
            "the path of a copy"
        ) from None
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"data.path: {path} cannot be loaded: {reason[:160]}") from None
    return rows


def _columns(options: HuggingFaceOptions) -> dict[str, str]:
    """Return the columns of text and classes, with the option that names each first."""
    fields = {options.contributor: f"{OPTIONS}.contributor"}
    for name, option in ((options.labels, "labels"), (options.captions, "captions")):
        if name is not None:
            fields.setdefault(name, f"{OPTIONS}.{option}")
    for name in options.keep:
        fields.setdefault(name, f"{OPTIONS}.keep")
    return fields


def _column(rows: Any, name: str, field: str) -> Column:
    """Return a column of text, integers, or classes by their names."""
    if name not in rows.features:
        raise InputError(f"{field}: there is no column {name!r}; there is {some_of(rows.features)}")
    values, names = list(rows[name]), getattr(rows.features[name], "names", None)
    kinds = {type(value) for value in values}
    if kinds not in ({str}, {int}):
        raise InputError(f"{field}: column {name!r} must hold text, whole numbers or classes alone")
    if names:
        return Column(np.array(values, np.int64), tuple(names))
    return Column.of(np.array(values))


def _numbered(
    column: Column, rows: np.ndarray, listed: Sequence[str | int]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the number of each row's value, int64, and the names of the numbers.

    Args:
        column: The values.
        rows: Rows that are used.
        listed: Values in the order of their numbers; empty for that of the column.
    """
    codes = column.codes[rows]
    order = [column.shown.index(value) for value in listed] or np.unique(codes).tolist()
    position = {code: index for index, code in enumerate(c for c in order if c in codes)}
    numbers = np.array([position[code] for code in codes.tolist()], np.int64)
    return numbers, tuple(str(column.shown[code]) for code in position)


def _first_of_each(owner: np.ndarray, each: int) -> np.ndarray:
    """Return the first rows of each contributor, ascending."""
    rows = [np.flatnonzero(owner == index)[:each] for index in range(int(owner.max()) + 1)]
    return np.sort(np.concatenate(rows))


def _pictures(
    rows: Any, kept: np.ndarray, options: HuggingFaceOptions, size: int, root: Path
) -> np.ndarray:
    """Return uint8 [n, size, size, C]."""
    if options.image not in rows.features:
        raise InputError(
            f"{OPTIONS}.image: there is no column {options.image!r}; there is "
            f"{some_of(rows.features)}"
        )
    if getattr(rows.features[options.image], "decode", None) is not False:
        raise InputError(f"{OPTIONS}.image: column {options.image!r} holds no pictures")
    shaping = ImageFolderOptions(grayscale=options.grayscale, crop=options.crop)
    images = np.empty((len(kept), size, size, 1 if options.grayscale else 3), np.uint8)
    for index, row in enumerate(kept.tolist()):
        try:
            picture, _ = open_picture(_stored(rows[row][options.image], root))
        except PictureError as problem:
            raise InputError(f"data.path: picture of row {row} {problem}") from None
        images[index] = prepare(picture, size, shaping)
    return images


def _stored(picture: Mapping[str, Any] | None, root: Path) -> Path | bytes:
    """Return the content of a picture, or its file if that lies in the dataset's folder.

    Raises:
        PictureError: If there is neither.
    """
    if picture is None:
        raise PictureError("is missing; remove the row")
    if picture["bytes"] is not None:
        return bytes(picture["bytes"])
    file = Path(str(picture["path"])).resolve()
    if not file.is_relative_to(root.resolve()) or not file.is_file():
        raise PictureError("lies outside of the dataset's folder; embed it in the dataset")
    return file
