"""All studies with values, their versions, and where the review of each stands."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Response

from credit_plugin.compensation.review.checking import TAG_STATE
from credit_plugin.plugin.server.access import may_read
from credit_plugin.plugin.server.shared import catalogue
from credit_plugin.plugin.server.templating import page


@dataclass(frozen=True)
class Shelf:
    """One study.

    Attributes:
        name: Registered model.
        versions: Its versions, the newest first.
        states: Review states as the versions' tags mirror them.
        times: When each was registered, ISO in UTC.
    """

    name: str
    versions: tuple[Any, ...]
    states: tuple[str, ...]
    times: tuple[str, ...]

    @property
    def study(self) -> str:
        """Name of the study."""
        return self.name.removesuffix(".values")


def show() -> Response:
    """Return the list of studies."""
    shelves = [_shelf(name) for name in catalogue().models() if may_read(name)]
    return page("studies.html.j2", shelves=shelves)


def _shelf(name: str) -> Shelf:
    versions = tuple(catalogue().store.versions(name))
    states = tuple(v.tags.get(TAG_STATE) or v.tags.get("credit.status", "sealed") for v in versions)
    times = (datetime.fromtimestamp(v.creation_timestamp / 1000, UTC).isoformat() for v in versions)
    return Shelf(name, versions, states, tuple(times))
