"""Method ``own_property``: how good a contributor's own images are by the study's property.

What: the headline property measured on training images as if they had been generated, oriented so
that higher is better.

* ``avg``: the property of all of a contributor's looked-at images together, as one set.
* ``max``: the property of the contributor's best single image, only for properties that are means
  over images and say so (``per_image = True`` in their class).

The unit is the property's own, the range as well, negated where lower is better. Properties of sets
are biased by the number of images, so contributors of whom fewer images are looked at are off by
more (see the property's own note); a property that has no value for so few images is an error.

When: as the control that knows the property and nothing of the model: good images make a good model
only as far as they are learnt, and as nobody else brings the same.

Source: the aesthetic score of a contributor's own images, average and maximum, in Lu, Lin, Kim and
Lee, "An efficient framework for crediting data contributors of diffusion models" (ICLR 2025).
Departures: any property, sets instead of means where a property needs sets, and at most
``fidelity.images_each`` images of each contributor.
"""

import warnings
from typing import TYPE_CHECKING

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.fidelity.attribution import ImageAttribution, register_attribution
from credit_plugin.properties.registry import ImageSet, Property, Statistics, get_property

if TYPE_CHECKING:
    from credit_plugin.fidelity.evidence import Evidence


@register_attribution("own_property")
class OwnProperty(ImageAttribution):
    """The headline property of contributors' own images."""

    title = "Property of own images"

    def score(self, evidence: "Evidence") -> dict[str, np.ndarray]:
        """Return ``avg``, and ``max`` where single images have the property.

        Raises:
            InputError: If the property has no value for the images of a contributor.
        """
        sets = [np.flatnonzero(evidence.owner == i) for i in range(evidence.n_players)]
        scores = {"avg": _measure(evidence, sets)}
        _check(scores["avg"], sets, evidence)
        if getattr(get_property(evidence.study.properties.headline), "per_image", False):
            single = _measure(evidence, [np.array([row]) for row in range(len(evidence.owner))])
            scores["max"] = np.array([single[rows].max() for rows in sets])
        return scores


def _measure(evidence: "Evidence", sets: list[np.ndarray]) -> np.ndarray:
    """Return the oriented headline property of sets of looked-at images, float64 [len(sets)]."""
    name = evidence.study.properties.headline
    measured, statistics = get_property(name), evidence.bench.properties.statistics[name]
    images = evidence.described_images
    found = [_value(measured, images.part(rows), statistics) for rows in sets]
    return measured.direction * np.array(found, dtype=np.float64)


def _value(measured: Property, images: ImageSet, statistics: Statistics) -> float:
    """Return a property of a set of images, not a number if it has none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the error says it in words
        try:
            return measured.measure(images, statistics)
        except (ArithmeticError, np.linalg.LinAlgError):
            return float("nan")


def _check(scores: np.ndarray, sets: list[np.ndarray], evidence: "Evidence") -> None:
    without = np.flatnonzero(~np.isfinite(scores))
    if without.size:
        name, size = evidence.dataset.contributors[without[0]], len(sets[without[0]])
        raise InputError(
            f"fidelity.methods: own_property needs more images of {name} than {size}, for which "
            f"{evidence.study.properties.headline} has no value; raise fidelity.images_each or "
            "leave the method out"
        )
