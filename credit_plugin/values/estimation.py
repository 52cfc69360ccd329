"""``estimate``: from a utility table to values with standard errors and intervals."""

import numpy as np
from scipy.stats import norm

from credit_plugin.errors import InputError
from credit_plugin.game.table import UtilityTable
from credit_plugin.seeding import numpy_generator
from credit_plugin.values.registry import get_estimator
from credit_plugin.values.regression_adjusted import fit_additive
from credit_plugin.values.result import ContributorValues
from credit_plugin.values.sample import Sample, collapse
from credit_plugin.values.uncertainty import standard_errors


def estimate(
    table: UtilityTable,
    estimator: str = "regression_adjusted",
    seed: int = 0,
    *,
    property: str | None = None,
    confidence: float = 0.95,
    resamples: int = 400,
) -> ContributorValues:
    """Estimate each contributor's value from evaluated coalitions.

    Args:
        table: Coalitions with utilities (higher is better); repeats are averaged.
        estimator: Registered estimator.
        seed: Seeds the bootstrap; values do not depend on it, intervals hardly.
        property: Which property, if the table has several.
        confidence: Level of the intervals, in (0, 1).
        resamples: Bootstrap resamples behind the intervals.

    Returns:
        Values that sum to v(N) - v(empty) within 1e-9.

    Raises:
        InputError: If the table lacks what the estimator needs.
    """
    if property is None and len(table.property_names) > 1:
        raise InputError(f"name one property of the table: {', '.join(table.property_names)}")
    rows = table.select(property or table.property_names[0])
    sample, noise = collapse(rows)
    function = get_estimator(estimator)
    values = function(sample)
    generator = numpy_generator(seed, "", "bootstrap")
    errors = standard_errors(sample, function, noise, resamples, generator)
    reach = float(norm.ppf(0.5 + confidence / 2)) * errors
    return ContributorValues(
        contributors=rows.contributors,
        values=values,
        standard_errors=errors,
        ci_low=values - reach,
        ci_high=values + reach,
        v_empty=sample.v_empty,
        v_full=sample.v_full,
        estimator=estimator,
        property=rows.property_names[0],
        confidence=confidence,
        diagnostics=_diagnose(rows, sample, noise),
    )


def _diagnose(
    rows: UtilityTable, sample: Sample, noise: float | None
) -> dict[str, float | int | str]:
    predicted, slopes = fit_additive(sample, sample.coalitions.astype(np.float64))
    total = float(((sample.utilities - sample.utilities.mean()) ** 2).sum())
    missed = float(((sample.utilities - predicted) ** 2).sum())
    return {
        "evaluations": len(rows.utilities),
        "coalitions": len(sample.utilities),
        "seed_noise": "not measured: no coalition was evaluated twice" if noise is None else noise,
        "r_squared": 1 - missed / total if total > 0 else 1.0,
        "efficiency_gap_before": float(sample.v_full - sample.v_empty - slopes.sum()),
    }
