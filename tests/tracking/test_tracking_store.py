"""Opening stores: the right experiment, or one line that says what is wrong."""

import sqlite3
from contextlib import closing
from urllib.parse import urlsplit

import mlflow
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from mlflow.store.db import utils
from mlflow.store.tracking.dbmodels.initial_models import Base as InitialBase
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy import create_engine

from credit_plugin.errors import InputError
from credit_plugin.tracking import store
from credit_plugin.tracking._mlflow_compat import read_schema
from credit_plugin.tracking.health import check_store
from credit_plugin.tracking.store import complaint, open_store, shown_uri


def journal_mode(uri):
    with closing(sqlite3.connect(urlsplit(uri).path)) as database:
        return database.execute("PRAGMA journal_mode").fetchone()[0]


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")


def refusal(uri, experiment=None):
    with pytest.raises(InputError) as caught:
        open_store(uri, experiment)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_sqlite_store_is_left_in_write_ahead_mode(uri):
    assert journal_mode(uri) != "wal"
    open_store(uri, None)
    assert journal_mode(uri) == "wal"


def test_a_store_that_is_being_read_opens_all_the_same(uri, monkeypatch):
    impatient = create_engine(uri, connect_args={"timeout": 0})
    monkeypatch.setattr(store, "sqlite_engine", lambda client: impatient)
    with closing(sqlite3.connect(urlsplit(uri).path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM experiments").fetchall()
        _, experiment = open_store(uri, None)
    assert experiment.name == "Default"
    assert journal_mode(uri) != "wal"


def test_an_experiment_is_found_or_made_by_name(uri):
    client, made = open_store(uri, "faces")
    assert open_store(uri, "faces")[1].experiment_id == made.experiment_id != "0"
    assert {e.name for e in client.search_experiments()} == {"Default", "faces"}


def test_the_environment_names_the_experiment(client, uri, monkeypatch):
    assert open_store(uri, None)[1].name == "Default"
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "by name")
    assert open_store(uri, None)[1].name == "by name"
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", client.create_experiment("by id"))
    assert open_store(uri, None)[1].name == "by id"
    assert open_store(uri, "given")[1].name == "given"
    run = client.create_run(client.create_experiment("by run"))
    monkeypatch.setenv("MLFLOW_RUN_ID", run.info.run_id)
    assert open_store(uri, "given")[1].name == "by run"


def test_set_experiment_in_a_notebook_counts(client, uri, monkeypatch):
    monkeypatch.setattr(mlflow.tracking.fluent, "_active_experiment_id", None)
    mlflow.set_experiment("chosen in a notebook")
    assert open_store(None, None)[1].name == "chosen in a notebook"


@pytest.mark.parametrize("way", ["argument", "name", "id", "run"])
def test_a_deleted_experiment_is_refused_however_it_was_named(client, uri, monkeypatch, way):
    gone = client.create_experiment("gone")
    run = client.create_run(gone).info.run_id
    client.delete_experiment(gone)
    client.restore_run(run)
    variables = {
        "name": ("MLFLOW_EXPERIMENT_NAME", "gone"),
        "id": ("MLFLOW_EXPERIMENT_ID", gone),
        "run": ("MLFLOW_RUN_ID", run),
    }
    if way in variables:
        monkeypatch.setenv(*variables[way])
    message = refusal(uri, "gone" if way == "argument" else None)
    assert message == "experiment 'gone' was deleted: restore it or choose another"


def test_an_experiment_that_a_server_made_is_used_through_it(client, uri):
    client.create_experiment("served", artifact_location="mlflow-artifacts:/7")
    assert "experiment 'served' was made by a server" in refusal(uri, "served")
    assert check_store(uri)[0]


def test_health_of_a_store_that_a_server_made(tmp_path):
    uri = f"sqlite:///{tmp_path / 'm.db'}"
    SqlAlchemyStore(uri, "mlflow-artifacts:/")  # as a server does
    sound, subject, advice = check_store(uri)
    assert not sound
    assert "a server made it" in subject
    assert "--tracking-uri" in advice


def test_a_deleted_or_unknown_run_is_refused(client, uri, monkeypatch):
    run = client.create_run("0").info.run_id
    client.delete_run(run)
    monkeypatch.setenv("MLFLOW_RUN_ID", run)
    assert refusal(uri) == f"MLFLOW_RUN_ID: run {run} was deleted: restore it or unset this"
    monkeypatch.setenv("MLFLOW_RUN_ID", "f" * 32)
    assert "f" * 32 in refusal(uri)


def test_an_unreachable_server_is_one_line(impatient):
    message = refusal("http://127.0.0.1:9")
    assert message.startswith("tracking store http://127.0.0.1:9: ")


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("foo://bar", "unsupported URI 'foo://bar'"),
        ("./mlruns", "maintenance mode"),
        ("sqlite:////proc/nowhere/m.db", "/proc/nowhere"),
        ("sqlite:///text.db", "file is not a database"),
        ("mssql+absent://host/db", "mssql"),
    ],
)
def test_what_is_no_store_is_one_line(tmp_path, uri, says):
    (tmp_path / "text.db").write_text("this is no database, whatever its name says\n" * 99)
    message = refusal(uri)
    assert message.startswith(f"tracking store {uri}: ")
    assert says in message


