"""Observer ``inception``: the network of published scores, with classes of the study.

Features are the 2,048 of the last pooling layer of Inception-V3 (:mod:`.network`). The public file
has no layer of classes, so probabilities come from a softmax head that is fitted to real images of
the study (:mod:`.head`). What follows for the properties:

* Inception Score: the formula of Salimans et al. (2016) over the study's k classes and not over
  the 1,000 of ImageNet, in [1, k]. It is comparable within a study only.
* diversity: clusters of real images in the same space that published scores use.
* Frechet distance: the one of the FID, but its covariance of 2,048 features is singular with fewer
  than 2,049 samples and its bias falls only as 1 / N: with the few hundred images that a CPU can
  look at, use observer classifier for it.

At most ``properties.reference_images`` real images are looked at, drawn with every class in
proportion, once for each study. The head is fitted to four fifths of them and its accuracy is that
on the last fifth; reference statistics are those of all.
"""

from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field

from credit_plugin.config import PropertySettings, Settings
from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.errors import InputError
from credit_plugin.properties.embedding import Embedder, EmbeddingObserver, reference_rows
from credit_plugin.properties.observers import (
    Fitted,
    Report,
    class_labels,
    observer_options,
    register_observer,
)
from credit_plugin.properties.observers.inception.head import (
    SoftmaxHead,
    fit_head,
    load_head,
    save_head,
)
from credit_plugin.properties.observers.inception.network import (
    SHA256,
    InceptionNetwork,
    find_network,
)
from credit_plugin.properties.registry import ImageSet

FILE = "inception_head.safetensors"
FITTED_SHARE = 0.8
FEWEST_PER_CLASS = 2


class InceptionOptions(Settings):
    """Where the network is."""

    path: Path | None = Field(
        None, description="The TorchScript file; null looks into the installed package."
    )


@register_observer("inception")
class InceptionObserver(EmbeddingObserver):
    """Looks through Inception-V3.

    Args:
        network: Gives features.
        head: Gives class probabilities from them.

    Attributes:
        sha256: Hash of the one network that is loaded.
    """

    name = "inception"
    classes = True
    sha256: ClassVar[str] = SHA256

    def __init__(self, network: Embedder, head: SoftmaxHead) -> None:
        super().__init__(network)
        self.head = head

    @classmethod
    def identity(cls, settings: PropertySettings) -> str:
        """Return nothing: there is one network."""
        return ""

    @classmethod
    def open(cls, settings: PropertySettings, device: str) -> InceptionNetwork:
        """Return the network, if it is the one.

        Raises:
            InputError: With the command that installs it.
        """
        options = observer_options(settings, cls.name, InceptionOptions)
        return InceptionNetwork(find_network(options.path), cls.sha256, device)

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
        """Look at real images and fit the head to their features."""
        rows = reference_rows(dataset, settings, seed)
        images, labels = np.asarray(dataset.images[rows]), class_labels(dataset)[rows]
        _check_enough(len(rows), len(np.unique(class_labels(dataset))), settings)
        features = cls.open(settings, device).features(images, report)
        fitted = round(FITTED_SHARE * len(rows))
        head = fit_head(features[:fitted], labels[:fitted])
        save_head(head, folder / FILE, cls.sha256)
        reference = ImageSet(images, features, head.probabilities(features))
        return Fitted(reference, head.accuracy(features[fitted:], labels[fitted:]))

    @classmethod
    def load(cls, folder: Path, settings: PropertySettings, device: str) -> "InceptionObserver":
        """Return the network on ``device`` with the fitted head."""
        return cls(cls.open(settings, device), load_head(folder / FILE, cls.sha256))

    def describe(self, images: np.ndarray, report: Report | None = None) -> ImageSet:
        """Return images with 2,048 features and the probabilities of the study's classes."""
        seen = super().describe(images, report)
        return ImageSet(images, seen.features, self.head.probabilities(seen.features))


def _check_enough(count: int, classes: int, settings: PropertySettings) -> None:
    """Refuse too few images to fit the head to."""
    if count < FEWEST_PER_CLASS * classes:
        raise InputError(
            f"properties.reference_images = {settings.reference_images}: {count} images are fewer "
            f"than {FEWEST_PER_CLASS} of each of the {classes} classes; use more, or observer "
            "classifier"
        )
