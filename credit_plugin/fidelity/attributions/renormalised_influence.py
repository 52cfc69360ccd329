"""Renormalised influence: influence for a given size of the gradient.

What: s_i = mean over generated images x of phi(x)' K^-1 phi(z_i) / |phi(z_i)|, with projected
gradients phi of the training loss and K = Phi' Phi + lambda I
(:mod:`credit_plugin.fidelity.influence`). Influence favours images of large loss, whose gradients
are long; dividing by the length leaves the direction alone. Variants: the ``sum`` and the ``mean``
over a contributor's images. In units of K^-1 phi(x), any sign.

Source: Hammoudeh and Lowd, "Identifying a training-set attack's target using renormalized influence
estimation" (CCS 2022). Departures: the length is that of the projected gradient; generated images
are not renormalised, all count by their gradients.
"""

import numpy as np

from credit_plugin.fidelity.attribution import ImageAttribution, register_attribution
from credit_plugin.fidelity.evidence import Evidence
from credit_plugin.fidelity.influence import Curvature, divided


@register_attribution("renormalised_influence")
class RenormalisedInfluence(ImageAttribution):
    """Renormalised influence of contributors."""

    title = "Renormalised influence"

    def score(self, evidence: Evidence) -> dict[str, np.ndarray]:
        """Return float64 [n] for the variants ``sum`` and ``mean``."""
        training, generated = evidence.gradients.training, evidence.gradients.generated
        curvature = Curvature(training, evidence.settings.damping)
        return evidence.by_contributor(renormalised_influences(training, generated, curvature))


def renormalised_influences(
    training: np.ndarray, generated: np.ndarray, curvature: Curvature
) -> np.ndarray:
    """Return s [m] from features [m, k] and [g, k]; 0 where the gradient is zero."""
    scores = training @ curvature.solve(generated.mean(0))
    return divided(scores, np.linalg.norm(training, axis=1))
