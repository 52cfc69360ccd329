"""One contributor: their payout, how sure it is, how it was in other versions, their contests."""

from collections.abc import Mapping
from typing import Any

from flask import Response

from credit_plugin.compensation.ranking import kind_of, rank
from credit_plugin.compensation.rendering import data_uri, view_of
from credit_plugin.errors import InputError
from credit_plugin.plugin.server.arguments import argument
from credit_plugin.plugin.server.shared import asked_docket, catalogue
from credit_plugin.plugin.server.templating import page

MOST_VERSIONS = 8
"""How many earlier reports are looked at; each is read from the store the first time."""


def show() -> Response:
    """Return the page of a contributor."""
    docket = asked_docket()
    place, row = asked_row(docket.facts)
    picture = catalogue().thumbnails(docket.version).get(row["contributor"])
    return page(
        "contributor.html.j2",
        docket=docket,
        v=view_of(docket.facts),
        row=row,
        number=place + 1,
        kind=kind_of(row["value"], row["ci_low"]),
        chart=rank([{**row, "share": row["value_share"]}]),
        thumbnail=data_uri(picture) if picture else None,
        history=_history(docket.version.name, row["contributor"]),
        contests=[c for c in docket.review.contests if c.payee == row["contributor"]],
    )


def asked_row(facts: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
    """Return the place and the row of the contributor that a request names.

    Raises:
        InputError: If nobody of that name is paid.
    """
    who = argument("who")
    for place, row in enumerate(facts["rows"]):
        if row["contributor"] == who:
            return place, row
    raise InputError("who: nobody of this name is paid by this report")


def _history(name: str, who: str) -> list[tuple[str, Mapping[str, Any], Mapping[str, Any] | None]]:
    """Return the last versions, each with its record and the contributor's row in it."""
    told = []
    for version in catalogue().store.versions(name)[:MOST_VERSIONS]:
        try:
            facts, _ = catalogue().record(version)
        except InputError:
            continue
        rows = (row for row in facts["rows"] if row["contributor"] == who)
        told.append((str(version.version), facts, next(rows, None)))
    return told
