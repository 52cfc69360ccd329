"""Which run is the study's: the one of ``mlflow run``, the one of last time, or a new one.

A small JSON file in the table's folder remembers the parent run for each tracking URI. A parent
that was killed (it never FINISHED) hands its children to the run that continues it and ends as
KILLED; one that finished keeps them.
"""

import json
import os
from functools import partial
from pathlib import Path

from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from credit_plugin.interrupts import uninterrupted
from credit_plugin.tracking.store import every_page, shown_uri
from credit_plugin.written import whole_file

PARENT_TAG = "mlflow.parentRunId"
COMMITTED = "policy_sha256"
"""Parameter with the hash of the policy that binds: MLflow refuses to change one."""


def children_of(client: MlflowClient, experiment_id: str, parent_id: str) -> list[Run]:
    """Return every active child run, page by page."""
    wanted = f"tags.`{PARENT_TAG}` = '{parent_id}'"
    search = partial(client.search_runs, [experiment_id], wanted, max_results=1000)
    return every_page(search)


@uninterrupted()  # a run that nobody remembers would stay RUNNING for good
def find_parent(
    client: MlflowClient, experiment_id: str, name: str, memory: Path, tags: dict[str, str]
) -> str:
    """Return the id of the study's run, RUNNING and tagged."""
    remembered = _recall(client, memory)
    given = os.environ.get("MLFLOW_RUN_ID")
    if given:
        parent = given
        if remembered is not None and remembered.info.run_id != given:
            _hand_over(client, remembered, given)
    elif remembered is not None and remembered.info.experiment_id == experiment_id:
        parent = remembered.info.run_id
    else:
        if remembered is not None:
            _hand_over(client, remembered, None)
        parent = client.create_run(experiment_id, run_name=name).info.run_id
    client.update_run(parent, status="RUNNING")
    for key, value in tags.items():
        client.set_tag(parent, key, value)
    _remember(memory, parent)
    return parent


def _hand_over(client: MlflowClient, old: Run, new: str | None) -> None:
    """Give the children of a run that never finished to the run that continues it."""
    if old.info.status == "FINISHED":
        return
    same = new and client.get_run(new).info.experiment_id == old.info.experiment_id
    if new and same:
        for child in children_of(client, old.info.experiment_id, old.info.run_id):
            client.set_tag(child.info.run_id, PARENT_TAG, new)
        client.set_tag(old.info.run_id, "credit.continued_by", new)
        client.set_tag(old.info.run_id, "mlflow.note.content", f"Continued by run {new}.")
    client.set_terminated(old.info.run_id, "KILLED")


def _recall(client: MlflowClient, memory: Path) -> Run | None:
    if not memory.exists():
        return None
    run_id = json.loads(memory.read_text("utf-8")).get(shown_uri())
    if run_id is None:
        return None
    try:
        run = client.get_run(run_id)
    except MlflowException:  # the store was replaced by another one
        return None
    return run if run.info.lifecycle_stage == "active" else None


def _remember(memory: Path, run_id: str) -> None:
    known = json.loads(memory.read_text("utf-8")) if memory.exists() else {}
    known[shown_uri()] = run_id
    with whole_file(memory) as partial:
        partial.write_text(json.dumps(known), "utf-8")
