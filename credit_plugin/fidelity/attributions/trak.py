"""TRAK: influence of training images on the training loss of generated ones.

What: s_i = mean over generated images x of phi(x)' (Phi' Phi + lambda I)^-1 phi(z_i), with phi the
projected gradient of the training loss (:mod:`credit_plugin.fidelity.influence`). Variants: the
``sum`` and the ``mean`` over a contributor's images. Without unit, any sign; positive if training
on the images lowers the loss at generated ones.

Source: Park, Georgiev, Ilyas, Leclerc and Madry, "TRAK: attributing model behavior at scale" (ICML
2023). Departures: one checkpoint, not an ensemble of models that are trained on halves of the data;
the function whose gradient is taken is the loss itself, so the weights Q = dloss / df of the
source are 1; no soft thresholding of the scores.
"""

import numpy as np

from credit_plugin.fidelity.attribution import ImageAttribution, register_attribution
from credit_plugin.fidelity.evidence import Evidence
from credit_plugin.fidelity.influence import influences


@register_attribution("trak")
class Trak(ImageAttribution):
    """TRAK scores of contributors."""

    title = "TRAK"

    def score(self, evidence: Evidence) -> dict[str, np.ndarray]:
        """Return float64 [n] for the variants ``sum`` and ``mean``."""
        features = evidence.gradients
        scores = influences(features.training, features.generated, evidence.settings.damping)
        return evidence.by_contributor(scores)
