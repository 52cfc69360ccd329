"""Base of observers that embed images with a network which is not trained on the study.

At most ``properties.reference_images`` real images are looked at, drawn with every class in
proportion, once for each study. The content of a network is part of what a study's measurements are
addressed by, and is kept beside the references that it made: another one is refused before it is
loaded.
"""

import json
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from credit_plugin.config import PropertySettings
from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.errors import InputError
from credit_plugin.properties.observers import Fitted, Observer, Report, class_labels
from credit_plugin.properties.registry import ImageSet
from credit_plugin.properties.stratified import stratified_order
from credit_plugin.seeding import numpy_generator


class Embedder(Protocol):
    """A network on a device."""

    def features(self, images: np.ndarray, report: Report | None = None) -> np.ndarray:
        """Return float32 [N, d] of uint8 images [N, H, W, C].

        Args:
            images: uint8 [N, H, W, C].
            report: Called with (images done, images in all).
        """


class EmbeddingObserver(Observer):
    """Base of observers that only embed.

    Args:
        network: Gives features.
    """

    def __init__(self, network: Embedder) -> None:
        self.network = network

    @classmethod
    @abstractmethod
    def identity(cls, settings: PropertySettings) -> str:
        """Return the hash of the network's weights, or whatever names them for good."""

    @classmethod
    @abstractmethod
    def open(cls, settings: PropertySettings, device: str) -> Embedder:
        """Return the network.

        Raises:
            InputError: If it is missing, with the mend.
        """

    @classmethod
    def check(cls, settings: PropertySettings) -> None:
        """Refuse a network that is missing."""
        cls.open(settings, "cpu")

    @classmethod
    def effort(cls, settings: PropertySettings, images: int) -> tuple[int, str]:
        """Return the real images that are looked at."""
        return min(settings.reference_images, images), "images"

    @classmethod
    def fit(
        cls,
        dataset: ContributorDataset,
        settings: PropertySettings,
        seed: int,
        folder: Path,
        report: Report | None = None,
        device: str = "cpu",
    ) -> Fitted:
        """Embed real images, and remember with what."""
        images = np.asarray(dataset.images[reference_rows(dataset, settings, seed)])
        known = {"network": cls.identity(settings)}
        (folder / f"{cls.name}.json").write_text(json.dumps(known), "utf-8")
        return Fitted(cls(cls.open(settings, device)).describe(images, report), None)

    @classmethod
    def load(cls, folder: Path, settings: PropertySettings, device: str) -> "EmbeddingObserver":
        """Return the network that made the references."""
        known = json.loads((folder / f"{cls.name}.json").read_text("utf-8"))["network"]
        if cls.identity(settings) != known:
            raise InputError(
                f"properties.observers.{cls.name}: the references in {folder} were made with "
                "another network; name that one"
            )
        return cls(cls.open(settings, device))

    def describe(self, images: np.ndarray, report: Report | None = None) -> ImageSet:
        """Return images with features and no probabilities."""
        return ImageSet(images, self.network.features(images, report), np.empty((0, 0), np.float32))


def reference_rows(
    dataset: ContributorDataset, settings: PropertySettings, seed: int
) -> np.ndarray:
    """Return the real images to look at, int64 [m]; beginnings have all classes in proportion."""
    generator = numpy_generator(seed, "", "reference images")
    return stratified_order(class_labels(dataset), generator)[: settings.reference_images]


def in_batches(
    embed: Callable[[np.ndarray], np.ndarray],
    images: np.ndarray,
    batch_size: int,
    report: Report | None,
) -> np.ndarray:
    """Return what a function makes of images, a batch at a time, as float32 [N, ...].

    Args:
        embed: Makes [b, ...] of a batch of images [b, H, W, C].
        images: uint8 [N, H, W, C], at least one.
        batch_size: Images at once.
        report: Called with (images done, images in all).
    """
    parts: list[np.ndarray] = []
    for start in range(0, len(images), batch_size):
        parts.append(embed(images[start : start + batch_size]).astype(np.float32))
        if report is not None:
            report(min(start + batch_size, len(images)), len(images))
    return np.concatenate(parts)


def colour_tensor(images: np.ndarray, device: str) -> Tensor:
    """Return uint8 images [N, H, W, C] on a device as float32 [N, 3, H, W], 0 to 255."""
    return torch.from_numpy(as_colour(images).transpose(0, 3, 1, 2).copy()).to(device).float()


def as_colour(images: np.ndarray) -> np.ndarray:
    """Return images [N, H, W, 3] of [N, H, W, C]; grey ones get three equal channels."""
    return np.repeat(images, 3, axis=-1) if images.shape[-1] == 1 else images
