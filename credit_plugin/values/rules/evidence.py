"""Evidence: what keeps a rule from being fooled by values that do not move or do not differ.

Values that stay equal from round to round look settled. So do these, which are not:

* an estimator that has not read the new coalitions yet (chains that are not complete, coalitions it
  has no use for): the same values again;
* a property that is constant, or a measurement that went wrong and returns a constant: all values
  0, all standard errors 0, whatever is evaluated;
* an estimate that was shrunk to equal shares since too little is known: values near
  (v(full) - v(empty)) / n, with standard errors that were shrunk as much and therefore are small;
* rounds so small that they cannot move an estimate of hundreds of coalitions.

So no rule that looks at values believes them without what is checked here:

* **Known errors** (:func:`unknown_errors`): some coalition was evaluated twice, so that the seed
  noise is known, more than one draw shows what other coalitions change, and no standard error is 0.
* **Contributors told apart** (:func:`told_apart`), the part of their differences that is not noise,

      1 - sum_i var(phi_i - mean phi over the draws) / sum_i (phi_i - mean phi)^2,

  at least 0.75. Shrinking values to their mean by a factor shrinks both sums by its square, so that
  the ratio tells what little is known from what is small. For values that are noise alone the
  second sum is about as large as the first, and reaches four times the first less than once in a
  thousand for eight contributors.

The price: in a game whose contributors are all worth the same, or without any noise at all, these
rules never hold, and the study goes on to its budget. That is what it would have done without a
rule.
"""

from credit_plugin.values.ranks import need_draws, rounding_error
from credit_plugin.values.result import ContributorValues

TOLD_APART = 0.75


def unknown_errors(values: ContributorValues) -> str:
    """Say why standard errors are no evidence, or nothing if they are."""
    if not values.diagnostics.get("seed_noise_degrees", 0):
        return "how noisy an evaluation is is unknown: none was repeated"
    if values.diagnostics.get("single_draw"):
        return "what other coalitions would change is unknown after a single draw"
    if not (values.standard_errors > rounding_error(values)).all():
        return "some standard errors are 0, so these values do not show how sure they are"
    return ""


def told_apart(values: ContributorValues) -> float:
    """Return the part of the contributors' differences that is not noise, 0 to 1.

    Raises:
        InputError: If the values have no draws.
    """
    draws = need_draws(values)
    differences = values.values - values.values.mean()
    spread = float((differences**2).sum())
    if not spread > len(differences) * rounding_error(values) ** 2:
        return 0.0
    redrawn = draws - draws.mean(axis=1, keepdims=True)
    return max(0.0, 1 - float(redrawn.var(axis=0, ddof=1).sum()) / spread)


def no_evidence(values: ContributorValues) -> str:
    """Say why values may not be believed, or nothing if they may.

    Raises:
        InputError: If the values have no draws.
    """
    reason = unknown_errors(values)
    if reason:
        return reason
    part = told_apart(values)
    if part >= TOLD_APART:
        return ""
    asked = f"{TOLD_APART:.0%} asked"
    return f"contributors are not told apart, {part:.0%} of their differences is real ({asked})"
