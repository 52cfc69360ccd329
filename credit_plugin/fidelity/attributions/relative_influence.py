"""Relative influence: influence for a given change of the weights.

What: s_i = mean over generated images x of phi(x)' K^-1 phi(z_i) / |K^-1 phi(z_i)|, with projected
gradients phi of the training loss and K = Phi' Phi + lambda I
(:mod:`credit_plugin.fidelity.influence`). K^-1 phi(z_i) is how z_i moves the weights; dividing by
its length keeps outliers, which move them far in any direction, from explaining everything.
Variants: the ``sum`` and the ``mean`` over a contributor's images. In units of phi(x); the score of
an image is at most the length of the mean of phi(x).

Source: Barshan, Brunet and Dziugaite, "RelatIF: identifying explanatory training samples via
relative influence" (AISTATS 2020), its theta-relative form. Departure: the movement of the weights
is measured after projection.
"""

import numpy as np

from credit_plugin.fidelity.attribution import ImageAttribution, register_attribution
from credit_plugin.fidelity.evidence import Evidence
from credit_plugin.fidelity.influence import Curvature, divided


@register_attribution("relative_influence")
class RelativeInfluence(ImageAttribution):
    """Relative influence of contributors."""

    title = "Relative influence"

    def score(self, evidence: Evidence) -> dict[str, np.ndarray]:
        """Return float64 [n] for the variants ``sum`` and ``mean``."""
        training, generated = evidence.gradients.training, evidence.gradients.generated
        curvature = Curvature(training, evidence.settings.damping)
        return evidence.by_contributor(relative_influences(training, generated, curvature))


def relative_influences(
    training: np.ndarray, generated: np.ndarray, curvature: Curvature
) -> np.ndarray:
    """Return s [m] from features [m, k] and [g, k]; 0 where the gradient is zero."""
    moves = curvature.solve(training)
    return divided(moves @ generated.mean(0), np.linalg.norm(moves, axis=1))
