"""The report, its public summary and statements, rendered here from the record.

An artifact's HTML is never served: whoever can write artifacts could put anything into it. These
pages are made from the record by our own templates, with the policy that they carry themselves.
"""

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Response

from credit_plugin.compensation.publication import sha256_of
from credit_plugin.compensation.rendering import render_html, style_of_page
from credit_plugin.compensation.report import COALITIONS, FACTS, RETRAININGS
from credit_plugin.compensation.review.signatures import Signed, signed_of
from credit_plugin.compensation.review.states import ConflictError
from credit_plugin.compensation.statement_rendering import render_statement_html
from credit_plugin.compensation.statements import FILE as STATEMENTS
from credit_plugin.compensation.statements import check_place
from credit_plugin.compensation.summary_rendering import render_summary_html
from credit_plugin.errors import InputError
from credit_plugin.plugin.server.pages.contributor import asked_row
from credit_plugin.plugin.server.shared import asked_docket, catalogue
from credit_plugin.reviewing import Docket
from credit_plugin.tracking.flavors.files import CONTENT

_POLICY = (
    "default-src 'none'; img-src data:; style-src 'sha256-{}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


def report() -> Response:
    """Return the reviewer's dossier."""
    docket = asked_docket(mirrors=False)
    pictures = catalogue().thumbnails(docket.version)
    return _document(render_html(docket.facts, _hashes(docket), pictures, _signed(docket)))


def summary() -> Response:
    """Return the public summary."""
    docket = asked_docket(mirrors=False)
    return _document(render_summary_html(docket.facts, _hashes(docket)[FACTS], _signed(docket)))


def statement() -> Response:
    """Return a payee's statement."""
    docket = asked_docket(mirrors=False)
    place, row = asked_row(docket.facts)
    proved = _statement(docket, place)
    wrong = check_place(proved, docket.facts["statements"], place)
    if wrong or proved["statement"]["row"] != row:
        raise InputError(f"statement {place + 1}: {wrong or 'it is not of this record'}")
    picture = catalogue().thumbnails(docket.version).get(row["contributor"])
    return _document(render_statement_html(proved, picture, _signed(docket)))


def _signed(docket: Docket) -> Signed | None:
    """Return what the review says, unless its ledger does not check."""
    if docket.faults:
        raise ConflictError(f"the review of this report does not check: {docket.faults[0]}")
    return signed_of(docket.review, datetime.now(UTC))


def _document(text: str) -> Response:
    answer = Response(text, mimetype="text/html")
    answer.headers["Content-Security-Policy"] = _POLICY.format(style_of_page()["style_hash"])
    return answer


def _hashes(docket: Docket) -> dict[str, str]:
    """Return the hashes that a report names: of its record and its tables."""
    store = catalogue().store
    with tempfile.TemporaryDirectory(prefix="credit-hashes-") as folder:
        names = (FACTS, COALITIONS, *((RETRAININGS,) if docket.facts["retrained"] else ()))
        return {
            name: sha256_of(store.fetch(docket.version, Path(folder), f"{CONTENT}/{name}"))
            for name in names
        }


def _statement(docket: Docket, place: int) -> dict[str, Any]:
    """Return one line of the statements, without keeping the others."""
    with tempfile.TemporaryDirectory(prefix="credit-statements-") as folder:
        path = catalogue().store.fetch(docket.version, Path(folder), f"{CONTENT}/{STATEMENTS}")
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines):
                if number == place:
                    found: dict[str, Any] = json.loads(line)
                    return found
    raise InputError(f"statement {place + 1}: it is not there")
