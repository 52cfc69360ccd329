"""A payee's statement as a page and as Markdown, from the sealed record alone."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from credit_plugin.compensation import wording
from credit_plugin.compensation.policy_words import declared_words
from credit_plugin.compensation.ranking import kind_of
from credit_plugin.compensation.rendering import data_uri, environment, style_of_page
from credit_plugin.jsonable import canonical

if TYPE_CHECKING:
    from credit_plugin.compensation.review.signatures import Signed

_AIR = 0.05  # of the width, left and right of the outermost ends


def render_statement_html(
    proved: Mapping[str, Any], thumbnail: bytes | None = None, signed: "Signed | None" = None
) -> str:
    """Return a statement as one HTML page that needs nothing else.

    Args:
        proved: A line of ``statements.jsonl``.
        thumbnail: PNG of one of the payee's images.
        signed: What the report's review says by now, if anybody has acted in it.
    """
    picture = None if thumbnail is None else data_uri(thumbnail)
    template = environment().get_template("statement.html.j2")
    return template.render(**_view(proved), **style_of_page(), thumbnail=picture, signed=signed)


def render_statement_markdown(proved: Mapping[str, Any], signed: "Signed | None" = None) -> str:
    """Return a statement as Markdown (CommonMark with tables)."""
    return environment().get_template("statement.md.j2").render(**_view(proved), signed=signed)


def statement_file(record: Mapping[str, Any]) -> str:
    """Return what the files of a statement are called, without their ending.

    A name becomes ASCII letters, digits and hyphens, so it can lead nowhere; the number in front
    tells statements apart.
    """
    text = unicodedata.normalize("NFKD", record["row"]["contributor"])
    plain = re.sub(r"[^a-z0-9]+", "-", text.encode("ascii", "ignore").decode().lower())
    return f"statement-{record['number']:04d}-{plain[:40].strip('-')}".rstrip("-")


def _view(proved: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record with what templates should not have to compute."""
    record = proved["statement"]
    row, direction = record["row"], record["direction"]
    sealed = record["sealed"]
    bars = _bars(record)
    return {
        **record,
        "is_sealed": bool(sealed and sealed["sealable"]),
        "words": wording.property_words(record["property"]),
        "baseline_words": wording.baseline_words(record["baseline"]),
        "declared_words": declared_words(record["gate"]["paid_by"]),
        "level": round(record["confidence"] * 100),
        "kind": kind_of(row["value"], row["ci_low"]),
        "scale": _scale(record),
        "bars": bars,
        "bars_label": ", ".join(f"{bar['who']} {bar['measured']:.4g}" for bar in bars),
        "raw_digits": wording.decimals_for([record["v_full"], record["v_empty"]]),
        "raw_full": record["v_full"] * direction,
        "leaf": hashlib.sha256(canonical(record)).hexdigest(),
        "root": proved["root"],
        "file": f"{statement_file(record)}.json",
    }


def _scale(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return places in percent of the width: nothing, an equal share, the value, its interval."""
    row, equal = record["row"], record["value_of_equal_share"]
    low, high = (row["value"] if row[end] is None else row[end] for end in ("ci_low", "ci_high"))
    numbers = {"zero": 0.0, "equal": equal, "value": row["value"], "low": low, "high": high}
    left, right = min(numbers.values()), max(numbers.values())
    width = (right - left) or 1.0
    left, width = left - _AIR * width, width * (1 + 2 * _AIR)
    places: dict[str, Any] = {
        name: round(100 * (number - left) / width, 2) for name, number in numbers.items()
    }
    places["at_the_end"] = places["equal"] > 85
    places["apart"] = abs(places["equal"] - places["zero"]) > 12  # labels do not overlap
    return places


def _bars(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what was measured without the payee and with them, as far as it was."""
    row, direction = record["row"], record["direction"]
    measured = [
        ("nobody", record["v_empty"], False),
        ("you alone", row["alone"], True),
        ("groups without you", row["groups_without"], False),
        ("groups with you", row["groups_with"], True),
        ("everybody but you", row["without"], False),
        ("everybody", record["v_full"], True),
    ]
    known = [(who, number * direction, you) for who, number, you in measured if number is not None]
    largest = max(abs(number) for _, number, _ in known) or 1.0
    return [
        {"who": who, "measured": number, "you": you, "width": round(100 * abs(number) / largest, 2)}
        for who, number, you in known
    ]
