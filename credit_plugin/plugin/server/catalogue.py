"""What the pages show, from the stores of the server: reports, tables, reviews.

The record of a registered version is kept in memory while it is looked at (the last few of them):
the files of a version never change, and if somebody changes them on disk, the review's ledger and
``credit verify`` say so. The ledger itself is read anew for every page.
"""

import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from flask import current_app
from mlflow.entities.model_registry import ModelVersion

from credit_plugin.compensation.report import COALITIONS, read_thumbnails
from credit_plugin.compensation.review.signing import public_of
from credit_plugin.game.table import UtilityTable
from credit_plugin.plugin.server.access import AUTH_SETTING, server_key
from credit_plugin.reviewing import Docket, open_docket
from credit_plugin.tracking._mlflow_compat import server_client, server_location
from credit_plugin.tracking.flavors.files import CONTENT
from credit_plugin.tracking.reviews import ReviewStore
from credit_plugin.tracking.store import every_page

T = TypeVar("T")

_RECORDS, _TABLES = 8, 3
"""How many are kept: a record of 1,000 contributors takes about 10 MB, a table of 10,000 coalitions
about as much."""


class Recent:
    """The last few of what is slow to load, shared by the threads of a server."""

    def __init__(self, most: int) -> None:
        self._most, self._known = most, OrderedDict[Any, Any]()
        self._lock = threading.Lock()

    def get(self, key: object, load: Callable[[], T]) -> T:
        """Return what belongs to a key, loaded if it is not there."""
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                known: T = self._known[key]
                return known
        found = load()
        with self._lock:
            self._known[key] = found
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return found


@dataclass(frozen=True, eq=False)
class Coalitions:
    """The measured coalitions of a report.

    Attributes:
        table: Oriented utilities.
    """

    table: UtilityTable

    @cached_property
    def sizes(self) -> np.ndarray:
        """Int [m], members of each coalition."""
        return np.asarray(self.table.coalitions.sum(axis=1))


class Catalogue:
    """Reports and reviews of the server's stores."""

    def __init__(self) -> None:
        self._records, self._tables, self._pictures = Recent(_RECORDS), Recent(_TABLES), Recent(2)

    @cached_property
    def store(self) -> ReviewStore:
        """Where reviews are."""
        own = {public_of(server_key())} if current_app.config.get(AUTH_SETTING) else set()
        return ReviewStore(server_client(), server_location, frozenset(own))

    def models(self) -> list[str]:
        """Return the names of all registered models of values, sorted."""
        search = partial(self.store.client.search_registered_models, max_results=1000)
        found = every_page(partial(search, filter_string="name LIKE '%.values'"))
        return sorted(model.name for model in found)

    def docket(self, name: str, version: str, mirrors: bool = True) -> Docket:
        """Return a report and its review as it stands now."""
        return open_docket(self.store, name, version, mirrors, self.record)

    def record(self, version: ModelVersion) -> tuple[Mapping[str, Any], str]:
        """Return the record of a report and its sha256."""
        return self._records.get(version.source, lambda: self.store.record(version))

    def coalitions(self, version: ModelVersion) -> Coalitions:
        """Return the measured coalitions of a report."""
        return self._tables.get(version.source, lambda: self._load_table(version))

    def thumbnails(self, version: ModelVersion) -> dict[str, bytes]:
        """Return one small picture of each contributor, by name."""
        return self._pictures.get(version.source, lambda: self._load_thumbnails(version))

    def _load_table(self, version: ModelVersion) -> Coalitions:
        with tempfile.TemporaryDirectory(prefix="credit-table-") as folder:
            path = self.store.fetch(version, Path(folder), f"{CONTENT}/{COALITIONS}")
            return Coalitions(UtilityTable.from_csv(path))

    def _load_thumbnails(self, version: ModelVersion) -> dict[str, bytes]:
        with tempfile.TemporaryDirectory(prefix="credit-pictures-") as folder:
            path = self.store.fetch(version, Path(folder), f"{CONTENT}/thumbnails.json")
            return read_thumbnails(path.parent)
