"""The way from a utility table to contributor values."""

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.game.table import UtilityTable
from credit_plugin.values.observations import Observations, observe
from credit_plugin.values.proxy import additive_proxy, r_squared
from credit_plugin.values.registry import get_estimator
from credit_plugin.values.result import ContributorValues
from credit_plugin.values.uncertainty import margins, resample


def estimate(
    table: UtilityTable,
    estimator: str = "regression_adjusted",
    seed: int = 0,
    *,
    property: str | None = None,
    confidence: float = 0.95,
    resamples: int = 400,
) -> ContributorValues:
    """Estimate the contributors' Shapley values of a property.

    Args:
        table: Utilities of coalitions, the empty and the full one among them. Repeats of a
            coalition are averaged, and tell how large the seed noise is.
        estimator: A registered estimator: ``regression_adjusted``, ``kernelshap_paper``,
            ``permutation``, ``exact``.
        seed: Determines the resamples behind the intervals; the values do not depend on it.
        property: Which property; needed only if the table holds several.
        confidence: Level of the intervals, between 0 and 1.
        resamples: Resamples behind standard errors and intervals, at least 2.

    Returns:
        Values that sum to v(full) - v(empty). Their diagnostics hold ``evaluations``,
        ``coalitions`` (distinct ones), ``seed_noise`` (standard deviation of one evaluation; 0 if
        nothing was repeated), ``seed_noise_degrees`` (of freedom), ``efficiency_gap_before`` (what
        the estimator shared evenly to reach the total), ``r_squared`` (of an additive model of the
        utilities), ``intervals`` (what they include, in words), and facts of the estimator.

    Raises:
        InputError: If the table lacks what the estimator needs, or an argument is out of range.
    """
    if not 0 < confidence < 1:
        raise InputError(f"confidence: {confidence} is not between 0 and 1")
    if resamples < 2:
        raise InputError(f"resamples: {resamples} is too few; use at least 2")
    one = _one_property(table, property)
    observed = observe(one)
    readout = get_estimator(estimator)(observed)
    values = readout.solve(observed.utilities[:, None], np.ones(len(readout.strata)))[:, 0]
    resampled = resample(observed, readout, resamples, seed)
    half = margins(resampled, confidence)
    return ContributorValues(
        contributors=one.contributors,
        values=values,
        standard_errors=resampled.standard_errors,
        ci_low=values - half,
        ci_high=values + half,
        v_empty=float(observed.utilities[observed.empty]),
        v_full=float(observed.utilities[observed.full]),
        estimator=estimator,
        property=one.properties[0],
        confidence=confidence,
        diagnostics={
            **_describe(one, observed),
            "intervals": resampled.sources,
            **readout.diagnostics,
        },
    )


def _one_property(table: UtilityTable, name: str | None) -> UtilityTable:
    if name is not None:
        return table.select(name)
    if len(table.property_names) > 1:
        raise InputError(f"property: name one of {', '.join(table.property_names)}")
    return table


def _describe(table: UtilityTable, observed: Observations) -> dict[str, float | int | str]:
    return {
        "evaluations": len(table),
        "coalitions": len(observed.utilities),
        "seed_noise": observed.noise_sd,
        "seed_noise_degrees": observed.noise_degrees,
        "r_squared": r_squared(observed, additive_proxy(observed)),
    }
