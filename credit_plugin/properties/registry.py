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
from typing import Protocol, TypeVar

import numpy as np

from credit_plugin.config import PropertySettings, Settings
from credit_plugin.config.options import parsed
from credit_plugin.registry import Registry

Statistics = Mapping[str, np.ndarray]
OptionsT = TypeVar("OptionsT", bound=Settings)
OWN = "python:"
"""What names of properties begin with that are functions of the user's own."""


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images with what the study's observer sees in them.

    Attributes:
        images: uint8 [N, H, W, C].
        features: float32 [N, d], activations before the last layer.
        probabilities: float32 [N, k], rows sum to 1; empty if the observer knows no classes.
        condition: int64 [N], which of ``texts`` each image is to show; None without texts.
        texts: float32 [t, d], the study's prompts in the space of features; None if the observer
            reads none.
    """

    images: np.ndarray
    features: np.ndarray
    probabilities: np.ndarray
    condition: np.ndarray | None = None
    texts: np.ndarray | None = None

    def part(self, rows: np.ndarray) -> "ImageSet":
        """Return some of the images."""
        probabilities = self.probabilities[rows] if len(self.probabilities) else self.probabilities
        condition = None if self.condition is None else self.condition[rows]
        return ImageSet(
            self.images[rows], self.features[rows], probabilities, condition, self.texts
        )


class Property(Protocol):
    """A number that describes a set of generated images.

    Attributes:
        direction: +1 if higher is better, -1 if lower is better.
        unit: What the number counts, for tables and axes.

    A property may have an ``observer``, the registered name of the network it looks through
    whatever the study's is; ``needs`` with ``classes`` or ``texts``, if it looks at probabilities
    or prompts; ``per_image``, true if it is a mean over images, so that a single one has it as
    well; ``options``, a settings class for ``properties.options.<name>``; and a method
    ``identity(settings)``, if it rests on a file or on code that settings do not tell the content
    of.
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
    """Return the property ``name``, or the team's own function that it names.

    Raises:
        InputError: If it is not registered, or there is no such function.
    """
    if name.startswith(OWN):
        from credit_plugin.properties.own_function import own_function

        return own_function(name)
    return PROPERTIES.get(name, "properties.names")()


def options_of(settings: PropertySettings, name: str, model: type[OptionsT]) -> OptionsT:
    """Return ``properties.options.<name>`` as the settings class of a property.

    Raises:
        InputError: If an option is unknown or wrong.
    """
    given = {k: v for k, v in settings.options.get(name, {}).items() if k != "observer"}
    return parsed(model, given, f"properties.options.{name}")
