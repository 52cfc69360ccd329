"""Every private part of MLflow that this package relies on, in one place.

Each has a contract test, so that an MLflow release that moves one fails there and nowhere else.
"""

from typing import Any

from mlflow.tracking import MlflowClient


def sqlite_engine(client: MlflowClient) -> Any | None:
    """Return the SQLAlchemy engine of a client's sqlite store, or None for another store."""
    store = client._tracking_client.store
    engine = getattr(store, "engine", None)
    return engine if engine is not None and engine.dialect.name == "sqlite" else None


SHARED_VIEW_TAG = "mlflow.sharedViewState."
"""Prefix of experiment tags that hold a state of the run table (undocumented)."""
