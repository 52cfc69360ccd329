"""What every answer of ours carries, and how refusals look.

Pages are of the same origin as MLflow's whole interface, so they allow no script but the one file
of ours, no inline style, no frame around them and no form to anywhere else.
"""

from flask import Response, jsonify, request
from werkzeug.exceptions import Forbidden, HTTPException

from credit_plugin.compensation.review.states import RefusedError
from credit_plugin.errors import InputError
from credit_plugin.plugin.server.templating import page

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_UNUSABLE, _BROKEN = 400, 500


def add_headers(response: Response) -> Response:
    """Add what a browser must know; a page that has a policy of its own keeps it."""
    response.headers.setdefault("Content-Security-Policy", POLICY)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def refuse_other_sites() -> None:
    """Refuse what another site makes a browser send.

    MLflow does the same below ``/ajax-api``, unless it was told to let every origin in.

    Raises:
        Forbidden: If the browser says that the request is not of this site.
    """
    if request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
        raise Forbidden("requests from other sites are refused")


def refuse(error: Exception) -> Response:
    """Return one line that says what is wrong, as a page or as JSON."""
    status, line = _status(error), _line(error)
    if wants_json():
        answer = jsonify({"error": line})
        answer.status_code = status
        return answer
    return page("refused.html.j2", status, line=line, status=status)


def wants_json() -> bool:
    """Return whether a program is asking: it sent JSON, or accepts nothing else."""
    return request.is_json or request.accept_mimetypes.best == "application/json"


def _status(error: Exception) -> int:
    if isinstance(error, RefusedError):
        return error.status
    if isinstance(error, HTTPException):
        return error.code or _BROKEN
    return _UNUSABLE if isinstance(error, InputError) else _BROKEN


def _line(error: Exception) -> str:
    if isinstance(error, HTTPException):
        return str(error.description)
    return str(error).splitlines()[0]
