"""Opening the tracking store, once, before anything else uses it."""

import logging
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any, TypeVar

import mlflow
from mlflow.entities import Experiment
from mlflow.environment_variables import MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR
from mlflow.exceptions import MlflowException
from mlflow.store.entities.paged_list import PagedList
from mlflow.tracking import MlflowClient
from sqlalchemy import make_url, text
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError

from credit_plugin.errors import InputError
from credit_plugin.interrupts import uninterrupted
from credit_plugin.tracking._mlflow_compat import sqlite_engine
from credit_plugin.written import first_file, remove_stale

T = TypeVar("T")

STORE_ERRORS = (MlflowException, SQLAlchemyError, OSError, ImportError)
"""What MLflow raises for a store that cannot be used: a missing driver is an ImportError."""


class WholeCalls(MlflowClient):
    """A client of a database in a file: Ctrl-C waits for the end of a call.

    Calls that move files write to the database before or after that, or not at all, and may take
    minutes; they do not wait.
    """

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name.startswith(("_", "log_artifact", "download_artifact")) or not callable(found):
            return found
        return uninterrupted()(found)


def whole(client: MlflowClient) -> AbstractContextManager[None]:
    """Return a context in which Ctrl-C waits for what MLflow writes by clients of its own.

    As with :class:`WholeCalls`, for databases in files: others end by themselves what was cut off.
    """
    return uninterrupted() if isinstance(client, WholeCalls) else nullcontext()


def use_store(tracking_uri: str | None) -> str:
    """Let MLflow use a store, its own default if none is named, and return its URI.

    It works without a line for each step: our own progress says what happens, so migrations,
    registrations and downloads need none.
    """
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if not MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.is_set():
        MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.set(False)
    if tracking_uri:
        mlflow.set_tracking_uri(tracking_uri)
    return mlflow.get_tracking_uri()


def every_page(fetch: Callable[..., PagedList[T]]) -> list[T]:
    """Return everything that MLflow gives page by page.

    Args:
        fetch: Called with ``page_token``.
    """
    found: list[T] = []
    token = None
    while True:
        page = fetch(page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def open_store(tracking_uri: str | None, experiment: str | None) -> tuple[MlflowClient, Experiment]:
    """Return a client and the experiment that the study's run belongs to.

    The store is made here, by this one process. A sqlite store is switched to write-ahead logging,
    which halves the time of a run and lets readers in while we write, and the client of one in a
    file is a :class:`WholeCalls`.

    Args:
        tracking_uri: MLflow's own default if left out.
        experiment: Name; MLflow's own default (environment, then ``Default``) if left out.

    Raises:
        InputError: If the store cannot be reached, or the experiment was deleted or keeps its files
            where only a server finds them.
    """
    uri = use_store(tracking_uri)
    path = _database_file(uri)
    try:
        if path is not None:
            _make_database(uri, path)
        client = MlflowClient() if path is None else WholeCalls()
        chosen = _experiment(client, experiment)
    except STORE_ERRORS as error:
        raise InputError(complaint(error)) from None
    if needs_server(uri, chosen):
        raise InputError(
            f"experiment {chosen.name!r} was made by a server, which keeps its files "
            f"({chosen.artifact_location}): give the server's address, --tracking-uri http://..., "
            "or another --experiment, which is made here"
        )
    engine = sqlite_engine(client)
    if engine is not None:
        # a store that somebody is writing to stays as it is
        with suppress(OperationalError), engine.connect() as connection:
            connection.execute(text("PRAGMA journal_mode=WAL"))
    return client, chosen


def needs_server(uri: str, experiment: Experiment) -> bool:
    """Say whether an experiment of a store has its files where only a server finds them."""
    location = str(experiment.artifact_location)
    return location.startswith("mlflow-artifacts:") and not uri.startswith(("http:", "https:"))


def _make_database(uri: str, path: Path) -> None:
    """Make the database of a store in a file, unless there is one.

    MLflow makes it by dozens of migrations, which take a second. Who is killed within that second
    leaves a file that no MLflow opens again, and so do two who make it at the same time; so it is
    made beside its place, which it takes when it is whole.
    """
    if path.exists():
        remove_stale(path)
        return
    with uninterrupted(), first_file(path) as partial:
        engine = sqlite_engine(MlflowClient(str(make_url(uri).set(database=str(partial)))))
        if engine is not None:
            engine.dispose()


def _database_file(uri: str) -> Path | None:
    """Return the file of a sqlite store; None for stores of other kinds."""
    try:
        url = make_url(uri)
    except (ArgumentError, ValueError):
        return None
    named = url.database or ":memory:"
    if url.get_backend_name() != "sqlite" or named.startswith((":memory:", "file:")):
        return None
    return Path(named)


def shown_uri() -> str:
    """Return the tracking URI without the password that it may hold."""
    uri = mlflow.get_tracking_uri()
    try:
        return make_url(uri).render_as_string(hide_password=True) if "@" in uri else uri
    except (ArgumentError, ValueError):
        return uri.rpartition("@")[2]


def complaint(error: BaseException) -> str:
    """Return one line about a store that cannot be used."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    shown = shown_uri()
    return f"tracking store {shown}: {lines[0].replace(mlflow.get_tracking_uri(), shown)}"


def _experiment(client: MlflowClient, name: str | None) -> Experiment:
    """Return the experiment that is meant, made if only its name is known."""
    run_id = os.environ.get("MLFLOW_RUN_ID")
    given_id = os.environ.get("MLFLOW_EXPERIMENT_ID")
    if run_id:
        run = client.get_run(run_id)
        if run.info.lifecycle_stage != "active":
            raise InputError(f"MLFLOW_RUN_ID: run {run_id} was deleted: restore it or unset this")
        found = client.get_experiment(run.info.experiment_id)
    elif name is None and given_id:
        found = client.get_experiment(given_id)
    else:
        wanted = name or os.environ.get("MLFLOW_EXPERIMENT_NAME") or "Default"
        known = client.get_experiment_by_name(wanted)
        found = known or client.get_experiment(client.create_experiment(wanted))
    if found.lifecycle_stage != "active":
        raise InputError(f"experiment {found.name!r} was deleted: restore it or choose another")
    return found
