"""Estimator ``kernelshap``: constrained least squares with the kernel's weights, on any design.

What: the least squares of :mod:`credit_plugin.values.least_squares`, in which the coalitions of
each size together have the Shapley kernel's chance of that size, p(s) ~ 1 / (s (n - s)), whatever
the design did. Exact when all coalitions are evaluated; unlike ``kernelshap_paper`` it does not
need coalitions that were drawn from the kernel.

When: as the plain reference among regressions; without shrinkage it breaks down when there are
fewer evaluations than contributors.

Source: Lundberg and Lee, "A unified approach to interpreting model predictions" (2017); pairing and
the closed form: Covert and Lee, "Improving KernelSHAP" (AISTATS 2021). Departure: the weights of
sampled sizes are set after the fact (post-stratification) instead of by the draws' expectation.
"""

from credit_plugin.values.least_squares import kernel_weights, least_squares_readout
from credit_plugin.values.observations import Observations
from credit_plugin.values.readout import Readout
from credit_plugin.values.registry import register_estimator


@register_estimator("kernelshap")
def kernelshap(observed: Observations) -> Readout:
    """Prepare the weighted least squares.

    Raises:
        InputError: If only the empty and the full coalition are evaluated.
    """
    observed.need_interior()
    return least_squares_readout(observed, kernel_weights(observed), {})
