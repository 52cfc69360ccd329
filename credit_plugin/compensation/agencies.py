"""What groups get, and what anybody would get if they split or merged."""

from collections.abc import Callable
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from credit_plugin.compensation.division import Division
from credit_plugin.compensation.inputs import ReportInputs
from credit_plugin.compensation.valuing import valuation_of
from credit_plugin.errors import InputError
from credit_plugin.game.grouping import Grouping
from credit_plugin.values import OwenValues, if_merged, if_split
from credit_plugin.values.hierarchy import WhatIf

_MERGED, _MOST_MERGED_OF = 3, 60


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


def describe_mergers(inputs: ReportInputs) -> list[str]:
    """Return what the highest valued owners would get, two at a time, if they were one owner.

    It tells what splitting is worth: whoever has come as two of them would get so much less, or
    more, as one. That is why owners are verified, and not measured. Of many contributors nothing
    is said: each answer is an estimate of its own, and two of them are lost in its noise.
    """
    names, headline = inputs.table.contributors, inputs.headline
    grouped = bool(inputs.study.compensation.groups)
    if grouped or inputs.retrained is not None or not 2 < len(names) <= _MOST_MERGED_OF:
        return []
    table, seed = inputs.table.select(headline.property), inputs.study.seed
    found = OwenValues(Grouping.of(names), headline, headline, inside={}, agreements=())
    ranked = np.argsort(-headline.values, kind="stable")[:_MERGED]
    pairs = combinations([names[k] for k in ranked], 2)
    answers = [_answer(partial(if_merged, table, found, pair, seed=seed)) for pair in pairs]
    return [answer.statement for answer in answers if answer is not None]


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
