"""All properties of a study, measured on the same samples by the same observer.

``prepare_suite`` fits the study's observer (:mod:`credit_plugin.properties.observers`) and computes
the reference statistics once; they are files in the study's folder that every worker loads once.
``measure`` describes a set of samples once and hands it to every property.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from credit_plugin.config import PropertySettings
from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.properties.observers import Observer, get_observer
from credit_plugin.properties.registry import Statistics, get_property

FACTS = "reference.json"


class PropertySuite:
    """The study's properties with their references.

    Args:
        settings: Names and parameters of the properties.
        observer: Gives features and class probabilities.
        statistics: Reference statistics of each property.
    """

    def __init__(
        self,
        settings: PropertySettings,
        observer: Observer,
        statistics: dict[str, Statistics],
    ) -> None:
        self.settings, self.observer, self.statistics = settings, observer, statistics

    def measure(self, images: np.ndarray) -> dict[str, float]:
        """Return every property of uint8 images [N, H, W, C]."""
        samples = self.observer.describe(images)
        return {
            name: get_property(name).measure(samples, self.statistics[name])
            for name in self.settings.names
        }


def check_suite(settings: PropertySettings) -> None:
    """Refuse properties or an observer that cannot be used, before any work.

    Raises:
        InputError: One line that names the field and the mend.
    """
    for name in settings.names:
        get_property(name)
    get_observer(settings.observer).check(settings)


def suite_effort(settings: PropertySettings, images: int) -> tuple[int, str]:
    """Return how many units :func:`prepare_suite` reports for so many images, and their name."""
    return get_observer(settings.observer).effort(settings, images)


def prepare_suite(
    settings: PropertySettings,
    dataset: ContributorDataset,
    seed: int,
    folder: Path,
    report: Callable[[int, int], None] | None = None,
    device: str = "cpu",
) -> dict[str, float]:
    """Fit the observer, compute reference statistics and write both to ``folder``.

    Args:
        settings: Names and parameters of the properties.
        dataset: The study's real images.
        seed: The study's seed.
        folder: Replaced as a whole when everything is written.
        report: Called with (units done, units in all).
        device: Where an observer that is not trained may run.

    Returns:
        Facts worth logging: the observer's accuracy on held-out real images.
    """
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    fitted = get_observer(settings.observer).fit(dataset, settings, seed, partial, report, device)
    for name in settings.names:
        statistics = get_property(name).prepare(fitted.reference, settings, seed)
        np.savez(partial / f"{name}.npz", **dict(statistics))  # type: ignore[arg-type]
    facts = {"classifier_accuracy": fitted.accuracy}
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
    observer = get_observer(settings.observer).load(folder, settings, device)
    return PropertySuite(settings, observer, statistics)


def directions(settings: PropertySettings) -> dict[str, int]:
    """Return +1 or -1 for each property of the study: is higher or lower better?"""
    return {name: get_property(name).direction for name in settings.names}
