"""All properties of a study, measured on the same samples.

``prepare`` trains the study's classifier and computes the reference statistics once; they are
files in the study's folder that every worker loads once. ``measure`` describes a set of samples
once and hands it to every property.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from credit_plugin.config import PropertySettings
from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.properties.classifier import (
    StudyClassifier,
    load_classifier,
    save_classifier,
    train_classifier,
)
from credit_plugin.properties.registry import Statistics, get_property
from credit_plugin.seeding import derive_seed

CLASSIFIER, FACTS = "classifier.safetensors", "reference.json"


class PropertySuite:
    """The study's properties with their references.

    Args:
        settings: Names and parameters of the properties.
        classifier: The study's classifier.
        statistics: Reference statistics of each property.
    """

    def __init__(
        self,
        settings: PropertySettings,
        classifier: StudyClassifier,
        statistics: dict[str, Statistics],
    ) -> None:
        self.settings, self.classifier, self.statistics = settings, classifier, statistics

    def measure(self, images: np.ndarray) -> dict[str, float]:
        """Return every property of uint8 images [N, H, W, C]."""
        samples = self.classifier.describe(images)
        return {
            name: get_property(name).measure(samples, self.statistics[name])
            for name in self.settings.names
        }


def prepare_suite(
    settings: PropertySettings,
    dataset: ContributorDataset,
    seed: int,
    folder: Path,
    report: Callable[[int, int], None] | None = None,
) -> dict[str, float]:
    """Train the classifier, compute reference statistics and write both to ``folder``.

    Returns:
        Facts worth logging: the classifier's held-out accuracy.
    """
    labels = dataset.contributor if dataset.labels is None else dataset.labels
    classifier, accuracy = train_classifier(
        dataset.images, labels, settings.classifier, derive_seed(seed, "", "classifier"), report
    )
    reference = classifier.describe(dataset.images)
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    save_classifier(classifier, dataset.image_size, partial / CLASSIFIER)
    for name in settings.names:
        statistics = get_property(name).prepare(reference, settings, seed)
        np.savez(partial / f"{name}.npz", **dict(statistics))  # type: ignore[arg-type]
    facts = {"classifier_accuracy": accuracy}
    (partial / FACTS).write_text(json.dumps(facts), "utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    partial.replace(folder)
    return facts


def load_suite(settings: PropertySettings, folder: Path, device: str = "cpu") -> PropertySuite:
    """Read what :func:`prepare_suite` wrote."""
    statistics: dict[str, Statistics] = {}
    for name in settings.names:
        with np.load(folder / f"{name}.npz", allow_pickle=False) as arrays:
            statistics[name] = dict(arrays)
    return PropertySuite(settings, load_classifier(folder / CLASSIFIER, device), statistics)


def directions(settings: PropertySettings) -> dict[str, int]:
    """Return +1 or -1 for each property of the study: is higher or lower better?"""
    return {name: get_property(name).direction for name in settings.names}
