"""Observers: the network through which a study looks at images, and the registry of them.

An observer turns images into features and, some of them, class probabilities. A property looks
through the study's observer, or through one of its own. ``fit`` makes an observer from the study's
own real images, once, and keeps in a folder what ``load`` needs in every worker. Classes are the
dataset's labels where it has them, its contributors otherwise.

Each module of this package registers the observer of its own name with
:func:`register_observer`; an installed package announces further ones as entry points of
``credit_plugin.observers``.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np

from credit_plugin.config import PropertySettings, Settings
from credit_plugin.config.options import parsed
from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.properties.registry import ImageSet
from credit_plugin.registry import Registry

Report = Callable[[int, int], None]
OptionsT = TypeVar("OptionsT", bound=Settings)


@dataclass(frozen=True, eq=False)
class Fitted:
    """What came of fitting an observer.

    Attributes:
        reference: The real images that the properties' reference statistics are made from.
        accuracy: Share of held-out real images whose class is the most probable one, in [0, 1];
            None for an observer that knows no classes.
    """

    reference: ImageSet
    accuracy: float | None


class Observer(ABC):
    """Base of observers; an instance is ready to describe images.

    Attributes:
        name: As the study file says it.
        classes: Whether it gives class probabilities.
    """

    name: ClassVar[str]
    classes: ClassVar[bool] = False

    @classmethod
    def check(cls, settings: PropertySettings) -> None:
        """Refuse settings that cannot be used, before any work; the base accepts all.

        Raises:
            InputError: One line that names the field and the mend.
        """
        return

    @classmethod
    def identity(cls, settings: PropertySettings) -> str:
        """Return what identifies the content of a network that the settings name.

        The base has none: what it looks through is made from the study, or is always the same.

        Raises:
            InputError: If the network is missing, with the mend.
        """
        return ""

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
    def describe(self, images: np.ndarray, report: Report | None = None) -> ImageSet:
        """Return uint8 images [N, H, W, C] with features [N, d] and probabilities [N, k].

        Args:
            images: uint8 [N, H, W, C], at least one.
            report: Called with (images done, images in all).
        """


class TextObserver(Observer):
    """An observer that sees texts beside images, in the same space."""

    @abstractmethod
    def read(self, texts: Sequence[str]) -> np.ndarray:
        """Return texts in the space of features, float32 [t, d]."""


OBSERVERS: Registry[type[Observer]] = Registry(
    __name__, "credit_plugin.observers", "an observer", module_each=True
)
register_observer = OBSERVERS.register
observer_names = OBSERVERS.names


def observer_options(settings: PropertySettings, name: str, model: type[OptionsT]) -> OptionsT:
    """Return ``properties.observers.<name>`` as the settings class of an observer.

    Raises:
        InputError: If an option is unknown or wrong.
    """
    return parsed(model, settings.observers.get(name, {}), f"properties.observers.{name}")


def get_observer(name: str) -> type[Observer]:
    """Return the observer ``name``.

    Raises:
        InputError: If it is not registered.
    """
    return OBSERVERS.get(name, "properties.observer")


def class_labels(dataset: ContributorDataset) -> np.ndarray:
    """Return the classes of a dataset's images, int64 [N]: labels, or else contributors."""
    return dataset.contributor if dataset.labels is None else dataset.labels
