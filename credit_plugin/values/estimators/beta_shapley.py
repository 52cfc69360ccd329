"""Estimator ``beta_shapley``: a semivalue that listens more to small (or large) coalitions.

What: phi_i = sum_s p_s E[v(S + i) - v(S)] with beta-binomial chances p_s of the number s of
predecessors (:mod:`credit_plugin.values.semivalues`): Beta(16, 1), the default, mostly asks what a
contributor adds to few others, where differences are largest; Beta(1, 1) is the Shapley value.
Estimated like ``regression_adjusted`` by an additive proxy, whose slopes are every semivalue of it,
and a stratified residual.

The values do not sum to v(full) - v(empty): good for ranking and for finding bad data, not a way
to share a total. The table must hold the sizes that matter (a ``paired_border`` design does).

Source: Kwon and Zou, "Beta Shapley: a unified and noise-reduced data valuation framework for
machine learning" (AISTATS 2022). Departure: the regression adjustment, instead of a Markov chain of
marginal contributions.
"""

from numbers import Real

from credit_plugin.errors import InputError
from credit_plugin.values.adjusted import adjusted_readout
from credit_plugin.values.observations import Observations
from credit_plugin.values.proxy import additive_proxy
from credit_plugin.values.readout import Readout
from credit_plugin.values.registry import register_estimator
from credit_plugin.values.semivalues import beta_chances

LARGEST = 1e6
"""Beyond it the chances are those of one size, and their logarithms lose their decimals."""


@register_estimator("beta_shapley")
def beta_shapley(observed: Observations, *, alpha: float = 16.0, beta: float = 1.0) -> Readout:
    """Prepare the Beta(alpha, beta) Shapley value.

    Raises:
        InputError: If a parameter is no number above 0 up to a million, or only the empty and the
            full coalition are evaluated.
    """
    for name, parameter in (("alpha", alpha), ("beta", beta)):
        number = isinstance(parameter, Real) and not isinstance(parameter, bool)
        if not number or not 0 < parameter <= LARGEST:
            raise InputError(
                f"values.options: {name} {parameter!r} must be a number above 0, at most "
                f"{LARGEST:.0f}; write it like 16.0"
            )
    observed.need_interior()
    chances = beta_chances(observed.n_players, alpha, beta)
    quantity = f"Beta({alpha:g}, {beta:g}) Shapley value"
    return adjusted_readout(observed, additive_proxy(observed), chances, quantity, False)
