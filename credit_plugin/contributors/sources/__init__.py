"""The registry of sources: where a contributor-labelled dataset comes from.

A source is a function ``(data: DataSettings, seed: int) -> ContributorDataset``. Each module of
this package registers the source of its own name and is imported when that is asked for, so that
listing sources stays light.
"""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from credit_plugin.config import DataSettings
from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.errors import InputError
from credit_plugin.registry import Registry
from credit_plugin.seeding import numpy_generator

Source = Callable[[DataSettings, int], ContributorDataset]

MIN_CONTRIBUTORS = 2

SOURCES: Registry[Source] = Registry(
    __name__, "credit_plugin.sources", "a source", module_each=True
)
register_source = SOURCES.register
source_names = SOURCES.names


def load_contributors(data: DataSettings, seed: int = 0) -> ContributorDataset:
    """Load the dataset that ``data`` names and make sure that a study can use it.

    Args:
        data: Source, path, image size, smallest contribution and the source's own options.
        seed: The study's seed, for sources that draw; those of this package do not.

    Raises:
        InputError: Lines that name the field under ``data`` and the mend.
    """
    dataset = SOURCES.get(data.source, "data.source")(data, seed)
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
    return with_noise(dataset, data.noise, seed) if data.noise else dataset


def with_noise(
    dataset: ContributorDataset, contributors: Sequence[str], seed: int
) -> ContributorDataset:
    """Return a dataset in which some contributors' images are uniform noise.

    Args:
        dataset: The real images; labels and captions stay as they are.
        contributors: Whose images are replaced.
        seed: The study's seed.

    Raises:
        InputError: If there is no such contributor.
    """
    images = np.array(dataset.images)
    for name in contributors:
        if name not in dataset.contributors:
            close = difflib.get_close_matches(name, dataset.contributors, n=1)
            hint = f"did you mean {close[0]!r}?" if close else "name one of the data's"
            raise InputError(f"data.noise: there is no contributor {name!r}; {hint}")
        own = dataset.contributor == dataset.contributors.index(name)
        generator = numpy_generator(seed, name, "images of noise")
        images[own] = generator.integers(0, 256, images[own].shape, np.uint8)
    return replace(dataset, images=images)


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
