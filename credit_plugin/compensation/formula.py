"""The formula of a payout, with one payee's own numbers filled in, line by line."""

# ruff: noqa: RUF001 - multiplication and minus signs are those of mathematics

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from credit_plugin.compensation.payout import format_money, pool_in_minor_units
from credit_plugin.compensation.wording import fixed, percent, plain

_RULES = {"count": "number of accepted images", "equal": "number of owners"}


class Formula:
    """Fills in the formula for one payee after the other; sums over all are made once.

    Args:
        facts: From :func:`credit_plugin.compensation.facts.collect_facts`.
        digits: Decimals of values.
    """

    def __init__(self, facts: Mapping[str, Any], digits: int) -> None:
        self.facts, self.digits = facts, digits
        self.policy, self.currency = facts["settings"]["compensation"], facts["currency"]
        self.images = sum(row["images"] for row in facts["rows"])
        self.weights = {name: w for name, w in self.policy["weights"].items() if w > 0}
        self.weights = self.weights or {facts["property"]: 1.0}
        self.values, self.positive = {}, {}
        for name in {*self.weights, facts["property"]}:
            found = facts["properties"][name]
            numbers = [value or 0.0 for value in found["values"]]
            self.values[name] = dict(zip(found["contributors"], numbers, strict=True))
            self.positive[name] = sum(max(0.0, value) for value in numbers)

    def lines(self, row: Mapping[str, Any]) -> list[str]:
        """Return how a payee's payout comes about, as sentences with numbers.

        Args:
            row: The payee's record among the facts.
        """
        return [
            self._value(row),
            *(self._by_values(row) if self.facts["gate"]["open"] else [self._declared(row)]),
            *self._payout(row),
            *self._now(row),
            self._count(row),
        ]

    def _value(self, row: Mapping[str, Any]) -> str:
        files = f"the {self.facts['certainty']['evaluations']} measurements in coalitions.csv"
        if self.facts["retrained"]:
            files += f" and the {self.facts['retrained']} in retrainings.csv"
        return f"value = {fixed(row['value'], self.digits)}, estimated from {files}"

    def _by_values(self, row: Mapping[str, Any]) -> list[str]:
        lines = [self._share_by_values(row)]
        base = self.policy["rule"]["base_share"]
        if base > 0:
            lines.append(
                f"share = {percent(1 - base, 0)} of the share by values + {percent(base, 0)} by "
                f"{_RULES[self.policy['rule']['base']]} = {percent(row['share'], 2)}"
            )
        return lines

    def _share_by_values(self, row: Mapping[str, Any]) -> str:
        if set(self.weights) != {self.facts["property"]}:
            total = sum(self.weights.values())
            parts = [
                f"{percent(weight / total, 0)} × {self._part(property, row)}"
                for property, weight in self.weights.items()
            ]
            return f"share by values = {' + '.join(parts)}"
        if self.positive[self.facts["property"]] <= 0:
            return f"share by values = {self._part(self.facts['property'], row)}"
        if row["value"] <= 0:
            return "share by values = 0, because the value is not positive"
        positive = fixed(self.positive[self.facts["property"]], self.digits)
        return (
            "share by values = value ÷ sum of all positive values = "
            f"{fixed(row['value'], self.digits)} ÷ {positive} = {percent(row['value_share'], 2)}"
        )

    def _part(self, name: str, row: Mapping[str, Any]) -> str:
        """Return a payee's part of what is paid by one property; where it pays nobody, by what."""
        positive = self.positive[name]
        if positive > 0:
            part = max(0.0, self.values[name][row["contributor"]]) / positive
            return f"{percent(part, 2)} of {plain(name)}"
        rule = self.policy["fallback"]
        return (
            f"{percent(self._known(rule, row), 2)} by {_RULES[rule]}, because no value of "
            f"{plain(name)} is positive"
        )

    def _known(self, rule: str, row: Mapping[str, Any]) -> float:
        """Return a payee's share by what is known of everybody."""
        if rule == "count":
            return float(row["images"] / self.images)
        return 1 / len(self.facts["rows"])

    def _declared(self, row: Mapping[str, Any]) -> str:
        if self.facts["gate"]["paid_by"] == "count":
            how = f"own images ÷ all images = {row['images']:,} ÷ {self.images:,}"
        else:
            how = f"1 ÷ {len(self.facts['rows'])} owners"
        because = "because the values are not reliable enough to pay by"
        return f"share = {how} = {percent(row['share'], 2)}, {because}"

    def _payout(self, row: Mapping[str, Any]) -> list[str]:
        pool = format_money(self.facts["pool_minor"], self.currency)
        payout = format_money(row["payout_minor"], self.currency)
        product = f"share × pool = {percent(row['share'], 2)} × {pool}"
        unbounded = round(row["share"] * self.facts["pool_minor"])
        if abs(unbounded - row["payout_minor"]) <= 1:  # the last cent is the largest remainders'
            return [f"payout = {product} = {payout}"]
        return [
            f"{product} = {format_money(unbounded, self.currency)}",
            f"payout = {payout}, because {self._bounds()}, and the others share what remains",
        ]

    def _bounds(self) -> str:
        bounds = []
        if float(self.policy["floor"]):
            bounds.append(f"nobody gets less than {self._money('floor')}")
        if self.policy["cap"] is not None:
            bounds.append(f"nobody gets more than {self._money('cap')}")
        return " and ".join(bounds)

    def _money(self, field: str) -> str:
        minor = pool_in_minor_units(Decimal(self.policy[field]), self.currency)
        return format_money(minor, self.currency)

    def _now(self, row: Mapping[str, Any]) -> list[str]:
        """Return what of the payout is paid now, unless it is the payout and nothing else."""
        if not any(row[key] for key in ("brought_forward_minor", "held_minor", "carried_minor")):
            return []
        parts = [f"{format_money(row['payout_minor'], self.currency)} payout"]
        for key, sign, words in (
            ("brought_forward_minor", "+", "brought forward"),
            ("held_minor", "−", "held"),
            ("carried_minor", "−", "carried forward"),
        ):
            if row[key]:
                parts.append(f"{sign} {format_money(row[key], self.currency)} {words}")
        return [f"paid now = {' '.join(parts)} = {format_money(row['paid_minor'], self.currency)}"]

    def _count(self, row: Mapping[str, Any]) -> str:
        pool = format_money(self.facts["pool_minor"], self.currency)
        by_count = format_money(row["count_payout_minor"], self.currency)
        return (
            f"by count, for comparison = own images ÷ all images × pool = {row['images']:,} ÷ "
            f"{self.images:,} × {pool} = {by_count}"
        )
