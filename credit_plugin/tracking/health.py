"""Is the tracking store reachable and migrated, and is anything left RUNNING in it?

For ``credit doctor``, which changes nothing. MLflow makes a database that is not there, and may
migrate one that is old, when it opens it; so a database is looked at first, without MLflow's store.
"""

from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from mlflow.entities import Run
from mlflow.store.db.db_types import DATABASE_ENGINES
from mlflow.tracking import MlflowClient
from mlflow.utils.file_utils import local_file_uri_to_path
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from credit_plugin.tracking._mlflow_compat import read_schema
from credit_plugin.tracking.store import (
    STORE_ERRORS,
    complaint,
    every_page,
    needs_server,
    shown_uri,
    use_store,
)

Health = tuple[bool, str, str]
"""Sound or not, the subject, and what to do."""


def check_store(tracking_uri: str | None) -> Health:
    """Return (sound, subject, advice) of a tracking store.

    Args:
        tracking_uri: MLflow's own default if left out.
    """
    uri = use_store(tracking_uri)
    subject = f"tracking store {shown_uri()}"
    try:
        if not _is_there(uri):
            return True, f"{subject} is not there yet: the first study makes it", ""
        if _is_database(uri):
            unfit = _unfit(uri, subject)
            if unfit:
                return unfit
        return _of_a_server(uri, subject) or _running(subject)
    except STORE_ERRORS as error:
        mend = "start the server or mend the store, or name another with --tracking-uri"
        return False, complaint(error), mend


def _is_database(uri: str) -> bool:
    try:
        return make_url(uri).get_backend_name() in DATABASE_ENGINES
    except ArgumentError:
        return False


def _is_there(uri: str) -> bool:
    """Return whether a store of files is there; of others, opening them shows it."""
    if _is_database(uri) and make_url(uri).get_backend_name() == "sqlite":
        path = make_url(uri).database
        return bool(path) and path != ":memory:" and Path(str(path)).exists()
    if urlsplit(uri).scheme in ("", "file"):
        return Path(local_file_uri_to_path(uri)).exists()
    return True


def _unfit(uri: str, subject: str) -> Health | None:
    """Return what keeps MLflow from working with a database, or None."""
    schema = read_schema(uri)
    if schema.found is None:
        return True, f"{subject} has no tables of MLflow yet: the first study makes them", ""
    if schema.found == schema.wanted:
        return None
    revisions = f"its schema is {schema.found}, the installed MLflow wants {schema.wanted}"
    if not schema.known:
        mend = "a newer MLflow was at work there; run: pip install --upgrade mlflow"
        return False, f"{subject}: {revisions}", mend
    mend = f"copy the database to a safe place, then run: mlflow db upgrade '{shown_uri()}'"
    return False, f"{subject} is from an older MLflow: {revisions}", mend


def _of_a_server(uri: str, subject: str) -> Health | None:
    """Return that the default experiment has its files where a server alone finds them, or None."""
    known = MlflowClient().get_experiment_by_name("Default")
    if known is None or not needs_server(uri, known):
        return None
    mend = "give the server's address, --tracking-uri http://..., or another --experiment"
    return False, f"{subject}: a server made it, and keeps the files of studies", mend


def _running(subject: str) -> Health:
    client = MlflowClient()
    experiments = every_page(client.search_experiments)
    running = every_page(
        lambda page_token: client.search_runs(
            [experiment.experiment_id for experiment in experiments],
            "attributes.status = 'RUNNING' and tags.`credit.study` != ''",
            page_token=page_token,
        )
    )
    if not running:
        return True, f"{subject}: reachable, no run of a study is RUNNING", ""
    names = ", ".join(sorted({run.data.tags["credit.study"] for run in running}))
    runs = "1 run is" if len(running) == 1 else f"{len(running)} runs are"
    return (
        False,
        f"{subject}: {runs} RUNNING since {_oldest(running)} ({names})",
        "if no study is at work, run its command again: it goes on and closes them",
    )


def _oldest(runs: list[Run]) -> str:
    started = min(run.info.start_time for run in runs) / 1000
    return datetime.fromtimestamp(started).strftime("%Y-%m-%d %H:%M")
