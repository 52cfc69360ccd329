"""Influence of training images on generated ones, from their gradient features.

What: s_i = mean over generated images x of phi(x)' K^-1 phi(z_i), [m], where phi are projected
gradients (:mod:`credit_plugin.fidelity.gradients`), z_i training images and K = Phi' Phi + lambda I
stands for the Hessian of the training loss: the sum of outer products of the gradients Phi [m, k]
of training images. lambda is ``fidelity.damping`` times the mean eigenvalue of Phi' Phi, over the
min(m, k) that are not zero for the shape of Phi alone: so it does not depend on k once k exceeds m,
and K is positive definite.

Sign: positive if a step of training on z_i lowers the function of the generated images whose
gradient phi(x) is.

Source: influence functions, Koh and Liang 2017; this estimate of the Hessian, Park et al. 2023.
Departure: the ridge is relative, so that the scores do not depend on the scale of the gradients
beyond what their formula says; m is a sample of the training images.
"""

import numpy as np
from scipy.linalg import cho_factor, cho_solve


class Curvature:
    """K and its inverse.

    Args:
        training: Features of training images, [m, k].
        damping: Ridge as a multiple of the mean eigenvalue, > 0.
    """

    def __init__(self, training: np.ndarray, damping: float) -> None:
        gram = training.T @ training
        mean_eigenvalue = np.trace(gram) / min(training.shape)
        # gradients that are all zero have no influence, whatever the ridge
        gram[np.diag_indices_from(gram)] += damping * mean_eigenvalue or 1.0
        self._factor = cho_factor(gram, overwrite_a=True)

    def solve(self, features: np.ndarray) -> np.ndarray:
        """Return K^-1 phi for each row phi of ``features`` [..., k]."""
        solved: np.ndarray = cho_solve(self._factor, features.T).T
        return solved


def influences(training: np.ndarray, generated: np.ndarray, damping: float) -> np.ndarray:
    """Return s [m].

    Args:
        training: Features of training images, [m, k].
        generated: Features of generated images, [g, k].
        damping: Ridge as a multiple of the mean eigenvalue, > 0.
    """
    # the scores are linear in the generated images: their mean feature gives the mean score
    scores: np.ndarray = training @ Curvature(training, damping).solve(generated.mean(0))
    return scores


def divided(scores: np.ndarray, norms: np.ndarray) -> np.ndarray:
    """Return scores [...] / norms [...], and 0 where the gradient of an image, its norm, is 0."""
    return np.divide(scores, norms, out=np.zeros_like(scores), where=norms > 0)
