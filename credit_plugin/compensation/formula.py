"""The formula of a payout, with one payee's own numbers filled in, line by line."""

# ruff: noqa: RUF001 - multiplication and minus signs are those of mathematics

from collections.abc import Mapping
from typing import Any

from credit_plugin.compensation.payout import format_money
from credit_plugin.compensation.wording import fixed, percent, plain

_RULES = {"count": "number of accepted images", "equal": "number of owners"}


def formula_lines(facts: Mapping[str, Any], row: Mapping[str, Any], digits: int) -> list[str]:
    """Return how a payee's payout comes about, as sentences with numbers.

    Args:
        facts: From :func:`credit_plugin.compensation.facts.collect_facts`.
        row: The payee's record.
        digits: Decimals of values.
    """
    return [
        _value(facts, row, digits),
        *(_by_values(facts, row, digits) if facts["gate"]["open"] else _declared(facts, row)),
        *_bounds(facts, row),
        _count(facts, row),
        *_now(facts, row),
    ]


def _value(facts: Mapping[str, Any], row: Mapping[str, Any], digits: int) -> str:
    files = f"the {facts['certainty']['evaluations']} measurements in coalitions.csv"
    if facts["retrained"]:
        files += f" and the {facts['retrained']} in retrainings.csv"
    return f"value = {fixed(row['value'], digits)}, estimated from {files}"


def _by_values(facts: Mapping[str, Any], row: Mapping[str, Any], digits: int) -> list[str]:
    policy = facts["settings"]["compensation"]
    weights = {name: w for name, w in policy["weights"].items() if w > 0}
    lines = []
    if len(weights) > 1 or (weights and facts["property"] not in weights):
        total = sum(weights.values())
        parts = []
        for name, weight in weights.items():
            value, positive = _of_property(facts, name, row["contributor"])
            own = value / positive if positive > 0 else 0.0
            parts.append(f"{percent(weight / total, 0)} × {percent(own, 2)} of {plain(name)}")
        lines.append(f"share by values = {' + '.join(parts)}")
    else:
        value, positive = _of_property(facts, facts["property"], row["contributor"])
        lines.append(
            "share by values = value ÷ sum of all positive values = "
            f"{fixed(value, digits)} ÷ {fixed(positive, digits)} = "
            f"{percent(row['value_share'], 2)}"
        )
        if row["value"] <= 0:
            lines[-1] = "share by values = 0 %, because the value is not positive"
    base = policy["rule"]["base_share"]
    if base > 0:
        lines.append(
            f"share = {percent(1 - base, 0)} of the share by values + {percent(base, 0)} by "
            f"{_RULES[policy['rule']['base']]} = {percent(row['share'], 2)}"
        )
    return [*lines, _payout(facts, row)]


def _declared(facts: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    rule = facts["gate"]["paid_by"]
    if rule == "count":
        images = sum(each["images"] for each in facts["rows"])
        how = f"own images ÷ all images = {row['images']:,} ÷ {images:,}"
    else:
        how = f"1 ÷ {len(facts['rows'])} owners"
    return [
        f"share = {how} = {percent(row['share'], 2)}, because values are not reliable enough to "
        "pay by",
        _payout(facts, row),
    ]


def _payout(facts: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    pool = format_money(facts["pool_minor"], facts["currency"])
    payout = format_money(row["payout_minor"], facts["currency"])
    return f"payout = share × pool = {percent(row['share'], 2)} × {pool} = {payout}"


def _bounds(facts: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    policy, currency = facts["settings"]["compensation"], facts["currency"]
    bounds = []
    if float(policy["floor"]):
        bounds.append(f"nobody gets less than {policy['floor']} {currency}")
    if policy["cap"] is not None:
        bounds.append(f"nobody gets more than {policy['cap']} {currency}")
    if not bounds:
        return []
    return [f"within bounds: {' and '.join(bounds)}; the others share what remains"]


def _count(facts: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    images = sum(each["images"] for each in facts["rows"])
    pool = format_money(facts["pool_minor"], facts["currency"])
    by_count = format_money(row["count_payout_minor"], facts["currency"])
    return (
        f"by count, for comparison = own images ÷ all images × pool = {row['images']:,} ÷ "
        f"{images:,} × {pool} = {by_count}"
    )


def _now(facts: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    """Return what of the payout is paid now, unless all of it is."""
    if row["paid_minor"] == row["payout_minor"]:
        return []
    currency = facts["currency"]
    parts = [f"{format_money(row['payout_minor'], currency)} payout"]
    for key, sign, words in (
        ("brought_forward_minor", "+", "brought forward"),
        ("held_minor", "−", "held"),
        ("carried_minor", "−", "carried forward"),
    ):
        if row[key]:
            parts.append(f"{sign} {format_money(row[key], currency)} {words}")
    return [f"paid now = {' '.join(parts)} = {format_money(row['paid_minor'], currency)}"]


def _of_property(facts: Mapping[str, Any], name: str, contributor: str) -> tuple[float, float]:
    """Return a contributor's value of a property, and the sum of all positive ones."""
    values = facts["properties"][name]
    by_name = dict(zip(values["contributors"], values["values"], strict=True))
    return by_name[contributor] or 0.0, sum(max(0.0, v or 0.0) for v in values["values"])
