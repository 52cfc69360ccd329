"""Endpoints that programs and forms use: read a review, act in it, draft and admit signed entries.

All are below ``/ajax-api``, where MLflow refuses requests that other sites make a browser send. The
actor is whoever is signed in; without authentication it is whatever name the request states, and
the entry says that nothing verified it.
"""

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Response, jsonify, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from credit_plugin.compensation.review.entries import Entry, parse_entry
from credit_plugin.compensation.review.states import ForbiddenError, RefusedError
from credit_plugin.plugin.server.access import attester_for, current_user
from credit_plugin.plugin.server.arguments import (
    argument,
    body,
    number_argument,
    version_argument,
)
from credit_plugin.plugin.server.headers import wants_json
from credit_plugin.plugin.server.pages import review as review_page
from credit_plugin.plugin.server.shared import asked_docket, catalogue
from credit_plugin.plugin.server.templating import here
from credit_plugin.reviewing import Acted, Request, describe_docket, exported_payments
from credit_plugin.reviewing import act as act_in_review
from credit_plugin.reviewing import admit as admit_to_review
from credit_plugin.reviewing import draft as draft_for_review

_FIELDS = {
    "submit": ("replaces",),
    "approve": ("checklist",),
    "contest": ("payee", "ground", "evidence"),
    "decide": ("contest", "outcome"),
    "pay": ("reference",),
    "supersede": ("by",),
}
_LISTS = frozenset({"checklist"})
_FRESH = timedelta(minutes=15)
"""How far the time of an entry that was signed elsewhere may be from the server's."""


def docket() -> Response:
    """Return where a review stands, as JSON."""
    return jsonify(describe_docket(asked_docket()))


def payments() -> Response:
    """Return what was exported by a line of the ledger, the last export by default."""
    found = asked_docket(mirrors=False)
    entry, exported = exported_payments(found, number_argument("line", 0) or None)
    return jsonify(
        {
            "line": entry.number,
            "currency": found.facts["currency"],
            "subject": str(entry.subject),
            "payments": [asdict(one) for one in exported],
        }
    )


def act() -> BaseResponse:
    """Act in a review; a browser is sent back to its page, or given what was exported."""
    name, version = version_argument()
    asked = _request()
    try:
        acted = act_in_review(catalogue().store, name, version, asked)
    except RefusedError as refusal:
        if wants_json():
            raise
        return review_page.show_refusal(refusal, asked)
    if wants_json():
        return jsonify({**describe_docket(acted.docket), "csv": _exported_csv(acted)})
    if acted.payments:
        return _download(acted)
    to = here("/review", name=name, version=acted.docket.version.version)
    return redirect(to, 303)  # see other: going back does not act again


def draft() -> Response:
    """Return the entry that an action would write, for its actor to sign; nothing is written."""
    name, version = version_argument()
    entry = draft_for_review(catalogue().store, name, version, replace(_request(), attester=None))
    return jsonify({"line": entry.line})


def admit() -> Response:
    """Write an entry that its actor has signed."""
    name, version = version_argument()
    entry = parse_entry(str(body().get("line", "")))
    user = current_user()
    if user.identity and user.name != entry.actor:
        raise ForbiddenError(f"actor: {user.name} is signed in, and the entry is {entry.actor}'s")
    if abs(entry.time - datetime.now(UTC)) > _FRESH:
        raise RefusedError("at: the entry was signed at another time; sign it now")
    _check_right(entry)
    entry = replace(entry, identity=user.identity, server="", attestation="")
    admitted = admit_to_review(catalogue().store, name, version, entry, attester_for(user))
    return jsonify({**describe_docket(admitted.docket), "csv": _exported_csv(admitted)})


def _check_right(entry: Entry) -> None:
    """Refuse an entry whose action is not the one that the request was let in for."""
    if argument("action") != entry.action:
        raise RefusedError("action: it is not the one of the entry")


def _request() -> Request:
    user, action = current_user(), argument("action")
    return Request(
        action=action,
        actor=user.name or argument("actor"),
        comment=argument("comment"),
        details=_details(action),
        identity=user.identity,
        head=argument("head"),
        attester=attester_for(user),
    )


def _details(action: str) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for field in _FIELDS.get(action, ()):
        if field in _LISTS:
            told[field] = _list(field)
        elif argument(field):
            told[field] = argument(field)
    return told


def _list(field: str) -> list[str]:
    given = body().get(field) if request.is_json else request.form.getlist(field)
    return [str(point) for point in given] if isinstance(given, list) else []


def _exported_csv(acted: Acted) -> str:
    return acted.csv.decode() if acted.payments else ""


def _download(acted: Acted) -> Response:
    answer = Response(acted.csv, mimetype="text/csv")
    stem = f"{acted.entry.subject.name}-{acted.entry.subject.version}-line-{acted.entry.number}"
    answer.headers["Content-Disposition"] = f'attachment; filename="{stem}.csv"'
    return answer
