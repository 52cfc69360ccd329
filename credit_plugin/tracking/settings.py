"""Settings as parameters of a run, and as tags where they change later.

MLflow refuses to change a parameter, which is what makes one trustworthy. A study that goes on with
another setting keeps the old parameter and gets a tag ``credit.changed.<name>`` with the new value.
"""

import json
from collections.abc import Mapping
from typing import Any

from mlflow.entities import Param, RunTag
from mlflow.tracking import MlflowClient

BATCH = 100
LONGEST_PARAM = 500


def log_settings(client: MlflowClient, run_id: str, settings: Mapping[str, Any]) -> None:
    """Log parameters that are new; a changed one would be refused and becomes a tag."""
    known = client.get_run(run_id).data
    new, changed = [], []
    for key, value in settings.items():
        text, tag = str(value)[:LONGEST_PARAM], f"credit.changed.{key.replace('/', '.')}"
        if key not in known.params:
            new.append(Param(key, text))
        elif known.tags.get(tag, known.params[key]) != text:
            changed.append(RunTag(tag, text))
    for start in range(0, len(new), BATCH):
        client.log_batch(run_id, params=new[start : start + BATCH])
    for start in range(0, len(changed), BATCH):
        client.log_batch(run_id, tags=changed[start : start + BATCH])


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings as ``a.b.c``; lists, and names that people chose, as JSON."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        name = f"{prefix}{key}"
        # what people called something (owners, files) need not be what MLflow calls a parameter
        if isinstance(value, Mapping) and all(map(str.isidentifier, value)):
            found |= flat(value, f"{name}.")
        else:
            found[name] = json.dumps(value) if isinstance(value, list | Mapping) else value
    return found
