"""Every private part of MLflow that this package relies on, in one place.

Each has a contract test, so that an MLflow release that moves one fails there and nowhere else.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from mlflow.environment_variables import MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.tracking import MlflowClient


def sqlite_engine(client: MlflowClient) -> Any | None:
    """Return the SQLAlchemy engine of a client's sqlite store, or None for another store."""
    store = client._tracking_client.store
    engine = getattr(store, "engine", None)
    return engine if engine is not None and engine.dialect.name == "sqlite" else None


class Schema(NamedTuple):
    """Which revision of MLflow's tables a database has.

    Attributes:
        found: Revision of the database; None if it has no tables of MLflow yet.
        wanted: The one that the installed MLflow works with.
        known: Whether the installed MLflow has heard of ``found``; it has not if a newer one was
            at work.
    """

    found: str | None
    wanted: str
    known: bool


def read_schema(uri: str) -> Schema:
    """Read the revision of a database, which is neither made nor migrated by that.

    Args:
        uri: Of a database that is there; for sqlite, connecting makes one that is not.

    Raises:
        SQLAlchemyError: If it cannot be reached or is no database.
    """
    from mlflow.store.db import utils

    script = ScriptDirectory.from_config(utils._get_alembic_config(""))
    engine = utils.create_sqlalchemy_engine(uri)
    try:
        with engine.connect() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()
    known = found in {revision.revision for revision in script.walk_revisions()}
    return Schema(found, str(script.get_current_head()), known)


SHARED_VIEW_TAG = "mlflow.sharedViewState."
"""Prefix of experiment tags that hold a state of the run table (undocumented)."""


def server_location(uri: str) -> tuple[ArtifactRepository, str]:
    """Return where an artifact location is, inside the MLflow server: its own among them.

    A server that serves artifacts gives out locations ``mlflow-artifacts:/...``, which only clients
    can follow; the server itself has them at its destination.
    """
    from mlflow.server import handlers

    if handlers._is_servable_proxied_run_artifact_root(uri):
        path = handlers._get_proxied_run_artifact_destination_path(uri)
        return handlers._get_artifact_repo_mlflow_artifacts(), path
    return get_artifact_repository(uri), ""


def server_client() -> MlflowClient:
    """Return a client of the stores that the MLflow server in this process works on."""
    from mlflow.server import handlers

    handlers.initialize_backend_stores()
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.set(False)  # a server's log is no terminal
    return MlflowClient()


def with_static_prefix(route: str) -> str:
    """Return a route below the prefix that the server was started with."""
    from mlflow.server import handlers

    return str(handlers._add_static_prefix(route))


def finished_app(flask_app: Any) -> Any:
    """Return what the server runs: the Flask app, or FastAPI around it under uvicorn."""
    if os.environ.get("_MLFLOW_SGI_NAME") == "uvicorn":
        from mlflow.server.fastapi_app import create_fastapi_app

        return create_fastapi_app(flask_app)
    return flask_app


def protect(flask_app: Any, validators: Mapping[tuple[str, str], Callable[[], bool]]) -> Any:
    """Turn basic authentication on, with a check for each of our routes.

    Args:
        flask_app: MLflow's.
        validators: By exact path and method: whether whoever is signed in may.

    Returns:
        What the server runs.
    """
    from mlflow.server import auth

    auth.BEFORE_REQUEST_VALIDATORS.update(validators)
    return auth.create_app(flask_app)


def model_permission(name: str) -> tuple[bool, bool]:
    """Return whether whoever is signed in may read, and may change, a registered model.

    MLflow's checks look at the argument ``name`` of the request that they are called in, so they
    are called in one that differs from the present one in nothing but that.
    """
    from flask import current_app, request
    from mlflow.server import auth

    asked = {"query_string": {"name": name}, "headers": list(request.headers)}
    with current_app.test_request_context("/", **asked):
        if auth.sender_is_admin():
            return True, True
        return (
            bool(auth.validate_can_read_registered_model()),
            bool(auth.validate_can_update_registered_model()),
        )


def ask_server(uri: str, path: str, method: str, **message: Any) -> tuple[int, Any]:
    """Send a request to a server with the user's MLflow credentials, and return status and JSON.

    Args:
        uri: Tracking URI of the server.
        path: Endpoint, below the server's address.
        method: ``GET`` or ``POST``.
        message: Arguments: of the address for GET, else a JSON body.
    """
    from mlflow.utils import rest_utils
    from mlflow.utils.credentials import get_default_host_creds

    given = {"params": message} if method == "GET" else {"json": message}
    answer = rest_utils.http_request(
        get_default_host_creds(uri), path, method, max_retries=2, raise_on_status=False, **given
    )
    try:
        return answer.status_code, answer.json()
    except ValueError:
        return answer.status_code, None
