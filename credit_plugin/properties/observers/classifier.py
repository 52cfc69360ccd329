"""Observer ``classifier``: the study's own small classifier, trained on all of its images.

Features are the 32 activations before its last layer, probabilities its softmax
(:mod:`credit_plugin.properties.classifier`). It looks at real images and samples in milliseconds
and needs no download; numbers that are measured with it mean nothing outside the study.
"""

from pathlib import Path

import numpy as np

from credit_plugin.config import PropertySettings, Settings
from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.errors import InputError
from credit_plugin.properties.classifier import (
    StudyClassifier,
    load_classifier,
    save_classifier,
    train_classifier,
)
from credit_plugin.properties.observers import (
    Fitted,
    Observer,
    Report,
    class_labels,
    observer_options,
    register_observer,
)
from credit_plugin.properties.registry import ImageSet
from credit_plugin.seeding import derive_seed

FILE = "classifier.safetensors"
FEWEST = 10


@register_observer("classifier")
class ClassifierObserver(Observer):
    """Looks through the study's classifier.

    Args:
        network: The trained classifier.
    """

    name = "classifier"
    classes = True

    def __init__(self, network: StudyClassifier) -> None:
        self.network = network

    @classmethod
    def check(cls, settings: PropertySettings) -> None:
        """Refuse options: the classifier is described by ``properties.classifier``."""
        observer_options(settings, cls.name, Settings)

    @classmethod
    def effort(cls, settings: PropertySettings, images: int) -> tuple[int, str]:
        """Return the gradient steps of the training."""
        return settings.classifier.steps, "steps"

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
        """Train the classifier on nine tenths of the images; it is trained on the CPU always."""
        if dataset.n_images < FEWEST:
            raise InputError(
                f"properties.observer: classifier is trained on the study's images, and holds a "
                f"tenth of them out; {dataset.n_images} are fewer than {FEWEST}"
            )
        network, accuracy = train_classifier(
            dataset.images,
            class_labels(dataset),
            settings.classifier,
            derive_seed(seed, "", "classifier"),
            report,
        )
        save_classifier(network, dataset.image_size, folder / FILE)
        return Fitted(network.describe(dataset.images), accuracy)

    @classmethod
    def load(cls, folder: Path, settings: PropertySettings, device: str) -> "ClassifierObserver":
        """Return the classifier on ``device``."""
        return cls(load_classifier(folder / FILE, device))

    def describe(self, images: np.ndarray, report: Report | None = None) -> ImageSet:
        """Return images with 32 features and the probabilities of their classes."""
        return self.network.describe(images, report=report)
