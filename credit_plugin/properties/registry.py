"""What a property is, and the registry that users extend.

A property is a class with a name, a direction and two functions: ``prepare`` computes what it
needs to know of the study's real images, once, as named arrays that are stored with the study;
``measure`` turns a set of generated images into a number. New properties are one new module in
this folder, or a class in the user's own package, decorated with :func:`register_property`.

The split in a fitted reference and a cheap measurement follows torchmetrics' image metrics, where
statistics of real images outlive a reset.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol

import numpy as np

from credit_plugin.config import PropertySettings
from credit_plugin.errors import InputError

Statistics = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images with what the study's classifier sees in them.

    Attributes:
        images: uint8 [N, H, W, C].
        features: float32 [N, d], activations before the last layer.
        probabilities: float32 [N, k], rows sum to 1.
    """

    images: np.ndarray
    features: np.ndarray
    probabilities: np.ndarray


class Property(Protocol):
    """A number that describes a set of generated images.

    Attributes:
        direction: +1 if higher is better, -1 if lower is better.
        unit: What the number counts, for tables and axes.
    """

    direction: int
    unit: str

    def prepare(self, reference: ImageSet, settings: PropertySettings, seed: int) -> Statistics:
        """Return what must be known of the study's real images."""

    def measure(self, samples: ImageSet, statistics: Statistics) -> float:
        """Return the property of generated images."""


_PROPERTIES: dict[str, Property] = {}


def register_property(name: str) -> Callable[[type], type]:
    """Register an instance of the decorated class as the property ``name``."""

    def register(kind: type) -> type:
        _PROPERTIES[name] = kind()
        return kind

    return register


def property_names() -> list[str]:
    """Return the registered names, sorted."""
    _import_all()
    return sorted(_PROPERTIES)


def get_property(name: str) -> Property:
    """Return the property ``name``.

    Raises:
        InputError: If it is not registered.
    """
    if name not in _PROPERTIES:
        _import_all()
    if name not in _PROPERTIES:
        known = ", ".join(sorted(_PROPERTIES))
        raise InputError(f"properties.names: {name!r} is not a property; choose from {known}")
    return _PROPERTIES[name]


def _import_all() -> None:
    package = import_module(__package__)
    for module in iter_modules(package.__path__):
        import_module(f"{__package__}.{module.name}")
