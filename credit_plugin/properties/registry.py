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
from typing import Protocol

import numpy as np

from credit_plugin.config import PropertySettings
from credit_plugin.registry import Registry

Statistics = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images with what the study's observer sees in them.

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


PROPERTIES: Registry[Callable[[], Property]] = Registry(
    "credit_plugin.properties", "credit_plugin.properties", "a property"
)
register_property = PROPERTIES.register
property_names = PROPERTIES.names


def get_property(name: str) -> Property:
    """Return the property ``name``.

    Raises:
        InputError: If it is not registered.
    """
    return PROPERTIES.get(name, "properties.names")()
