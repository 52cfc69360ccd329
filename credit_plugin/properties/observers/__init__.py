"""Observers: the network through which a study looks at images, and the registry of them.

An observer turns images into features and class probabilities; every property of a study looks
through the same one. ``fit`` makes it from the study's own real images, once, and keeps in a
folder what ``load`` needs in every worker. Classes are the dataset's labels where it has them,
its contributors otherwise.

Each module of this package registers the observer of its own name with
:func:`register_observer`; an installed package announces further ones as entry points of
``credit_plugin.observers``.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from credit_plugin.config import PropertySettings
from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.properties.registry import ImageSet
from credit_plugin.registry import Registry

Report = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Fitted:
    """What came of fitting an observer.

    Attributes:
        reference: The real images that the properties' reference statistics are made from.
        accuracy: Share of held-out real images whose class is the most probable one, in [0, 1].
    """

    reference: ImageSet
    accuracy: float


class Observer(ABC):
    """Base of observers; an instance is ready to describe images."""

    @classmethod
    def check(cls, settings: PropertySettings) -> None:
        """Refuse settings that cannot be used, before any work; the base accepts all.

        Raises:
            InputError: One line that names the field and the mend.
        """
        return

    @classmethod
    @abstractmethod
    def effort(cls, settings: PropertySettings, images: int) -> tuple[int, str]:
        """Return how many units of work ``fit`` reports for so many images, and their name."""

    @classmethod
    @abstractmethod
    def fit(
        cls,
        dataset: ContributorDataset,
        settings: PropertySettings,
        seed: int,
        folder: Path,
        report: Report | None = None,
        device: str = "cpu",
    ) -> Fitted:
        """Make an observer from real images and write to ``folder`` what ``load`` needs.

        Args:
            dataset: The real images.
            settings: Of the properties.
            seed: The study's seed.
            folder: An existing folder; files of other parts may lie beside.
            report: Called with (units done, units in all).
            device: Where a network that is not trained may run.

        Raises:
            InputError: If the settings or the images cannot be used.
        """

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, settings: PropertySettings, device: str) -> "Observer":
        """Return the observer that ``fit`` wrote.

        Raises:
            InputError: If a file that it needs is missing or another one.
        """

    @abstractmethod
    def describe(self, images: np.ndarray) -> ImageSet:
        """Return uint8 images [N, H, W, C] with features [N, d] and probabilities [N, k]."""


OBSERVERS: Registry[type[Observer]] = Registry(
    __name__, "credit_plugin.observers", "an observer", module_each=True
)
register_observer = OBSERVERS.register
observer_names = OBSERVERS.names


def get_observer(name: str) -> type[Observer]:
    """Return the observer ``name``.

    Raises:
        InputError: If it is not registered.
    """
    return OBSERVERS.get(name, "properties.observer")


def class_labels(dataset: ContributorDataset) -> np.ndarray:
    """Return the classes of a dataset's images, int64 [N]: labels, or else contributors."""
    return dataset.contributor if dataset.labels is None else dataset.labels
