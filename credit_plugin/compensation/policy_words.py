"""A payout policy in plain words, for reports."""

# ruff: noqa: RUF001 - texts for people have typographic apostrophes

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from credit_plugin.compensation.payout import format_money, pool_in_minor_units
from credit_plugin.compensation.wording import baseline_words, moment, percent, plain
from credit_plugin.compensation.wording import design_words as wording_of_design
from credit_plugin.contributors.duplicates import LEAST_PIXELS

_BY = {"count": "by number of accepted images", "equal": "to all owners alike"}
_COPIES = {
    "merge": "the earliest registration keeps a picture that several owners submitted; where it is "
    "not known, money is held",
    "hold": "pictures that several owners submitted all take part, and their money is held",
    "keep": "pictures that several owners submitted all take part as they are",
}


def declared_words(rule: str) -> str:
    """Return how a pool is paid by a rule that needs no values."""
    return _BY.get(rule, plain(rule))


def rule_words(facts: Mapping[str, Any]) -> str:
    """Return how payouts came about, for the table of payouts."""
    if not facts["gate"]["open"]:
        return (
            f"Payouts are made {declared_words(facts['gate']['paid_by'])}, the rule that the "
            "policy declares for values that are not reliable enough."
        ) + _bounds_words(facts["settings"]["compensation"], facts["currency"])
    words = "Payouts follow the values: values below 0 are shown but count as 0, the others are "
    words += "scaled so that they add up to the pool, and the last cents go to the largest "
    words += "remainders, so that payouts sum to the pool exactly."
    policy = facts["settings"]["compensation"]
    base = policy["rule"]["base_share"]
    if base:
        words += f" Of the pool, {percent(base, 0)} is paid {_BY[policy['rule']['base']]}."
    return words + _bounds_words(policy, facts["currency"])


def _bounds_words(policy: Mapping[str, Any], currency: str) -> str:
    """Return a sentence about a floor and a cap; empty without them."""
    bounds = []
    if float(policy["floor"]):
        bounds.append(f"less than {_money(policy['floor'], currency)}")
    if policy["cap"] is not None:
        bounds.append(f"more than {_money(policy['cap'], currency)}")
    return f" Nobody gets {' or '.join(bounds)}." if bounds else ""


def copies_words(facts: Mapping[str, Any]) -> str:
    """Return whether copies across owners were looked for."""
    if facts["settings"]["compensation"]["duplicates"] == "keep":
        return "Whether several owners submitted the same picture was not looked at."
    return "No picture was submitted by several owners."


def copy_sensitivity(facts: Mapping[str, Any]) -> str:
    """Return what a copy of somebody else's picture would have brought, in words."""
    rule = facts["settings"]["compensation"]["duplicates"]
    if rule == "keep":
        return (
            "Copies of other owners’ pictures take part in this study as they are: whoever copies "
            "shares the credit of whom they copy."
        )
    small = facts["settings"]["data"]["image_size"] < LEAST_PIXELS
    looked = "exact copies" if small else "exact copies and mirrored, cropped or tinted ones"
    then = "leave before the game" if rule == "merge" else "have their money held"
    return (
        f"Pictures of other owners were looked for ({looked}) and {then}: a copy brings nothing "
        "until somebody has decided whose it is."
    )


