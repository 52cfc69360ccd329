"""What a report's values would pay under another pool or policy; nothing is measured again.

The same division as the report's, with other sums. It decides nothing: the policy was written down
before the first coalition, and paying by another one needs a new study.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import ValidationError

from credit_plugin.compensation.division import Claims, divide
from credit_plugin.compensation.gate import VALUES, Gate
from credit_plugin.compensation.settlement import Settlement
from credit_plugin.config import CompensationSettings
from credit_plugin.contributors.intake import OwnerRecord
from credit_plugin.errors import InputError
from credit_plugin.values import ContributorValues

FIELDS = ("pool", "floor", "cap", "threshold", "reserve", "base_share")
RULES = (VALUES, "count", "equal")


@dataclass(frozen=True)
class WhatIf:
    """Another division of the same values.

    Attributes:
        settings: The policy that was tried.
        paid_by: The rule.
        settlement: What becomes of the pool, in the order of the report's rows.
        payouts: Gross payouts by contributor, minor units.
    """

    settings: CompensationSettings
    paid_by: str
    settlement: Settlement
    payouts: Mapping[str, int]


def divide_otherwise(
    facts: Mapping[str, Any], changes: Mapping[str, str], paid_by: str = ""
) -> WhatIf:
    """Divide by a changed policy.

    Args:
        facts: The report's record.
        changes: New values as text for some of :data:`FIELDS`; an empty text removes a cap.
        paid_by: ``values``, ``count`` or ``equal``; the report's own rule if empty.

    Raises:
        InputError: One line for what cannot be kept.
    """
    settings = _changed(facts["settings"]["compensation"], changes)
    rule = paid_by or facts["gate"]["paid_by"]
    if rule not in RULES:
        raise InputError(f"paid_by: {rule!r} is none of {', '.join(RULES)}")
    names = facts["properties"][facts["property"]]["contributors"]
    rows = {row["contributor"]: row for row in facts["rows"]}
    in_order = [rows[name] for name in names]
    values = {
        name: ContributorValues.from_json_dict(told) for name, told in facts["properties"].items()
    }
    gate = Gate(paid_by=rule, failures=())
    division = divide(
        values, facts["property"], _claims(in_order), settings, gate, facts["dataset_digest"]
    )
    payouts = dict(zip(names, division.settlement.gross, strict=True))
    return WhatIf(settings, rule, division.settlement, payouts)


def _changed(policy: Mapping[str, Any], changes: Mapping[str, str]) -> CompensationSettings:
    told = {**policy, "rule": dict(policy["rule"])}
    for field, text in changes.items():
        if field not in FIELDS:
            raise InputError(f"{field}: cannot be tried; these can: {', '.join(FIELDS)}")
        if field == "base_share":
            told["rule"]["base_share"] = _number(field, text)
        elif field == "reserve":
            told["reserve"] = _number(field, text)
        else:
            told[field] = text.strip() or None
    try:
        return CompensationSettings.model_validate(told)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "policy"
        raise InputError(f"{where}: {first['msg'].removeprefix('Value error, ')}") from None


def _number(field: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{field}: {text!r} is no number") from None


def _claims(rows: list[Mapping[str, Any]]) -> Claims:
    distances = [np.nan if row["distance"] is None else row["distance"] for row in rows]
    return Claims(
        images=np.array([row["images"] for row in rows]),
        disputed=np.array([_disputed(row["submission"]) for row in rows]),
        distances=np.array(distances, dtype=float),
    )


def _disputed(submission: Mapping[str, Any] | None) -> float:
    return OwnerRecord(**submission).disputed_share if submission else 0.0
