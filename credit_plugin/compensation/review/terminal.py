"""A review in the terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

from credit_plugin.compensation.review.entries import parse_entry
from credit_plugin.compensation.wording import moment
from credit_plugin.contributors.findings import printable


def review_lines(docket: Mapping[str, Any]) -> Iterator[str]:
    """Return what a terminal shows of a review, line by line.

    Args:
        docket: From :func:`credit_plugin.reviewing.describe_docket`.
    """
    yield f"{docket['name']} version {docket['version']}: {docket['label']}"
    yield f"record sha256 {docket['subject']['record_sha256']}"
    if docket["label"] == "contest window":
        yield f"payouts can be contested until {moment(docket['contest_until'])}"
    if docket["control"]:
        yield printable(f"compensating control: {docket['control']}")
    for line, verified in zip(docket["lines"], docket["verified"], strict=True):
        entry = parse_entry(line)
        sure = f"verified by {entry.identity or 'key'}" if verified else "name not verified"
        what = entry.action.replace("_", " ")
        yield printable(f"{entry.number:>3}  {entry.at}  {what:<16}{entry.actor} ({sure})")
        yield printable(f"     {entry.comment}")
    for contest in docket["contests"]:
        outcome = contest["outcome"] or "undecided"
        yield printable(
            f"{contest['number']:>3}  {outcome}: {contest['payee']}, {contest['ground']}"
        )
    for fault in docket["faults"]:
        yield printable(f"does not match: {fault}")
