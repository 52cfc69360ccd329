"""The report's facts as HTML and as Markdown.

Names, attributions, captions and error messages come from outside, and somebody may have chosen
them to do harm. HTML: everything is escaped by the template engine, direction marks stay inside
their name (``<bdi>``), and the page's own policy allows no script, no frame, no form and no request
to anywhere; the one style sheet is allowed by its hash. Markdown: every character that could start
a construct is escaped, so a name can be neither link, image, heading, table cell nor HTML; marks
that would reorder the line and control characters are shown as U+FFFD.
"""

import hashlib
import unicodedata
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from credit_plugin.compensation import policy_words, wording
from credit_plugin.compensation.formula import Formula
from credit_plugin.compensation.payout import format_amount, format_money
from credit_plugin.compensation.provenance import REQUIREMENTS, model_lines, provenance_lines
from credit_plugin.compensation.ranking import rank
from credit_plugin.compensation.statements import value_digits

if TYPE_CHECKING:
    from credit_plugin.compensation.review.signatures import Signed

_PNG = b"\x89PNG\r\n\x1a\n"
_ACTIVE_IN_MARKDOWN = frozenset(r"\`*_{}[]()#+-.!|~=:@$^")
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}


def render_html(
    facts: Mapping[str, Any],
    hashes: Mapping[str, str],
    thumbnails: Mapping[str, bytes],
    signed: "Signed | None" = None,
) -> str:
    """Return the report as one HTML page that needs nothing else.

    Args:
        facts: From :func:`credit_plugin.compensation.facts.collect_facts`.
        hashes: sha256 of the files that the page rests on, by name.
        thumbnails: PNG of one image by contributor; others are left out.
        signed: What its review says by now, if anybody has acted in it.
    """
    pictures = {name: uri for name, png in thumbnails.items() if (uri := data_uri(png))}
    template = environment().get_template("report.html.j2")
    return template.render(
        **view_of(facts), **style_of_page(), hashes=hashes, thumbnails=pictures, signed=signed
    )


def render_markdown(facts: Mapping[str, Any], hashes: Mapping[str, str]) -> str:
    """Return the report as Markdown (CommonMark with tables)."""
    return (
        environment()
        .get_template("report.md.j2")
        .render(**view_of(facts), hashes=hashes, signed=None)
    )


def escape_markdown(text: object) -> str:
    """Return text on one line that Markdown shows as it is."""
    return "".join(map(_escape_character, " ".join(str(text).split())))


def _escape_character(character: str) -> str:
    if character in _ACTIVE_IN_MARKDOWN:
        return f"\\{character}"
    if character in _REORDERING or unicodedata.category(character) == "Cc":
        return "\ufffd"
    return _ENTITIES.get(character, character)


def view_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts with what templates should not have to compute."""
    rows = facts["rows"]
    direction, digits = facts["direction"], value_digits(facts)
    return {
        **facts,
        "is_sealed": facts["status"].startswith("sealed"),
        "declared_words": policy_words.declared_words(facts["gate"]["paid_by"]),
        "rule_words": policy_words.rule_words(facts),
        "policy_words": policy_words.policy_lines(facts),
        "copies_words": policy_words.copies_words(facts),
        "several_names": _several_names(facts["submissions"]),
        "copy_sensitivity": policy_words.copy_sensitivity(facts),
        "fates": _fates(facts["submissions"]),
        "decided": _anything_decided(facts["submissions"]),
        "waiting": any(
            facts["totals_minor"][key] for key in ("brought_forward", "held", "carried")
        ),
        "why_waiting": {row["contributor"]: policy_words.why_waiting(row) for row in rows},
        "formula": Formula(facts, digits).lines(rows[0]),
        "provenance": provenance_lines(facts),
        "model_facts": model_lines(facts),
        "requirements": REQUIREMENTS,
        "game": facts["settings"]["game"],
        "words": wording.property_words(facts["property"]),
        "baseline_words": wording.baseline_words(facts["baseline"]),
        "utility_words": wording.utility_words(facts["settings"]),
        "design_words": policy_words.design_words(facts),
        "estimator_words": policy_words.estimator_words(facts),
        "digits": digits,
        "raw_full": facts["v_full"] * direction,
        "raw_empty": facts["v_empty"] * direction,
        "raw_digits": wording.decimals_for([facts["v_full"], facts["v_empty"]]),
        "gain": facts["v_full"] - facts["v_empty"],
        "images": sum(row["images"] for row in rows),
        "nothing_below": not any(row["payout_minor"] for row in rows if row["value"] <= 0),
        # the chart is of values, whatever pays
        "chart": rank([{**row, "share": row["value_share"]} for row in rows]),
        "place": {name: i for i, name in enumerate(_contributors(facts))},
        "measured": [_measured(facts, name) for name in facts["properties"]],
        "comparison": [_compared(facts, name) for name in facts["properties"]],
        "baseline_names": [_baseline_name(facts, case) for case in facts["baselines"]],
        "unpaid": [_baseline_name(facts, c) for c in facts["baselines"] if not any(c["shares"])],
        "total_cost": sum(s for s in facts["costs"].values() if s is not None),
    }


def _anything_decided(submissions: Mapping[str, Any] | None) -> bool:
    """Return whether anybody's submission is not simply accepted under their own name."""
    return submissions is not None and any(
        record["fates"] or record["names"] != [record["owner"]] for record in submissions["owners"]
    )


