"""Pages as text: the templates of this package with the words and filters of reports.

Everything is escaped by the template engine; names stay inside ``<bdi>``. No page has inline script
or style, and :mod:`credit_plugin.plugin.server.headers` forbids both.
"""

from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

from flask import Response
from jinja2 import ChoiceLoader, Environment, PackageLoader

from credit_plugin.compensation.rendering import environment as report_environment
from credit_plugin.compensation.review.actions import GROUNDS
from credit_plugin.plugin.server.access import current_user
from credit_plugin.tracking._mlflow_compat import with_static_prefix
from credit_plugin.tracking.views import PAGES

PREFIX, API = "/credit", "/ajax-api/2.0/credit"
STATIC = {"pages.css": "text/css", "pages.js": "text/javascript"}


@cache
def environment() -> Environment:
    """Return the environment of reports, with our templates before theirs."""
    own = PackageLoader("credit_plugin.plugin.server")
    made = report_environment()
    assert made.loader is not None
    pages = made.overlay(loader=ChoiceLoader([own, made.loader]))
    # macros see globals alone
    pages.globals = {**made.globals, "here": here, "mlflow": mlflow_page, "grounds": GROUNDS}
    return pages


def page(template: str, code: int = 200, **context: Any) -> Response:
    """Return a rendered page.

    Args:
        template: File name.
        code: HTTP status.
        context: What the template shows.
    """
    text = (
        environment()
        .get_template(template)
        .render(
            **context,
            user=current_user(),
            now=datetime.now(UTC),
            here=here,
            api=with_static_prefix(API),
            mlflow=mlflow_page,
        )
    )
    return Response(text, code, mimetype="text/html")


def here(path: str = "", **arguments: object) -> str:
    """Return the address of one of our pages: ``here("/review", name=..., version=...)``."""
    given = {key: value for key, value in arguments.items() if value not in ("", None)}
    query = f"?{urlencode(given)}" if given else ""
    return with_static_prefix(PREFIX) + path + query


def mlflow_page(fragment: str) -> str:
    """Return the address of one of MLflow's own pages: ``mlflow("/models/designers.values")``."""
    joint = "&" if "?" in fragment else "?"
    return f"{with_static_prefix('/')}#{fragment}{joint}{PAGES}"


@cache
def static_file(name: str) -> bytes:
    """Return one of the files in :data:`STATIC`; the style sheet begins with that of reports."""
    own = (files("credit_plugin.plugin.server") / "static" / name).read_bytes()
    if name != "pages.css":
        return own
    reports = files("credit_plugin.compensation") / "templates" / "report.css"
    return reports.read_bytes() + b"\n" + own
