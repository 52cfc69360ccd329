"""Journey-TRAK: influence of training images on the steps that lead to generated ones.

What: s_i = mean over generated images of phi' (Phi' Phi + lambda I)^-1 phi(z_i), where phi is the
projected gradient of the loss along the sampling of the image instead of at the image: at a few
sampler steps, the clean image that the network sees in the state is noised to the level of that
step again (:mod:`credit_plugin.fidelity.gradients`). Training images are as in TRAK. Variants: the
``sum`` and the ``mean`` over a contributor's images. Without unit, any sign; positive if training
on the images lowers the loss along the way.

Source: Georgiev, Vendrow, Salman, Park and Madry, "The journey, not the destination: how data
guides diffusion models" (2023). Departures: the source scores each step by itself; here
``fidelity.timesteps`` steps are averaged, with one draw of noise each, because a global property is
of final images; one checkpoint.
"""

import numpy as np

from credit_plugin.fidelity.attribution import ImageAttribution, register_attribution
from credit_plugin.fidelity.evidence import Evidence
from credit_plugin.fidelity.influence import influences


@register_attribution("journey_trak")
class JourneyTrak(ImageAttribution):
    """Journey-TRAK scores of contributors."""

    title = "Journey-TRAK"

    def score(self, evidence: Evidence) -> dict[str, np.ndarray]:
        """Return float64 [n] for the variants ``sum`` and ``mean``."""
        features = evidence.gradients
        scores = influences(features.training, features.journey, evidence.settings.damping)
        return evidence.by_contributor(scores)
