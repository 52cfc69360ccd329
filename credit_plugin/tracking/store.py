"""Opening the tracking store, once, before anything else uses it."""

import logging
import os

import mlflow
from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy import text

from credit_plugin.errors import InputError
from credit_plugin.tracking._mlflow_compat import sqlite_engine


def open_store(tracking_uri: str | None, experiment: str | None) -> tuple[MlflowClient, Experiment]:
    """Return a client and the experiment that the study's run belongs to.

    The store is created or migrated here, by this one process. A sqlite store is switched to
    write-ahead logging, which halves the time of a run and lets readers in while we write.

    Args:
        tracking_uri: MLflow's own default if left out.
        experiment: Name; MLflow's own default (environment, then ``Default``) if left out.

    Raises:
        InputError: If the store cannot be reached or holds a deleted experiment of that name.
    """
    # our own progress says what happens; migrations and registrations need no line each
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if tracking_uri:
        mlflow.set_tracking_uri(tracking_uri)
    client = MlflowClient()
    try:
        chosen = _experiment(client, experiment)
    except MlflowException as error:
        first = str(error).splitlines()[0]
        raise InputError(f"tracking store {mlflow.get_tracking_uri()}: {first}") from None
    engine = sqlite_engine(client)
    if engine is not None:
        with engine.connect() as connection:
            connection.execute(text("PRAGMA journal_mode=WAL"))
    return client, chosen


def _experiment(client: MlflowClient, name: str | None) -> Experiment:
    run_id = os.environ.get("MLFLOW_RUN_ID")
    if run_id:
        return client.get_experiment(client.get_run(run_id).info.experiment_id)
    given_id = os.environ.get("MLFLOW_EXPERIMENT_ID")
    if name is None and given_id:
        return client.get_experiment(given_id)
    wanted = name or os.environ.get("MLFLOW_EXPERIMENT_NAME") or "Default"
    found = client.get_experiment_by_name(wanted)
    if found is None:
        return client.get_experiment(client.create_experiment(wanted))
    if found.lifecycle_stage != "active":
        raise InputError(f"experiment {wanted!r} was deleted: restore it or choose another name")
    return found