def policy_lines(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return a policy as pairs of a term and what it says."""
    policy, currency = facts["settings"]["compensation"], facts["currency"]
    return [
        ("Version", f"{policy['version']}{_period(policy)}"),
        ("Pool", _money(policy["pool"], currency)),
        ("Paid by", _properties(facts, policy)),
        ("Baseline", baseline_words(facts["baseline"])),
        ("If values are not reliable", f"the pool is paid {_BY[policy['fallback']]}"),
        ("Reliable means", _gate(policy["gate"])),
        *_sums(policy, currency),
        ("Copies", _COPIES[policy["duplicates"]]),
        ("Contests", _contests(policy)),
        *_review(policy["review"]),
        *_written_down(facts),
    ]


def design_words(facts: Mapping[str, Any]) -> str:
    """Return which coalitions were measured."""
    words = wording_of_design(facts["settings"]["game"]["design"])
    if facts["groups"] is None:
        return words
    whole = f"of whole agencies, {words}"
    return (
        f"{whole}; and of members of one agency" if facts["groups"]["inside"] == "nested" else whole
    )


def estimator_words(facts: Mapping[str, Any]) -> str:
    """Return what the values were estimated by."""
    chosen, why = (facts["diagnostics"].get(key) for key in ("chosen", "why"))
    if facts["groups"] is not None:
        return f"Owen value, agencies by {plain(facts['settings']['values']['estimator'])}"
    words = plain(facts["estimator"])
    return f"{words}, which chose {plain(chosen)} ({why})" if chosen else words


def why_waiting(row: Mapping[str, Any]) -> str:
    """Return why some of a payee's money waits, in words; empty if none does."""
    reasons = list(row["holds"])
    if row["reserved_minor"]:
        reasons.append("a reserve until contests are decided")
    if row["carried_minor"]:
        reasons.append("below the smallest payment")
    return "; ".join(reasons)


def _money(amount: str, currency: str) -> str:
    return format_money(pool_in_minor_units(Decimal(amount), currency), currency)


def _period(policy: Mapping[str, Any]) -> str:
    return f", for {policy['period']}" if policy["period"] else ""


def _properties(facts: Mapping[str, Any], policy: Mapping[str, Any]) -> str:
    weights = {name: w for name, w in policy["weights"].items() if w > 0}
    total = sum(weights.values())
    paid = weights or {facts["property"]: 1}
    named = [
        plain(name) if len(paid) == 1 else f"{percent(w / total, 0)} by {plain(name)}"
        for name, w in paid.items()
    ]
    base = policy["rule"]["base_share"]
    words = "values (Shapley) of " + ", ".join(named)
    return f"{words}; {percent(base, 0)} {_BY[policy['rule']['base']]}" if base else words


def _gate(gate: Mapping[str, Any]) -> str:
    words = (
        f"resampling moves at most {percent(gate['misallocation'], 0)} of the payout, and two "
        f"halves of the measurements rank contributors alike (at least {gate['correlation']:g})"
    )
    if gate["fidelity"]:
        words += f"; checked against retraining, at least {gate['fidelity']:g} of what is possible"
    return words


def _sums(policy: Mapping[str, Any], currency: str) -> list[tuple[str, str]]:
    lines = []
    if float(policy["floor"]):
        lines.append(("Guaranteed", f"{_money(policy['floor'], currency)} to every owner"))
    if policy["cap"] is not None:
        lines.append(("At most", f"{_money(policy['cap'], currency)} to one owner"))
    if float(policy["threshold"]):
        lines.append(
            (
                "Smallest payment",
                f"{_money(policy['threshold'], currency)}; less is carried forward",
            )
        )
    if policy["reserve"]:
        lines.append(
            ("Reserve", f"{percent(policy['reserve'])} of every payout until contests are decided")
        )
    return lines


def _contests(policy: Mapping[str, Any]) -> str:
    days = f"within {policy['contest_days']} days after approval"
    return f"{days}, {policy['contact']}" if policy["contact"] else days


def _review(review: Mapping[str, Any]) -> list[tuple[str, str]]:
    words = "one reviewer approves" if review["approvals"] == 1 else "two reviewers approve"
    words += ", and is" if review["approvals"] == 1 else ", and are"
    words += " not who prepared the report"
    if review["keys"]:
        words += f"; signatures by key of {', '.join(review['keys'])}"
    if review["servers"]:
        words += "; names that a listed server has verified"
    if review["unverified"]:
        words += "; names that nothing verifies are enough"
    lines = [("Review", words)]
    if review["compensating_control"]:
        lines.append(("Compensating control", review["compensating_control"]))
    lines.append(("Kept for", f"{review['retention_years']} years"))
    return lines


def _written_down(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    known = facts["commitment"]
    if known is None:
        return []
    before = known["evaluations_before"]
    when = f"{moment(known['committed'])}, " + (
        f"when {before} measurements were known" if before else "before the first measurement"
    )
    own, first = known["policy_sha256"], known["committed_sha256"]
    same = "this policy" if own == first else f"another policy, sha256 {first}"
    return [("Written down", f"{when}: {same}"), ("sha256 of this policy", own)]
