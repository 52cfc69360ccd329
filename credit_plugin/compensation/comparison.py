"""Two reports side by side: whose payout moved, by how much, and what can explain it.

A value that differs by less than two standard errors of the difference may differ by chance alone.
Where it differs by more, the causes that the reports name are listed: the contributor's own data,
other contributors' data, settings of the measurement, the policy, the rule that pays. They are
causes that *can* explain a move; which part is due to which nobody has measured.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from credit_plugin.compensation.commitment import differences

_CHANCE = 2.0
"""Standard errors of the difference."""

_UNRELATED = frozenset({"name", "description", "needs", "execution", "fidelity", "tuning"})
"""Settings that change no value."""


@dataclass(frozen=True)
class Move:
    """One contributor in two reports.

    Attributes:
        contributor: Name.
        before: Row of the first report; None if they were not there.
        after: Row of the second; None if they are not there.
        payout_change: Minor units.
        value_change: None if a value is missing, or is of another property.
        standard_errors: How many standard errors the value moved; None if that is not known.
        reasons: What can explain it, in words.
    """

    contributor: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    payout_change: int
    value_change: float | None
    standard_errors: float | None
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """Two reports.

    Attributes:
        moves: Everybody who is in one of them, the largest change of payout first.
        settings: What differs in the settings: ``game.budget was 48 and is 96``.
        policy: What differs in the policy.
        data: Whether they are on other data.
        comparable: Whether values are of the same property, and payouts in the same currency.
        moved: Share of the pool that goes to others than before, 0 to 1; None between currencies.
    """

    moves: tuple[Move, ...]
    settings: tuple[str, ...]
    policy: tuple[str, ...]
    data: bool
    comparable: bool
    moved: float | None


def compare_reports(before: Mapping[str, Any], after: Mapping[str, Any]) -> Comparison:
    """Compare the records of two reports.

    Args:
        before: Of the one.
        after: Of the other.
    """
    settings = [dict(facts["settings"]) for facts in (before, after)]
    policies = [each.pop("compensation") for each in settings]
    measured = [{k: v for k, v in each.items() if k not in _UNRELATED} for each in settings]
    changed, policy = differences(measured[0], measured[1]), differences(policies[0], policies[1])
    data = before["dataset_digest"] != after["dataset_digest"]
    comparable = (before["property"], before["currency"]) == (after["property"], after["currency"])
    first, second = ({row["contributor"]: row for row in f["rows"]} for f in (before, after))
    common = _common_reasons(before, after, changed, policy)
    moves = [
        _move(name, first.get(name), second.get(name), comparable, data, common)
        for name in dict.fromkeys([*first, *second])
    ]
    moves.sort(key=lambda move: (-abs(move.payout_change), move.contributor))
    return Comparison(
        tuple(moves), tuple(changed), tuple(policy), data, comparable, _moved(before, after)
    )


def _move(
    name: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    comparable: bool,
    data: bool,
    common: list[str],
) -> Move:
    paid = [row["payout_minor"] if row else 0 for row in (before, after)]
    change, errors = None, None
    if before and after and comparable:
        change = after["value"] - before["value"]
        spread = [row["standard_error"] for row in (before, after)]
        if None not in spread and math.hypot(*spread) > 0:
            errors = change / math.hypot(*spread)
    reasons = _reasons(before, after, errors, data, common)
    return Move(name, before, after, paid[1] - paid[0], change, errors, tuple(reasons))


def _reasons(
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    errors: float | None,
    data: bool,
    common: list[str],
) -> list[str]:
    if before is None or after is None:
        return ["new in this report" if before is None else "not in this report"]
    reasons = []
    if before["data_sha256"] != after["data_sha256"]:
        reasons.append(f"own images changed, {before['images']:,} then and {after['images']:,} now")
    elif data:
        reasons.append("other contributors' images changed")
    if errors is not None and abs(errors) < _CHANCE:
        reasons.append("the value moved within chance")
    return reasons + common


def _common_reasons(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    settings: list[str],
    policy: list[str],
) -> list[str]:
    """Return what can have moved everybody."""
    reasons = []
    if before["gate"]["paid_by"] != after["gate"]["paid_by"]:
        reasons.append(
            f"paid by {before['gate']['paid_by']} then and by {after['gate']['paid_by']} now"
        )
    if settings:
        reasons.append("settings of the measurement changed")
    if policy:
        reasons.append("the policy changed")
    return reasons


def _moved(before: Mapping[str, Any], after: Mapping[str, Any]) -> float | None:
    """Return half the sum of the absolute differences of everybody's share of what is paid."""
    if before["currency"] != after["currency"]:
        return None
    shares = []
    for facts in (before, after):
        total = facts["totals_minor"]["gross"] or 1
        shares.append({row["contributor"]: row["payout_minor"] / total for row in facts["rows"]})
    names = {*shares[0], *shares[1]}
    return sum(abs(shares[0].get(n, 0.0) - shares[1].get(n, 0.0)) for n in names) / 2
