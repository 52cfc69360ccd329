"""Estimator ``kernelshap_paper``: the constrained least squares of the paper, to the letter.

What: with X the memberships of the M evaluated coalitions other than the empty and the full one,
y their utilities, v0 = v(empty) and v1 = v(full),

    A = X'X / M,  b = X'(y - v0) / M,
    phi = A+ (b - 1 (1'A+ b - v1 + v0) / (1'A+ 1)),

where A+ is the pseudo-inverse. Every evaluation is a row, so a coalition that was evaluated r
times has weight r. Efficiency holds by the constraint, and v0 and v1 are taken as exact.

The formula has no weights because it assumes that the coalitions were drawn from the Shapley kernel
(design ``shapley_iid``). On another design it estimates something else; the diagnostic
``kernel_mismatch`` says how far the sizes in the table are from the kernel's (total variation
distance, 0 to 1).

Source: "An Efficient Framework for Crediting Data Contributors of Diffusion Models" (Lu et al.,
ICLR 2025), after Covert and Lee (AISTATS 2021). Departures: none. It is here for comparison;
``regression_adjusted`` needs a fraction of the evaluations for the same error.
"""

from credit_plugin.values.least_squares import kernel_mismatch, least_squares_readout
from credit_plugin.values.observations import Observations
from credit_plugin.values.readout import Readout
from credit_plugin.values.registry import register_estimator


@register_estimator("kernelshap_paper")
def kernelshap_paper(observed: Observations) -> Readout:
    """Prepare the paper's least squares.

    Raises:
        InputError: If only the empty and the full coalition are evaluated.
    """
    observed.need_interior()
    facts = {"kernel_mismatch": kernel_mismatch(observed)}
    return least_squares_readout(observed, observed.weights[observed.interior], facts)
