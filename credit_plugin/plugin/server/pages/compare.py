"""Two versions side by side: who moved, and what can explain it."""

from flask import Response

from credit_plugin.compensation.comparison import compare_reports
from credit_plugin.plugin.server.arguments import number_argument
from credit_plugin.plugin.server.shared import asked_docket, catalogue
from credit_plugin.plugin.server.templating import page

PAGE = 100


def show() -> Response:
    """Return the comparison of versions ``before`` and ``version``."""
    after = asked_docket(mirrors=False)
    before = asked_docket("before", mirrors=False)
    start = number_argument("start", 0)
    found = compare_reports(before.facts, after.facts)
    return page(
        "compare.html.j2",
        before=before,
        after=after,
        found=found,
        moves=found.moves[start : start + PAGE],
        start=start,
        size=PAGE,
        versions=catalogue().store.versions(after.version.name),
    )
