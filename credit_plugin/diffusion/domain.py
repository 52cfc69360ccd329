"""What a model's images are, and what they are of: the part of a dataset that a task must know.

A conditional model is told with every image what it is of: its label, its contributor, or a text.
The distinct ones are the *conditions*, numbered from 0. Which of them a coalition's samples are
drawn with follows from its data: every condition as often as among its images.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from credit_plugin.errors import InputError
from credit_plugin.seeding import numpy_generator

if TYPE_CHECKING:
    from credit_plugin.config import DiffusionSettings
    from credit_plugin.contributors.dataset import ContributorDataset


@dataclass(frozen=True)
class ImageDomain:
    """What a model's images are.

    Attributes:
        image_size: Height and width in pixels.
        channels: 1 (grey) or 3 (RGB).
        conditions: What images can be of: labels, contributors or texts; empty if the model is
            told nothing.
    """

    image_size: int
    channels: int
    conditions: tuple[str, ...] = ()


def domain_of(
    settings: DiffusionSettings, dataset: ContributorDataset
) -> tuple[ImageDomain, np.ndarray | None]:
    """Return the domain of a dataset, and the condition of each image, int64 [N] or None.

    Raises:
        InputError: If the dataset lacks what ``diffusion.condition`` or a prompt asks for.
    """
    texts = _CONDITIONS[settings.condition](settings, dataset)
    if texts is None:
        return ImageDomain(dataset.image_size, dataset.channels), None
    distinct = list(dict.fromkeys(texts))
    if settings.condition == "label":
        distinct.sort(key=int)
    position = {text: index for index, text in enumerate(distinct)}
    domain = ImageDomain(dataset.image_size, dataset.channels, tuple(distinct))
    return domain, np.array([position[text] for text in texts], np.int64)


def draw_conditions(shares: Sequence[int] | np.ndarray, count: int, seed: int) -> Tensor:
    """Return a condition for each of ``count`` samples, int64 [count].

    Each condition is drawn as often as its share says, within one sample. Where two coalitions
    have similar shares, a sample has the same condition in both, or a neighbour of it.

    Args:
        shares: Images of each condition [k], not all zero.
        count: Number of samples.
        seed: Decides which samples get which condition.
    """
    order = numpy_generator(seed, "", "conditions of samples").permutation(count)
    upto = np.cumsum(np.asarray(shares, np.int64))
    # sample i stands at (i + 1/2) / count of them all; in whole numbers, so that nothing is rounded
    drawn = np.searchsorted(2 * count * upto, (2 * order + 1) * upto[-1], side="right")
    return torch.from_numpy(drawn.astype(np.int64))


def _none(settings: DiffusionSettings, dataset: ContributorDataset) -> Sequence[str] | None:
    return None


def _labels(settings: DiffusionSettings, dataset: ContributorDataset) -> Sequence[str]:
    if dataset.labels is None:
        raise InputError(
            "diffusion.condition: the data has no labels; use contributor, or name its labels"
        )
    return [str(label) for label in dataset.labels]


def _contributors(settings: DiffusionSettings, dataset: ContributorDataset) -> Sequence[str]:
    return [dataset.contributors[owner] for owner in dataset.contributor]


def _prompts(settings: DiffusionSettings, dataset: ContributorDataset) -> Sequence[str]:
    used = {name for _, name, _, _ in string.Formatter().parse(settings.prompt) if name}
    if "caption" in used and dataset.captions is None:
        raise InputError(
            f"diffusion.prompt: {settings.prompt!r} asks for captions, and the data has none; "
            "add a column text to metadata.csv, or leave {caption} out"
        )
    captions = dataset.captions or ("",) * dataset.n_images
    owners = _contributors(settings, dataset)
    return [
        settings.prompt.format(contributor=owner, caption=caption)
        for owner, caption in zip(owners, captions, strict=True)
    ]


_CONDITIONS: dict[str, Callable[[DiffusionSettings, ContributorDataset], Sequence[str] | None]] = {
    "none": _none,
    "label": _labels,
    "contributor": _contributors,
    "prompt": _prompts,
}
