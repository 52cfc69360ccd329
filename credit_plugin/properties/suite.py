"""All properties of a study, measured on the same samples.

Each property looks through an observer: the one that ``properties.options`` gives it, its own, or
the study's. ``prepare_suite`` fits every observer that is needed and computes the reference
statistics once (:mod:`credit_plugin.properties.observers`); they are files in the study's folder
that every worker loads once. ``measure`` describes a set of samples once for each observer and
hands that to its properties.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from credit_plugin.config import PropertySettings, Settings, fingerprint
from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.errors import InputError
from credit_plugin.properties.observers import Observer, TextObserver, get_observer
from credit_plugin.properties.registry import Statistics, get_property, options_of
from credit_plugin.signs import heartbeat, shifted

FACTS = "reference.json"


class PropertySuite:
    """The study's properties with their references.

    Args:
        settings: Names and parameters of the properties.
        folder: What :func:`prepare_suite` wrote.
        device: Where observers run.
    """

    def __init__(self, settings: PropertySettings, folder: Path, device: str) -> None:
        self.settings = settings
        self.observers: dict[str, Observer] = {
            name: get_observer(name).load(folder, settings, device)
            for name in observers_of(settings)
        }
        self.statistics: dict[str, Statistics] = {}
        for name in settings.names:
            with np.load(folder / _file(name), allow_pickle=False) as arrays:
                self.statistics[name] = dict(arrays)

    @cached_property
    def observer(self) -> Observer:
        """The one that the headline looks through."""
        return self.observers[observer_of(self.settings, self.settings.headline)]

    def measure(
        self,
        images: np.ndarray,
        condition: np.ndarray | None = None,
        report: Callable[[int, int], None] | None = None,
    ) -> dict[str, float]:
        """Return every property of samples by name, each in its own unit.

        Args:
            images: uint8 [N, H, W, C].
            condition: int64 [N], which of the study's conditions each is to show, if it has any.
            report: Called with (images looked at by all observers, those in all), and as a sign of
                life while properties are computed, which may be functions of the user's own.
        """
        count, total = len(images), len(images) * len(self.observers)
        seen = {
            name: replace(
                observer.describe(images, report and shifted(report, index * count, total)),
                condition=condition,
            )
            for index, (name, observer) in enumerate(self.observers.items())
        }
        with nullcontext() if report is None else heartbeat(partial(report, total, total)):
            return {
                name: get_property(name).measure(
                    seen[observer_of(self.settings, name)], self.statistics[name]
                )
                for name in self.settings.names
            }


def observer_of(settings: PropertySettings, name: str) -> str:
    """Return the name of the observer that a property looks through."""
    own = getattr(get_property(name), "observer", settings.observer)
    return str(settings.options.get(name, {}).get("observer", own))


def observers_of(settings: PropertySettings) -> list[str]:
    """Return the names of all observers that a study needs, the headline's first."""
    names = (settings.headline, *settings.names)
    return list(dict.fromkeys(observer_of(settings, name) for name in names))


def used_settings(settings: PropertySettings) -> PropertySettings:
    """Return the settings without options of properties and observers that are not in use."""
    observers = {k: v for k, v in settings.observers.items() if k in observers_of(settings)}
    options = {k: v for k, v in settings.options.items() if k in settings.names}
    return settings.model_copy(update={"observers": observers, "options": options})


def reads_prompts(settings: PropertySettings) -> bool:
    """Say whether a property compares samples with what they were asked for."""
    return any(getattr(get_property(name), "needs", "") == "texts" for name in settings.names)


def check_suite(settings: PropertySettings, prompts: bool = False) -> None:
    """Refuse properties or observers that cannot be used, before any work.

    Args:
        settings: Names and parameters of the properties.
        prompts: Whether the study's samples have prompts.

    Raises:
        InputError: One line that names the field and the mend.
    """
    for name in settings.names:
        _check_property(settings, name, prompts)
    for name in settings.options:
        if name not in settings.names:
            get_property(name)
    for name in dict.fromkeys((*observers_of(settings), *settings.observers)):
        observer = get_observer(name)
        if name in observers_of(settings):
            observer.check(settings)


