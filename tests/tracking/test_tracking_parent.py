"""Which run is the study's: a new one, the one of last time, or the one of ``mlflow run``."""

import json

import mlflow
import pytest
from stores import copy_store

from credit_plugin.tracking.parent import PARENT_TAG, children_of, find_parent

TAGS = {"credit.study": "toy", "credit.role": "study"}


@pytest.fixture
def memory(tmp_path):
    return tmp_path / "tracking.json"


@pytest.fixture
def find(client, memory):
    def find(experiment_id="0"):
        return find_parent(client, experiment_id, "toy", memory, TAGS)

    return find


@pytest.fixture
def add_child(client):
    def add(parent):
        return client.create_run("0", tags={PARENT_TAG: parent}).info.run_id

    return add


def ids(runs):
    return {run.info.run_id for run in runs}


def test_the_first_start_makes_a_run_and_remembers_it(client, find, memory, uri):
    parent = find()
    run = client.get_run(parent)
    assert run.info.status == "RUNNING"
    assert run.info.run_name == "toy"
    assert TAGS.items() <= run.data.tags.items()
    assert json.loads(memory.read_text()) == {uri: parent}
    assert not memory.with_suffix(".partial").exists()


@pytest.mark.parametrize("ended_as", ["FINISHED", "FAILED", "KILLED", None])
def test_the_next_start_goes_on_with_the_same_run(client, find, ended_as):
    parent = find()
    if ended_as:
        client.set_terminated(parent, ended_as)
    assert find() == parent
    assert client.get_run(parent).info.status == "RUNNING"
    assert len(client.search_runs(["0"])) == 1


def test_a_run_of_mlflow_run_is_adopted_and_remembered(client, find, monkeypatch):
    given = client.create_run("0", run_name="of mlflow run").info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", given)
    assert find() == given
    run = client.get_run(given)
    assert run.info.run_name == "of mlflow run"
    assert TAGS.items() <= run.data.tags.items()
    monkeypatch.delenv("MLFLOW_RUN_ID")
    assert find() == given


def test_a_given_run_that_had_ended_is_running_again(client, find, monkeypatch):
    given = client.create_run("0").info.run_id
    client.set_terminated(given, "FINISHED")
    monkeypatch.setenv("MLFLOW_RUN_ID", given)
    find()
    assert client.get_run(given).info.status == "RUNNING"


@pytest.mark.parametrize("state", ["RUNNING", "KILLED", "FAILED"])
def test_an_unfinished_parent_hands_its_children_to_the_given_run(
    client, find, add_child, monkeypatch, state
):
    old = find()
    moved, other = {add_child(old), add_child(old)}, add_child("somebody else")
    if state != "RUNNING":
        client.set_terminated(old, state)
    new = client.create_run("0").info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", new)
    assert find() == new
    assert ids(children_of(client, "0", new)) == moved
    assert children_of(client, "0", old) == []
    assert client.get_run(other).data.tags[PARENT_TAG] == "somebody else"
    left = client.get_run(old)
    assert left.info.status == "KILLED"
    assert left.data.tags["credit.continued_by"] == new
    assert new in left.data.tags["mlflow.note.content"]


def test_a_finished_parent_keeps_its_children(client, find, add_child, monkeypatch):
    old = find()
    child = add_child(old)
    client.set_terminated(old, "FINISHED")
    new = client.create_run("0").info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", new)
    assert find() == new
    assert ids(children_of(client, "0", old)) == {child}
    assert children_of(client, "0", new) == []
    left = client.get_run(old)
    assert left.info.status == "FINISHED"
    assert "credit.continued_by" not in left.data.tags


def test_a_hand_over_that_was_interrupted_is_completed(client, find, add_child, monkeypatch):
    old = find()
    children = {add_child(old) for _ in range(3)}
    new = client.create_run("0").info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", new)
    told, real = [], client.set_tag

    def dies_after_the_first(run_id, key, value):
        if told:
            raise KeyboardInterrupt
        told.append(real(run_id, key, value))

    monkeypatch.setattr(client, "set_tag", dies_after_the_first)
    with pytest.raises(KeyboardInterrupt):
        find()
    monkeypatch.setattr(client, "set_tag", real)
    assert find() == new
    assert ids(children_of(client, "0", new)) == children
    assert client.get_run(old).info.status == "KILLED"


def test_another_store_under_the_same_address_gets_a_new_run(client, memory, find, uri):
    memory.write_text(json.dumps({uri: "0" * 32}))
    parent = find()
    assert parent != "0" * 32
    assert client.get_run(parent).info.status == "RUNNING"
    assert json.loads(memory.read_text()) == {uri: parent}


def test_a_deleted_parent_is_not_used_again(client, find):
    old = find()
    client.delete_run(old)
    new = find()
    assert new != old
    assert client.get_run(old).info.lifecycle_stage == "deleted"


@pytest.mark.parametrize(("state", "left"), [("RUNNING", "KILLED"), ("FINISHED", "FINISHED")])
def test_another_experiment_gets_a_run_of_its_own(client, find, add_child, state, left):
    old = find()
    child = add_child(old)
    if state == "FINISHED":
        client.set_terminated(old, state)
    elsewhere = client.create_experiment("elsewhere")
    new = find(elsewhere)
    assert client.get_run(new).info.experiment_id == elsewhere
    assert client.get_run(old).info.status == left
    assert client.get_run(child).data.tags[PARENT_TAG] == old


def test_children_do_not_move_to_a_given_run_of_another_experiment(
    client, find, add_child, monkeypatch
):
    old = find()
    child = add_child(old)
    elsewhere = client.create_experiment("elsewhere")
    new = client.create_run(elsewhere).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", new)
    assert find(elsewhere) == new
    assert client.get_run(child).data.tags[PARENT_TAG] == old
    assert client.get_run(old).info.status == "KILLED"
    assert "credit.continued_by" not in client.get_run(old).data.tags


def test_each_tracking_uri_has_a_memory_of_its_own(client, find, memory, uri, tmp_path):
    first = find()
    other = copy_store(tmp_path, "other")
    mlflow.set_tracking_uri(other)
    second = find_parent(mlflow.MlflowClient(), "0", "toy", memory, TAGS)
    assert json.loads(memory.read_text()) == {uri: first, other: second}
    assert first != second
    mlflow.set_tracking_uri(uri)
    assert find() == first


def test_children_are_found_page_by_page(client, find, add_child, monkeypatch):
    parent = find()
    children = {add_child(parent) for _ in range(5)}
    search, pages = client.search_runs, []

    def in_twos(*arguments, **settings):
        pages.append(settings.get("page_token"))
        return search(*arguments, **{**settings, "max_results": 2})

    monkeypatch.setattr(client, "search_runs", in_twos)
    assert ids(children_of(client, "0", parent)) == children
    assert len(pages) == 3
