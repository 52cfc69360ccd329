"""D-TRAK: TRAK with the squared norm of the prediction in place of the loss.

What: s_i = mean over generated images x of psi(x)' (Psi' Psi + lambda I)^-1 psi(z_i), with psi the
projected gradient of the squared Euclidean norm of the network's prediction, for training and for
generated images alike (:mod:`credit_plugin.fidelity.gradients`). Variants: the ``sum`` and the
``mean`` over a contributor's images. Without unit, any sign. The finding of the source is that the
gradients of this norm, which is not what is trained, attribute better than those of the loss.

Source: Zheng, Pang, Du, Jiang and Lin, "Intriguing properties of data attribution on diffusion
models" (ICLR 2024). Departures: the noise levels are few (``fidelity.timesteps``); the prediction
is what the study's network predicts, noise, velocity or image.
"""

import numpy as np

from credit_plugin.fidelity.attribution import ImageAttribution, register_attribution
from credit_plugin.fidelity.evidence import Evidence
from credit_plugin.fidelity.influence import influences


@register_attribution("d_trak")
class DTrak(ImageAttribution):
    """D-TRAK scores of contributors."""

    title = "D-TRAK"

    def score(self, evidence: Evidence) -> dict[str, np.ndarray]:
        """Return float64 [n] for the variants ``sum`` and ``mean``."""
        features, damping = evidence.gradients, evidence.settings.damping
        scores = influences(features.training_square, features.generated_square, damping)
        return evidence.by_contributor(scores)
