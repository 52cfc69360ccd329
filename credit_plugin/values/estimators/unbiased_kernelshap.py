"""Estimator ``unbiased_kernelshap``: the kernel's matrix is known, only its right side estimated.

What: over the whole Shapley kernel, E[x_i^2] = 1/2 and E[x_i x_j] = sum_s p(s) s (s-1) / (n (n-1)),
so A = alpha I + beta 1 1' needs no estimate and

    phi_i = (b_i - mean b) / alpha + (v(full) - v(empty)) / n,   alpha = 1/2 - E[x_i x_j],

with b_i = E[x_i (v - v(empty))], the mean over the evaluated coalitions with the kernel's weights
(each size's chance shared by its evaluated coalitions). Linear in the utilities and unbiased, at
the price of a larger variance than least squares: in those, errors of A and b cancel.

When: to compare, and where unbiasedness matters more than error.

Source: Covert and Lee, "Improving KernelSHAP: practical Shapley value estimation via linear
regression" (AISTATS 2021). Departure: sizes are weighted after the fact, which lowers the variance;
where a size has no coalition the others stand in, which is not unbiased.
"""

import numpy as np

from credit_plugin.game.designs.shapley_iid import kernel_of_sizes
from credit_plugin.values.least_squares import gains_readout, kernel_weights
from credit_plugin.values.observations import Observations
from credit_plugin.values.readout import Readout
from credit_plugin.values.registry import register_estimator


@register_estimator("unbiased_kernelshap")
def unbiased_kernelshap(observed: Observations) -> Readout:
    """Prepare the known matrix.

    Raises:
        InputError: If only the empty and the full coalition are evaluated.
    """
    observed.need_interior()
    n = observed.n_players
    sizes = np.arange(1, n)
    together = kernel_of_sizes(n) @ (sizes * (sizes - 1)) / (n * (n - 1))
    weights = kernel_weights(observed)
    members = observed.coalitions[observed.interior].astype(np.float64)

    def solution(gains: np.ndarray, redrawn: np.ndarray, gaps: np.ndarray) -> np.ndarray:
        counted = weights * redrawn
        means = members.T @ (gains * (counted / counted.sum())[:, None])
        return np.asarray((means - means.mean(axis=0)) / (0.5 - together) + gaps / n)

    return gains_readout(observed, solution, {})