def suite_identity(settings: PropertySettings) -> str:
    """Return what identifies the content of all files and code that measurements rest on.

    Settings alone do not tell it: they say where a network is, and that may change without what it
    is, or the other way round. Empty if nothing comes from outside of the study and the package.
    """
    parts = {
        f"observer {name}": get_observer(name).identity(settings) for name in observers_of(settings)
    }
    for name in settings.names:
        identify = getattr(get_property(name), "identity", None)
        parts[f"property {name}"] = identify(settings) if identify else ""
    told = {name: identity for name, identity in parts.items() if identity}
    return fingerprint(told) if told else ""


def suite_effort(settings: PropertySettings, images: int) -> tuple[int, str]:
    """Return how many units :func:`prepare_suite` reports for so many images, and their name."""
    efforts = [get_observer(name).effort(settings, images) for name in observers_of(settings)]
    units = {unit for _, unit in efforts}
    return sum(count for count, _ in efforts), units.pop() if len(units) == 1 else "steps"


def prepare_suite(
    settings: PropertySettings,
    dataset: ContributorDataset,
    seed: int,
    folder: Path,
    report: Callable[[int, int], None] | None = None,
    device: str = "cpu",
    prompts: Sequence[str] = (),
) -> dict[str, float]:
    """Fit observers, compute reference statistics and write both to ``folder``.

    Args:
        settings: Names and parameters of the properties.
        dataset: The study's real images.
        seed: The study's seed.
        folder: Replaced as a whole when everything is written.
        report: Called with (units done, units in all).
        device: Where observers that are not trained may run.
        prompts: Texts of the study's conditions, if they are texts.

    Returns:
        Facts worth logging: each observer's accuracy on held-out real images, if it has one.
    """
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    facts, done = {}, 0
    total, _ = suite_effort(settings, dataset.n_images)
    for name in observers_of(settings):
        kind = get_observer(name)
        fitted = kind.fit(
            dataset, settings, seed, partial, report and shifted(report, done, total), device
        )
        done += kind.effort(settings, dataset.n_images)[0]
        reference = fitted.reference
        if prompts and issubclass(kind, TextObserver):
            reader = kind.load(partial, settings, device)
            assert isinstance(reader, TextObserver)  # its own kind
            reference = replace(reference, texts=reader.read(prompts))
        for of in settings.names:
            if observer_of(settings, of) == name:
                statistics = get_property(of).prepare(reference, settings, seed)
                np.savez(partial / _file(of), **dict(statistics))  # type: ignore[arg-type]
        if fitted.accuracy is not None:
            facts[f"{name}_accuracy"] = fitted.accuracy
    (partial / FACTS).write_text(json.dumps(facts), "utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    partial.replace(folder)
    return facts


def load_suite(settings: PropertySettings, folder: Path, device: str = "cpu") -> PropertySuite:
    """Read what :func:`prepare_suite` wrote."""
    return PropertySuite(settings, folder, device)


def directions(settings: PropertySettings) -> dict[str, int]:
    """Return +1 or -1 for each property of the study: is higher or lower better?"""
    return {name: get_property(name).direction for name in settings.names}


def _check_property(settings: PropertySettings, name: str, prompts: bool) -> None:
    found = get_property(name)
    model: type[Settings] = getattr(found, "options", Settings)
    options_of(settings, name, model)
    observer, needs = get_observer(observer_of(settings, name)), getattr(found, "needs", "")
    if needs == "classes" and not observer.classes:
        raise InputError(
            f"properties.names: {name} needs class probabilities, which observer {observer.name} "
            "does not give; use classifier or inception"
        )
    if needs == "texts" and not (issubclass(observer, TextObserver) and prompts):
        raise InputError(
            f"properties.names: {name} compares images with prompts: it needs diffusion.condition "
            "prompt, and observer open_clip"
        )


def _file(name: str) -> str:
    return f"{name.replace(':', '.')}.npz"
