"""What image methods look at, each part computed when it is first asked for, and shared by all.

A part of the images is enough to score their contributors, so at most ``fidelity.images_each`` of
each contributor's are used, drawn once and the same for every method, and ``fidelity.generated``
images that the full model generates from the first of the study's initial noise: those are the
images whose property is to be explained.
"""

from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from credit_plugin.diffusion.examples import Examples
from credit_plugin.diffusion.sampling import sample_images
from credit_plugin.fidelity.gradients import GradientFeatures
from credit_plugin.game.utilities.workbench import Workbench
from credit_plugin.properties.registry import ImageSet
from credit_plugin.seeding import numpy_generator


class Evidence:
    """Images, features and gradients of one study.

    Args:
        bench: Data, models and references.
    """

    def __init__(self, bench: Workbench) -> None:
        self.bench = bench
        self.study, self.settings = bench.study, bench.study.fidelity
        self.dataset = bench.dataset

    @property
    def n_players(self) -> int:
        """Number of contributors n."""
        return self.dataset.n_contributors

    @cached_property
    def rows(self) -> np.ndarray:
        """Training images that are looked at, int64 [m], ascending, some of every contributor."""
        chosen = []
        for index, name in enumerate(self.dataset.contributors):
            own = np.flatnonzero(self.dataset.contributor == index)
            generator = numpy_generator(self.study.seed, name, "images of attribution methods")
            chosen.append(generator.permutation(own)[: self.settings.images_each])
        return np.sort(np.concatenate(chosen))

    @cached_property
    def owner(self) -> np.ndarray:
        """Contributor of each of them, int64 [m]."""
        return np.asarray(self.dataset.contributor[self.rows])

    @cached_property
    def images(self) -> np.ndarray:
        """Those training images, uint8 [m, H, W, C]."""
        return np.asarray(self.dataset.images[self.rows])

    @cached_property
    def examples(self) -> Examples:
        """Those training images as the task encodes them, on the device."""
        return self.bench.all_examples[torch.from_numpy(self.rows)]

    @cached_property
    def generated(self) -> np.ndarray:
        """Images that the full model generates, uint8 [g, H, W, C]."""
        return sample_images(
            self.bench.task,
            self.bench.full.model,
            self.initial_noise,
            self.study.sampling,
            condition=self.generated_condition,
        )

    @property
    def initial_noise(self) -> Tensor:
        """What those generated images begin with, [g, ...] on the CPU."""
        return self.bench.noise(0)[: self.settings.generated]

    @cached_property
    def generated_condition(self) -> Tensor | None:
        """What those generated images are of, int64 [g]; None without conditions."""
        condition = self.bench.drawn_conditions()
        return None if condition is None else condition[: self.settings.generated]

    @cached_property
    def generated_examples(self) -> Examples:
        """Those generated images as the task encodes them, on the device."""
        drawn = self.generated_condition
        condition = None if drawn is None else drawn.numpy()
        return self.bench.task.encode(self.generated, condition).to(self.bench.device)

    @cached_property
    def described_images(self) -> ImageSet:
        """Those training images as the study's observer sees them."""
        seen = self.bench.properties.observer.describe(self.images)
        condition = self.bench.condition
        return seen if condition is None else replace(seen, condition=condition[self.rows])

    @cached_property
    def described_generated(self) -> ImageSet:
        """Those generated images as the study's observer sees them."""
        return self.bench.properties.observer.describe(self.generated)

    @cached_property
    def gradients(self) -> GradientFeatures:
        """Projected gradients of the full model at all these images."""
        return GradientFeatures(self)

    def by_contributor(self, scores: np.ndarray) -> dict[str, np.ndarray]:
        """Return the ``sum`` and the ``mean`` of image scores [m] over contributors' images.

        The sum stands for all images of a contributor, not only for those that were looked at.
        """
        looked_at = np.bincount(self.owner, minlength=self.n_players)
        total = np.bincount(self.owner, scores.astype(np.float64), minlength=self.n_players)
        mean = total / looked_at
        return {"sum": mean * self.dataset.counts, "mean": mean}
