"""The way from a utility table to contributor values."""

from collections.abc import Mapping
from inspect import Parameter, signature
from typing import Any, overload

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.game.table import UtilityTable
from credit_plugin.values.observations import Observations, observe
from credit_plugin.values.proxy import additive_proxy, r_squared
from credit_plugin.values.readout import SHAPLEY, Readout
from credit_plugin.values.registry import get_estimator
from credit_plugin.values.result import ContributorValues
from credit_plugin.values.uncertainty import check_settings, margins, resample

DEFAULT = "auto"


@overload
def estimate(
    table: UtilityTable,
    estimator: str = ...,
    seed: int = ...,
    *,
    property: str,
    confidence: float = ...,
    resamples: int = ...,
    options: Mapping[str, Any] | None = ...,
) -> ContributorValues: ...


@overload
def estimate(
    table: UtilityTable,
    estimator: str = ...,
    seed: int = ...,
    *,
    property: None = ...,
    confidence: float = ...,
    resamples: int = ...,
    options: Mapping[str, Any] | None = ...,
) -> Any: ...


def estimate(
    table: UtilityTable,
    estimator: str = DEFAULT,
    seed: int = 0,
    *,
    property: str | None = None,
    confidence: float = 0.95,
    resamples: int = 400,
    options: Mapping[str, Any] | None = None,
) -> ContributorValues | dict[str, ContributorValues]:
    """Estimate the contributors' values of one property or of every property.

    Args:
        table: Utilities of coalitions, the empty and the full one among them. Repeats of a
            coalition are averaged, and tell how large the seed noise is.
        estimator: A registered estimator, see :func:`credit_plugin.values.estimator_names`.
        seed: Determines the resamples behind the intervals; the values do not depend on it.
        property: Which property; by default each that the table holds.
        confidence: Level of the intervals, between 0 and 1.
        resamples: Resamples behind standard errors and intervals, at least 2.
        options: Settings of the estimator itself, for instance ``{"proxy": "trees"}``.

    Returns:
        The values; a dict of them by property if ``property`` is None and the table holds several.
        Shapley values sum to v(full) - v(empty). The diagnostics hold ``evaluations``,
        ``coalitions`` (distinct ones), ``seed_noise`` (standard deviation of one evaluation; 0 if
        nothing was repeated), ``seed_noise_degrees`` (of freedom), ``efficiency_gap_before`` (what
        the estimator shared evenly to reach the total), ``r_squared`` (of an additive model of the
        utilities), ``intervals`` (what they include, in words), ``single_draw`` (there only if what
        other coalitions would change is unknown), and facts of the estimator.

    Raises:
        InputError: If the table lacks what the estimator needs, or an argument is out of range.
    """
    check_settings(confidence, resamples)
    names = table.property_names if property is None else (property,)
    found = {
        name: _estimate_one(
            table.select(name), name, estimator, seed, confidence, resamples, options or {}
        )
        for name in names
    }
    return found if len(found) > 1 else found[names[0]]


def prepare(observed: Observations, estimator: str, options: Mapping[str, Any]) -> Readout:
    """Return an estimator's readout of observations.

    Raises:
        InputError: For an unknown estimator or option, or if the observations lack what it needs.
    """
    function = get_estimator(estimator)
    check_options(estimator, options)
    return function(observed, **options)


def shares_a_total(estimator: str, options: Mapping[str, Any]) -> bool:
    """Return whether an estimator's values sum to v(full) - v(empty), as Shapley values do.

    Raises:
        InputError: For an unknown estimator or option.
    """
    # what it estimates is in its readout, and two contributors are enough for every estimator
    members = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
    observed = observe(UtilityTable.from_arrays(members, members.sum(axis=1)))
    return prepare(observed, estimator, options).quantity == SHAPLEY


def check_options(estimator: str, options: Mapping[str, Any]) -> None:
    """Refuse options that an estimator does not have.

    Raises:
        InputError: One line that names the option and those that there are.
    """
    parameters = signature(get_estimator(estimator)).parameters.values()
    known = [p.name for p in parameters if p.kind == Parameter.KEYWORD_ONLY]
    for option in options:
        if option not in known:
            allowed = f"its options are {', '.join(known)}" if known else "it has none"
            raise InputError(
                f"values.options: {option!r} is not an option of estimator {estimator}; {allowed}"
            )


def _estimate_one(
    table: UtilityTable,
    name: str,
    estimator: str,
    seed: int,
    confidence: float,
    resamples: int,
    options: Mapping[str, Any],
) -> ContributorValues:
    observed = observe(table)
    readout = prepare(observed, estimator, options)
    values = readout.solve(observed.utilities[:, None], np.ones(len(readout.strata)))[:, 0]
    resampled = resample(observed, readout, resamples, seed)
    half = margins(resampled, confidence)
    return ContributorValues(
        contributors=table.contributors,
        values=values,
        standard_errors=resampled.standard_errors,
        ci_low=values - half,
        ci_high=values + half,
        v_empty=float(observed.utilities[observed.empty]),
        v_full=float(observed.utilities[observed.full]),
        estimator=estimator,
        property=name,
        confidence=confidence,
        quantity=readout.quantity,
        draws=resampled.values,
        diagnostics={
            **_describe(table, observed),
            "intervals": resampled.sources,
            **({"single_draw": True} if readout.single_draw else {}),
            **readout.diagnostics,
        },
    )


def _describe(table: UtilityTable, observed: Observations) -> dict[str, float | int | str]:
    return {
        "evaluations": len(table),
        "coalitions": len(observed.utilities),
        "seed_noise": observed.noise_sd,
        "seed_noise_degrees": observed.noise_degrees,
        "r_squared": r_squared(observed, additive_proxy(observed)),
    }
