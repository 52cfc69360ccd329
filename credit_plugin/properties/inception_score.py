"""Inception-Score-style score: are samples clearly something, and are they many things?

exp(mean_x KL(p(y|x) || p(y))) with the class probabilities of the study's observer, p(y)
being their mean over the samples (Salimans et al. 2016, with another network and one split).
Range 1 to the number of classes, higher is better: 1 if every image gets the same probabilities,
k if every image is surely of one class and the k classes are equally frequent. The estimate is
biased downwards at small N by about (k - 1) / (2 N); compare at equal N only.
"""

import numpy as np

from credit_plugin.config import PropertySettings
from credit_plugin.properties.registry import ImageSet, Statistics, register_property


@register_property("inception_score")
class InceptionScore:
    """Exponential of the mutual information of image and class; higher is better."""

    direction = 1
    unit = "effective number of classes"
    needs = "classes"

    def prepare(self, reference: ImageSet, settings: PropertySettings, seed: int) -> Statistics:
        """Nothing needs to be known of real images beyond the classifier."""
        return {}

    def measure(self, samples: ImageSet, statistics: Statistics) -> float:
        """Return the score of the samples, in [1, k]."""
        p = samples.probabilities.astype(np.float64)
        marginal = p.mean(0)
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(p > 0, p * (np.log(p) - np.log(marginal)), 0.0)
        return float(np.exp(terms.sum(1).mean()))
