"""Real sqlite stores: one is migrated for each session, which takes seconds, and copied."""

import shutil
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

import mlflow

FOLDER = tempfile.TemporaryDirectory(prefix="migrated-store-")


@cache
def _migrated():
    path = Path(FOLDER.name, "mlflow.db")
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


def copy_store(folder, name="mlflow"):
    """Make an empty store whose artifacts lie beside it, and return its URI."""
    path = folder / f"{name}.db"
    shutil.copyfile(_migrated(), path)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE experiments SET artifact_location = ?", [f"{folder}/{name}"])
    return f"sqlite:///{path}"


@contextmanager
def using(uri):
    """Make a store MLflow's own for a while, and give a client of it."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    try:
        yield mlflow.MlflowClient()
    finally:
        mlflow.set_tracking_uri(before)
