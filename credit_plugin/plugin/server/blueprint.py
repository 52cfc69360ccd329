"""Our routes: a page or an endpoint each, listed here and nowhere else."""

from collections.abc import Callable, Iterator
from typing import Any

from flask import Blueprint, Response
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.wrappers import Response as BaseResponse

from credit_plugin.errors import InputError
from credit_plugin.plugin.server import endpoints
from credit_plugin.plugin.server.headers import add_headers, refuse, refuse_other_sites
from credit_plugin.plugin.server.pages import (
    coalitions,
    compare,
    contributor,
    reports,
    review,
    studies,
    version,
)
from credit_plugin.plugin.server.templating import API, PREFIX, STATIC, static_file
from credit_plugin.tracking._mlflow_compat import with_static_prefix

NAME = "credit"

_PAGES: dict[str, tuple[Callable[[], BaseResponse], bool]] = {
    "": (studies.show, False),
    "/version": (version.show, True),
    "/contributor": (contributor.show, True),
    "/compare": (compare.show, True),
    "/coalitions": (coalitions.show, True),
    "/coalition": (coalitions.show_one, True),
    "/sample": (coalitions.sample, True),
    "/review": (review.show, True),
    "/report": (reports.report, True),
    "/summary": (reports.summary, True),
    "/statement": (reports.statement, True),
}
"""Views by path, and whether they are about one registered model."""

_ENDPOINTS: dict[tuple[str, str], tuple[Callable[[], BaseResponse], bool]] = {
    ("/review", "GET"): (endpoints.docket, False),
    ("/review/payments", "GET"): (endpoints.payments, False),
    ("/review/act", "POST"): (endpoints.act, True),
    ("/review/draft", "POST"): (endpoints.draft, True),
    ("/review/admit", "POST"): (endpoints.admit, True),
}
"""Views by path and method, and whether they need the right to act."""


def page_paths() -> Iterator[tuple[str, bool]]:
    """Return the path of every page, and whether it is about one registered model."""
    for path, (_, about_a_model) in _PAGES.items():
        yield with_static_prefix(PREFIX) + path, about_a_model
    for name in STATIC:
        yield f"{with_static_prefix(PREFIX)}/static/{name}", False


def endpoint_paths() -> Iterator[tuple[str, str, bool]]:
    """Return path and method of every endpoint, and whether it needs the right to act."""
    for (path, method), (_, changes) in _ENDPOINTS.items():
        yield with_static_prefix(API) + path, method, changes


def make_blueprints() -> list[Blueprint]:
    """Return our pages and our endpoints, to be registered once."""
    pages = Blueprint(NAME, __name__, url_prefix=with_static_prefix(PREFIX))
    for path, (view, _) in _PAGES.items():
        pages.add_url_rule(path, f"page{path}", view)
    pages.add_url_rule("/static/<name>", "static", _static)
    api = Blueprint(f"{NAME}-api", __name__, url_prefix=with_static_prefix(API))
    for (path, method), (view, _) in _ENDPOINTS.items():
        api.add_url_rule(path, f"{method}{path}", view, methods=[method])
    api.before_request(refuse_other_sites)
    for blueprint in (pages, api):
        blueprint.after_request(add_headers)
        for error in (InputError, HTTPException):
            blueprint.register_error_handler(error, _refusing)
    return [pages, api]


def _refusing(error: Any) -> Response:
    return add_headers(refuse(error))


def _static(name: str) -> Response:
    if name not in STATIC:
        raise NotFound("there is no such file")
    answer = Response(static_file(name), mimetype=STATIC[name])
    answer.headers["Cache-Control"] = "public, max-age=300"
    return answer
