"""The public summary: how the pool is shared and why, in which nobody is named."""

import statistics
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from credit_plugin.compensation import policy_words, wording
from credit_plugin.compensation.provenance import model_lines
from credit_plugin.compensation.rendering import environment, style_of_page

if TYPE_CHECKING:
    from credit_plugin.compensation.review.signatures import Signed

_GROUPS = 5


def render_summary_html(
    facts: Mapping[str, Any], record: str, signed: "Signed | None" = None
) -> str:
    """Return the public summary as one HTML page that needs nothing else.

    Args:
        facts: From :func:`credit_plugin.compensation.facts.collect_facts`.
        record: sha256 of ``values.json``.
        signed: What the report's review says by now, if anybody has acted in it.
    """
    template = environment().get_template("summary.html.j2")
    return template.render(**_view(facts, record), **style_of_page(), signed=signed)


def render_summary_markdown(facts: Mapping[str, Any], record: str) -> str:
    """Return the public summary as Markdown."""
    return environment().get_template("summary.md.j2").render(**_view(facts, record), signed=None)


def _view(facts: Mapping[str, Any], record: str) -> dict[str, Any]:
    rows, direction = facts["rows"], facts["direction"]
    payouts = sorted((row["payout_minor"] for row in rows), reverse=True)
    by_count = [row["count_payout_minor"] for row in rows]
    told = (
        "study", "status", "created", "currency", "pool_minor", "totals_minor", "direction",
        "certainty", "gate", "fidelity", "dataset_digest", "models",
    )  # fmt: skip
    return {
        **{name: facts[name] for name in told},
        "policy": facts["settings"]["compensation"],
        "payees": len(rows),
        "images": sum(row["images"] for row in rows),
        "is_sealed": facts["status"].startswith("sealed"),
        "words": wording.property_words(facts["property"]),
        "baseline_words": wording.baseline_words(facts["baseline"]),
        "utility_words": wording.utility_words(facts["settings"]),
        "declared_words": policy_words.declared_words(facts["gate"]["paid_by"]),
        "rule_words": policy_words.rule_words(facts),
        "policy_words": policy_words.policy_lines(facts),
        "raw_full": facts["v_full"] * direction,
        "raw_empty": facts["v_empty"] * direction,
        "raw_digits": wording.decimals_for([facts["v_full"], facts["v_empty"]]),
        "spread": _spread(payouts),
        "model_facts": model_lines(facts),
        "largest": payouts[0],
        "median": int(statistics.median_low(payouts)),
        "smallest": payouts[-1],
        "largest_by_count": max(by_count),
        "smallest_by_count": min(by_count),
        "licences": sorted({row["licence"] for row in rows if row["licence"]}),
        "submitted_words": _submitted(facts["submissions"]),
        "record": record,
        "root": facts["statements"]["root"],
    }


def _spread(payouts: Sequence[int]) -> list[dict[str, Any]]:
    """Return the mean payout of up to five groups of contributors, best paid first."""
    count = len(payouts)
    groups = min(_GROUPS, count)
    edges = [round(count * k / groups) for k in range(groups + 1)]
    spans = list(pairwise(edges))
    means = [round(statistics.fmean(payouts[a:b])) for a, b in spans]
    largest = max(means) or 1
    bars = []
    for (start, stop), mean in zip(spans, means, strict=True):
        which = "the best paid" if start == 0 else "the next"
        if stop == count and start:
            which = "the least paid"
        who = which if stop - start == 1 else f"{which} {stop - start:,}"
        bars.append({"who": who, "mean": mean, "width": round(100 * mean / largest, 2)})
    return bars


def _submitted(submissions: Mapping[str, Any] | None) -> str:
    """Return how many images were submitted and did not take part."""
    if submissions is None:
        return "all that were given"
    submitted = sum(record["submitted"] for record in submissions["owners"])
    accepted = sum(record["accepted"] for record in submissions["owners"])
    if submitted == accepted:
        return "all that were submitted"
    return f"of {submitted:,} that were submitted; the others are copies, excluded or withdrawn"
