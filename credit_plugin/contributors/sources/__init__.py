"""The registry of sources: where a contributor-labelled dataset comes from.

A source is a function ``(data: DataSettings, seed: int) -> ContributorDataset``. Those of this
package are listed in a table of modules and imported when they are asked for, so that this
module stays light; the others register with :func:`register_source`, or are announced by an
installed package as an entry point of the group ``credit_plugin.sources`` whose module registers
the source under the entry point's name.
"""

import difflib
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points

from credit_plugin.config import DataSettings
from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.errors import InputError

Source = Callable[[DataSettings, int], ContributorDataset]

ENTRY_POINT_GROUP = "credit_plugin.sources"
MIN_CONTRIBUTORS = 2

_MODULES = {
    "designers": f"{__name__}.designers",
    "digits": f"{__name__}.digits",
    "imagefolder": f"{__name__}.imagefolder",
}
_SOURCES: dict[str, Source] = {}


def register_source(name: str) -> Callable[[Source], Source]:
    """Register the decorated function as the source ``name``."""

    def register(source: Source) -> Source:
        _SOURCES[name] = source
        return source

    return register


def source_names() -> list[str]:
    """Return the sorted names of all sources, without importing them."""
    announced = entry_points(group=ENTRY_POINT_GROUP).names
    return sorted({*_MODULES, *_SOURCES, *announced})


def load_contributors(data: DataSettings, seed: int = 0) -> ContributorDataset:
    """Load the dataset that ``data`` names and make sure that a study can use it.

    Args:
        data: Source, path, image size, smallest contribution and the source's own options.
        seed: The study's seed, for sources that draw; those of this package do not.

    Raises:
        InputError: Lines that name the field under ``data`` and the mend.
    """
    dataset = _find(data.source)(data, seed)
    if dataset.image_size != data.image_size:
        raise InputError(
            f"data.image_size = {data.image_size}: source {data.source!r} gives images of "
            f"{dataset.image_size} pixels; use that size"
        )
    if dataset.n_contributors < MIN_CONTRIBUTORS:
        raise InputError(
            f"data.source: {data.source!r} has one contributor only; values need at least "
            f"{MIN_CONTRIBUTORS}"
        )
    _refuse_small(dataset, data.min_images)
    return dataset


def _find(name: str) -> Source:
    if name not in _SOURCES and name in _MODULES:
        import_module(_MODULES[name])
    elif name not in _SOURCES:
        for entry_point in entry_points(group=ENTRY_POINT_GROUP, name=name):
            entry_point.load()
    if name not in _SOURCES:
        names = source_names()
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {close[0]}?" if close else f"choose from {', '.join(names)}"
        raise InputError(f"data.source: {name!r} does not exist; {hint}")
    return _SOURCES[name]


def _refuse_small(dataset: ContributorDataset, min_images: int) -> None:
    small = [
        f"{name!r} has {count}"
        for name, count in zip(dataset.contributors, dataset.counts, strict=True)
        if count < min_images
    ]
    if small:
        more = f" and {len(small) - 5} more" if len(small) > 5 else ""
        raise InputError(
            f"data.min_images = {min_images}: too few images ({', '.join(small[:5])}{more}); "
            "add images, group contributors, or lower data.min_images"
        )