def test_passwords_are_not_shown(impatient):
    secret = "http://user:hunter2@127.0.0.1:9"
    assert "hunter2" not in refusal(secret)
    assert shown_uri() == "http://user:***@127.0.0.1:9"
    sound, subject, _ = check_store(secret)
    assert not sound
    assert "hunter2" not in subject


@pytest.mark.parametrize(("text", "line"), [("a\nb", "a"), (" a ", "a"), ("", "OSError")])
def test_a_complaint_is_the_first_line_of_an_error(client, uri, text, line):
    assert complaint(OSError(text)) == f"tracking store {uri}: {line}"


def revise(uri, revision):
    with closing(sqlite3.connect(urlsplit(uri).path)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = ?", [revision])


def content(uri):
    with closing(sqlite3.connect(urlsplit(uri).path)) as database:
        return list(database.iterdump())


def test_health_of_a_sound_store(uri):
    subject = f"tracking store {uri}: reachable, no run of a study is RUNNING"
    assert check_store(uri) == (True, subject, "")


def test_health_names_what_was_left_running(client, tracker, uri):
    client.create_run("0")  # somebody else's
    sound, subject, advice = check_store(uri)
    assert not sound
    assert "1 run is RUNNING since 2" in subject
    assert "(toy)" in subject
    assert "again" in advice
    tracker.finish("FINISHED")
    assert check_store(uri)[0]


def test_health_of_a_store_from_an_older_mlflow(uri):
    script = ScriptDirectory.from_config(utils._get_alembic_config(""))
    older = script.get_revision(read_schema(uri).wanted).down_revision
    revise(uri, older)
    before = content(uri)
    sound, subject, advice = check_store(uri)
    assert not sound
    assert f"from an older MLflow: its schema is {older}" in subject
    assert advice.endswith(f"run: mlflow db upgrade '{uri}'")
    assert content(uri) == before


def test_health_of_a_store_that_is_really_old(tmp_path):
    """Made as MLflow made it before its last migrations; opening it would migrate it."""
    uri = f"sqlite:///{tmp_path / 'old.db'}"
    engine = create_engine(uri)
    InitialBase.metadata.create_all(engine)
    config = utils._get_alembic_config(uri)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "7f2a7d5fae7d")  # MLflow 2.8
    engine.dispose()
    before = content(uri)
    sound, subject, advice = check_store(uri)
    assert not sound
    assert "its schema is 7f2a7d5fae7d" in subject
    assert "mlflow db upgrade" in advice
    assert content(uri) == before


def test_health_of_a_store_from_a_newer_mlflow(uri):
    revise(uri, "fedcba987654")
    sound, _, advice = check_store(uri)
    assert not sound
    assert "pip install --upgrade mlflow" in advice


@pytest.mark.parametrize("form", ["sqlite:///{}/absent/mlflow.db", "{}/mlruns", "file://{}/runs"])
def test_health_makes_no_store(tmp_path, form):
    sound, subject, _ = check_store(form.format(tmp_path))
    assert sound
    assert subject.endswith("is not there yet: the first study makes it")
    assert list(tmp_path.iterdir()) == []


def test_health_makes_no_tables(tmp_path):
    path = tmp_path / "empty.db"
    path.touch()
    sound, subject, _ = check_store(f"sqlite:///{path}")
    assert sound
    assert "no tables of MLflow yet" in subject
    assert path.stat().st_size == 0


def test_health_of_a_file_that_is_no_database(tmp_path):
    path = tmp_path / "notes.db"
    path.write_text("not a database, but long enough to look like one: " * 20)
    sound, subject, advice = check_store(f"sqlite:///{path}")
    assert not sound
    assert "\n" not in subject
    assert "--tracking-uri" in advice


def test_health_of_an_unreachable_store(impatient):
    sound, subject, advice = check_store("http://127.0.0.1:9")
    assert not sound
    assert "\n" not in subject
    assert "--tracking-uri" in advice


def test_health_of_an_unreachable_database():
    sound, subject, advice = check_store("postgresql://me:hunter2@127.0.0.1:9/mlflow")
    assert not sound
    assert "hunter2" not in subject + advice