def _fates(submissions: Mapping[str, Any] | None) -> list[str]:
    """Return what became of images that were not simply accepted, in a fixed order."""
    owners = [] if submissions is None else submissions["owners"]
    known = {fate for record in owners for fate in record["fates"]}
    return [fate for fate in ("merged", "disputed", "excluded", "withdrawn") if fate in known]


def _several_names(submissions: Mapping[str, Any] | None) -> str:
    """Return how many owners came under several names, in words."""
    owners = [] if submissions is None else submissions["owners"]
    count = sum(len(record["names"]) > 1 for record in owners)
    return {0: "nobody", 1: "one owner"}.get(count, f"{count} owners")


def _contributors(facts: Mapping[str, Any]) -> list[str]:
    names: list[str] = facts["properties"][facts["property"]]["contributors"]
    return names


def _baseline_name(facts: Mapping[str, Any], case: Mapping[str, Any]) -> str:
    own = case["name"] == "own"
    return wording.baseline_words(facts["baseline"] if own else case["name"])


def _measured(facts: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return one property of the models, as measured (not oriented)."""
    direction, values = facts["directions"][name], facts["properties"][name]
    full = facts["full_model_properties"].get(name)
    everybody = values["v_full"] * direction
    # a number as baseline stands for the headline alone
    given = not isinstance(facts["baseline"], str) and name != facts["property"]
    numbers = {
        "empty": values["v_empty"] * direction,
        "everybody": everybody,
        "pruned": facts["pruned_model_properties"].get(name),
        "full": full,
        "gap": None if full is None else everybody - full,
    }
    return {
        "name": wording.plain(name),
        "better": "higher is better" if direction > 0 else "lower is better",
        "baseline": wording.baseline_words("untrained" if given else facts["baseline"]),
        "digits": wording.decimals_for(numbers.values()),
        **numbers,
    }


def _compared(facts: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the contributors' values of one property, oriented, with their shares."""
    values = facts["properties"][name]
    positive = [max(0.0, value or 0.0) for value in values["values"]]
    total = sum(positive)
    return {
        "name": wording.plain(name),
        "values": values["values"],
        "digits": wording.decimals_for(values["values"]),
        "shares": [value / total if total > 0 else 0.0 for value in positive],
    }


@cache
def environment() -> Environment:
    """Return the template engine: everything that goes into HTML is escaped."""
    jinja = Environment(
        loader=PackageLoader("credit_plugin.compensation"),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    jinja.filters |= {
        "amount": lambda minor, currency: format_amount(minor, currency).replace(
            "-", wording.MINUS
        ),
        "money": format_money,
        "fixed": wording.fixed,
        "percent": wording.percent,
        "duration": wording.duration,
        "moment": wording.moment,
        "plain": wording.plain,
        "md": escape_markdown,
    }
    return jinja


def style_of_page() -> dict[str, str]:
    """Return the style sheet of every page, and the hash by which a page's policy allows it."""
    jinja = environment()
    assert jinja.loader is not None
    style = jinja.loader.get_source(jinja, "report.css")[0]
    return {
        "style": Markup(style),  # noqa: S704 - a file of this package
        "style_hash": b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii"),
    }


def data_uri(png: bytes) -> str | None:
    """Return a PNG as an address that a page can show; None if it is none."""
    if not png.startswith(_PNG):
        return None
    return "data:image/png;base64," + b64encode(png).decode("ascii")
