"""Ctrl-C in the middle of telling MLflow something, and a store that fails beside it."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from urllib.parse import urlsplit

import mlflow
import pytest
from mlflow.exceptions import MlflowException
from sqlalchemy import Engine, event

from credit_plugin.study import tracked
from credit_plugin.tracking.registry import Registry
from credit_plugin.tracking.store import open_store
from credit_plugin.tracking.tracker import StudyTracker

pytestmark = pytest.mark.usefixtures("hears_ctrl_c")

KILLED = """
import os, signal, sys
from sqlalchemy import Engine, event
from credit_plugin.tracking.store import open_store

made = []

def die(connection, cursor, statement, *others):
    made.extend([statement] * ("CREATE TABLE" in statement))
    if len(made) == 40:
        os.kill(os.getpid(), signal.SIGKILL)

event.listen(Engine, "after_cursor_execute", die)
open_store(sys.argv[1], None)
"""
"""Ends in the middle of the tables of a new store."""


@pytest.fixture
def work(study, dataset, tmp_path, uri):
    """Return a function that does something within the study's run."""

    def work(do):
        with tracked(study, dataset, tmp_path / "tracking.json", uri, None) as tracker:
            do(tracker)

    return work


@pytest.fixture
def run_of(client):
    """Return a function that gives the only run with a role."""

    def run_of(role):
        (run,) = client.search_runs(["0"], f"tags.`credit.role` = '{role}'")
        return run

    return run_of


@pytest.fixture
def ctrl_c_within():
    """Return a function that presses it once, when a database has executed a statement."""
    wanted = []

    def press(connection, cursor, statement, *others):
        if wanted and statement.lstrip().startswith(wanted[0]):
            wanted.clear()
            signal.raise_signal(signal.SIGINT)

    event.listen(Engine, "after_cursor_execute", press)
    yield wanted.append
    event.remove(Engine, "after_cursor_execute", press)
    assert not wanted, "it was never pressed"


@pytest.fixture
def finish_fails(monkeypatch):
    def fails(*given):
        raise MlflowException("lost the store")

    monkeypatch.setattr(StudyTracker, "finish", fails)


def test_ctrl_c_within_a_write_ends_the_run_and_keeps_what_was_written(
    work, run_of, evaluation, ctrl_c_within
):
    ctrl_c_within("INSERT INTO metrics")
    with pytest.raises(KeyboardInterrupt):
        work(lambda tracker: tracker.log_evaluation(evaluation(), 5, 40, 2))
    assert run_of("coalition").data.metrics["property/inception_score"] == 2.5
    assert {run_of(role).info.status for role in ("study", "coalition")} == {"KILLED"}


@pytest.mark.parametrize("statement", ["INSERT INTO runs", "INSERT INTO params"])
def test_ctrl_c_while_the_run_is_made_ends_it(work, run_of, ctrl_c_within, statement):
    ctrl_c_within(statement)
    with pytest.raises(KeyboardInterrupt):
        work(lambda tracker: pytest.fail("it was heard too late"))
    assert run_of("study").info.status == "KILLED"


def test_ctrl_c_within_registering_a_version_leaves_the_store_to_others(
    client, uri, report, work, run_of, ctrl_c_within
):
    ctrl_c_within("SELECT max(model_versions.version)")  # the next one, while it is being made
    with pytest.raises(KeyboardInterrupt):
        work(lambda t: t.registry.publish_values(report, t.parent_run_id, "abc", ()))
    run = run_of("study").info
    assert run.status == "KILLED"
    again = Registry(open_store(uri, None)[0], "toy")
    made = again.publish_values(report, run.run_id, "abc", ())
    assert client.get_model_version(made.name, made.version).tags["credit.content"] == "abc"


def test_a_process_that_is_killed_while_it_makes_the_store_leaves_none(tmp_path):
    """MLflow opens no file in which its migrations were cut short."""
    uri = f"sqlite:///{tmp_path / 'm.db'}"
    killed = subprocess.run([sys.executable, "-c", KILLED, uri], check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = tmp_path.glob("*.partial")
    assert left.stat().st_size > 0
    assert not (tmp_path / "m.db").exists()
    assert open_store(uri, None)[1].name == "Default"
    assert left.exists()  # somebody may still be writing it
    for old in tmp_path.glob("*.partial*"):
        os.utime(old, (0, 0))
    open_store(uri, None)
    assert list(tmp_path.glob("*.partial*")) == []


def test_ctrl_c_while_the_store_is_made_waits_for_it(tmp_path, ctrl_c_within):
    uri = f"sqlite:///{tmp_path / 'new' / 'm.db'}"
    ctrl_c_within("CREATE TABLE")
    with pytest.raises(KeyboardInterrupt):
        open_store(uri, None)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["m.db"]
    assert open_store(uri, None)[1].name == "Default"


def test_the_store_is_the_one_that_mlflow_makes(tmp_path):
    uris = [f"sqlite:///{tmp_path / name}.db" for name in ("ours", "mlflows")]
    made = open_store(uris[0], None)[0].get_experiment("0")
    assert made.artifact_location == (
        mlflow.MlflowClient(uris[1]).get_experiment("0").artifact_location
    )
    schemas = []
    for uri in uris:
        with closing(sqlite3.connect(urlsplit(uri).path)) as database:
            tables = set(database.execute("SELECT type, name FROM sqlite_master"))
            schemas.append((tables, *database.execute("SELECT * FROM alembic_version")))
    assert schemas[0] == schemas[1]


@pytest.mark.parametrize("cause", [KeyboardInterrupt, RuntimeError])
def test_a_store_that_fails_too_does_not_hide_what_ended_the_work(work, finish_fails, cause):
    def fail(tracker):
        raise cause("ended")

    with pytest.raises(cause, match="ended"):
        work(fail)


def test_a_store_that_fails_at_the_end_of_the_work_is_told(work, finish_fails):
    with pytest.raises(MlflowException, match="lost the store"):
        work(lambda tracker: None)
