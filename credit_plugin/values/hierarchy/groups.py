"""The upper level: Shapley values with the groups as the players.

What: any estimator of Shapley values, on the coalitions of whole groups. A single group needs no
estimator: its value is all that was gained.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.game.grouped import group_table
from credit_plugin.game.grouping import Grouping
from credit_plugin.game.table import UtilityTable
from credit_plugin.values.estimation import DEFAULT, check_options, estimate
from credit_plugin.values.observations import observe
from credit_plugin.values.readout import SHAPLEY, Readout
from credit_plugin.values.result import ContributorValues
from credit_plugin.values.uncertainty import check_settings, margins, resample


def group_values(
    table: UtilityTable,
    grouping: Grouping,
    seed: int = 0,
    estimator: str = DEFAULT,
    confidence: float = 0.95,
    resamples: int = 400,
    options: Mapping[str, Any] | None = None,
) -> ContributorValues:
    """Estimate the Shapley values of the groups as players.

    Args:
        table: One property of coalitions, of contributors or of groups.
        grouping: Who is in which group.
        seed: Determines the resamples.
        estimator: A registered estimator of Shapley values.
        confidence: Level of the intervals.
        resamples: Resamples behind standard errors and intervals.
        options: Settings of the estimator itself.

    Raises:
        InputError: If the table has other contributors or several properties, no coalition but the
            empty and the full one is of whole groups, the estimator is not of Shapley values or has
            no such option, or a number is out of range.
    """
    name = the_property(table)
    if table.contributors not in (grouping.contributors, grouping.groups):
        raise InputError(
            "grouping: neither its contributors nor its groups are the table's in the same order; "
            "make it with Grouping.of(table.contributors, groups)"
        )
    check_options(estimator, options or {})
    if len(grouping.groups) == 1:
        return _all_in_one(table, grouping.groups, seed, confidence, resamples)
    if table.contributors == grouping.contributors:
        table = group_table(table, grouping)
    if not len(observe(table).interior):
        raise InputError(
            "table: only the empty and the full coalition are of whole groups; evaluate a "
            "group_design"
        )
    found = estimate(
        table,
        estimator,
        seed,
        property=name,
        confidence=confidence,
        resamples=resamples,
        options=options,
    )
    if found.quantity != SHAPLEY:
        raise InputError(
            f"estimator: {estimator} is of the {found.quantity}, which does not sum to the total; "
            f"use {DEFAULT}"
        )
    return found


def the_property(table: UtilityTable) -> str:
    """Return the only property of a table.

    Raises:
        InputError: If there are several.
    """
    names = table.property_names
    if len(names) > 1:
        raise InputError(f"property: the table holds {', '.join(names)}; name one of them")
    return names[0]


def _all_in_one(
    table: UtilityTable,
    groups: tuple[str, ...],
    seed: int,
    confidence: float,
    resamples: int,
) -> ContributorValues:
    """Return the value of a single group: all that was gained."""
    check_settings(confidence, resamples)
    observed = observe(table)
    readout = Readout(
        lambda utilities, _: utilities[[observed.full]] - utilities[[observed.empty]],
        np.empty(0, dtype=np.int64),
    )
    resampled = resample(observed, readout, resamples, seed)
    values, half = np.array([observed.gap(observed.utilities)]), margins(resampled, confidence)
    return ContributorValues(
        contributors=groups,
        values=values,
        standard_errors=resampled.standard_errors,
        ci_low=values - half,
        ci_high=values + half,
        v_empty=float(observed.utilities[observed.empty]),
        v_full=float(observed.utilities[observed.full]),
        estimator="exact",
        property=table.property_names[0],
        confidence=confidence,
        draws=resampled.values,
        diagnostics={
            "coalitions": 2,
            "seed_noise": observed.noise_sd,
            "seed_noise_degrees": observed.noise_degrees,
            "intervals": resampled.sources,
        },
    )
