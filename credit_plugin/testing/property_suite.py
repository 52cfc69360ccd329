"""What every property has to keep: a number for a set of samples, the same one every time."""

import copy
import io
from typing import ClassVar

import numpy as np
import pytest

from credit_plugin.config import PropertySettings
from credit_plugin.properties.registry import ImageSet, Statistics, get_property


class PropertySuite:
    """The laws of a property; inherit, and set what is different.

    Attributes:
        name: Its registered name.
        per_image: Whether it is a mean over images, as the property itself must say.
        settings: Of the study's properties.
    """

    name: ClassVar[str]
    per_image: ClassVar[bool] = False
    settings: ClassVar[PropertySettings] = PropertySettings()

    def __init_subclass__(cls) -> None:
        """Take away the law that a property of the whole set does not claim."""
        if not cls.per_image:
            cls.test_it_is_the_mean_over_images = None  # type: ignore[method-assign,assignment]

    def images(self, seed: int, channels: int = 3) -> ImageSet:
        """Return 48 images of noise with what an observer could see in them."""
        generator = np.random.default_rng(seed)
        chances = generator.random((48, 5))
        return ImageSet(
            generator.integers(0, 256, (48, 16, 16, channels), np.uint8),
            generator.normal(size=(48, 8)).astype(np.float32),
            (chances / chances.sum(axis=1, keepdims=True)).astype(np.float32),
        )

    def statistics(self) -> Statistics:
        """Return what the property knows of real images, read from a file as workers do."""
        known = get_property(self.name).prepare(self.images(0), self.settings, 0)
        file = io.BytesIO()
        np.savez(file, **dict(known))  # type: ignore[arg-type]
        file.seek(0)
        with np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)

    def measure(self, samples: ImageSet) -> float:
        """Return the property of samples."""
        return get_property(self.name).measure(samples, self.statistics())

    def test_it_says_what_it_counts_and_which_way_is_better(self) -> None:
        """Reports and payouts rest on both."""
        found = get_property(self.name)
        assert found.direction in (-1, 1)
        assert found.unit
        assert getattr(found, "per_image", False) == self.per_image

    @pytest.mark.parametrize("channels", [1, 3])
    def test_it_is_a_number_whatever_the_channels(self, channels: int) -> None:
        """A study with another number in its table stops."""
        measured = self.measure(self.images(1, channels))
        assert isinstance(measured, float)
        assert np.isfinite(measured)

    def test_measuring_again_gives_the_same_and_changes_no_sample(self) -> None:
        """All properties of a study look at the same arrays."""
        samples = self.images(1)
        before = copy.deepcopy(samples)
        assert self.measure(samples) == self.measure(samples)
        assert np.array_equal(samples.images, before.images)
        assert np.array_equal(samples.features, before.features)
        assert np.array_equal(samples.probabilities, before.probabilities)

    def test_the_order_of_samples_does_not_matter(self) -> None:
        """It describes a set."""
        samples, order = self.images(1), np.random.default_rng(2).permutation(48)
        assert self.measure(samples.part(order)) == pytest.approx(self.measure(samples), rel=1e-5)

    def test_it_is_the_mean_over_images(self) -> None:
        """A single image has it as well."""
        samples = self.images(1)
        each = [self.measure(samples.part(np.array([row]))) for row in range(48)]
        assert np.mean(each) == pytest.approx(self.measure(samples))
