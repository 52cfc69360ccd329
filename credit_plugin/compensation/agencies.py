"""What groups get, and what each would get if it split or merged."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from credit_plugin.compensation.division import Division
from credit_plugin.compensation.inputs import ReportInputs
from credit_plugin.compensation.valuing import valuation_of
from credit_plugin.errors import InputError
from credit_plugin.values import OwenValues, if_merged, if_split
from credit_plugin.values.hierarchy import WhatIf


def describe_groups(inputs: ReportInputs, division: Division) -> dict[str, Any] | None:
    """Return the groups of a policy with their values, payouts and what-ifs; None without groups.

    Args:
        inputs: What the report is made from.
        division: Who gets what.
    """
    valuation = valuation_of(inputs.study, inputs.table.contributors, inputs.image_counts)
    if valuation.grouping is None:
        return None
    found = valuation.groups(inputs.table, inputs.headline.property)
    grouping, values = found.grouping, found.groups
    gross = np.array(division.settlement.gross, dtype=object)
    groups = [
        {
            "group": name,
            "members": [grouping.contributors[i] for i in grouping.members(name)],
            "value": float(values.values[k]),
            "ci_low": float(values.ci_low[k]),
            "ci_high": float(values.ci_high[k]),
            "payout_minor": int(gross[grouping.members(name)].sum()),
        }
        for k, name in enumerate(grouping.groups)
    ]
    return {
        "groups": sorted(groups, key=lambda group: -group["value"]),
        "inside": inputs.study.compensation.inside,
        "what_if": [what.statement for what in _what_ifs(inputs, found)],
        "warnings": list(found.warnings),
    }


def _what_ifs(inputs: ReportInputs, found: OwenValues) -> list[WhatIf]:
    """Return for each agency its split, and its merger with the one of the highest value else."""
    table, seed = inputs.table.select(inputs.headline.property), inputs.study.seed
    sizes = found.grouping.sizes
    several = [name for name, k in zip(found.grouping.groups, sizes, strict=True) if k > 1]
    ranked = [found.grouping.groups[k] for k in np.argsort(-found.groups.values, kind="stable")]
    answers = []
    for name in several:
        other = next((group for group in ranked if group != name), None)
        answers.append(_answer(partial(if_split, table, found, name, seed=seed)))
        if other is not None and len(ranked) > 2:
            answers.append(_answer(partial(if_merged, table, found, (name, other), seed=seed)))
    return [answer for answer in answers if answer is not None]


def _answer(question: Callable[[], WhatIf]) -> WhatIf | None:
    """Return an answer, or None if the coalitions that were measured do not tell."""
    try:
        return question()
    except InputError:
        return None
