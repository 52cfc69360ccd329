"""Is the tracking store reachable, and is anything left RUNNING in it? For ``credit doctor``."""

import mlflow
from mlflow.tracking import MlflowClient

from credit_plugin.tracking.store import STORE_ERRORS, complaint, shown_uri


def check_store(tracking_uri: str | None) -> tuple[bool, str, str]:
    """Return (sound, subject, advice) of a tracking store."""
    if tracking_uri:
        mlflow.set_tracking_uri(tracking_uri)
    try:
        client = MlflowClient()
        experiments = [e.experiment_id for e in client.search_experiments()]
        running = client.search_runs(
            experiments,
            "attributes.status = 'RUNNING' and tags.`credit.study` != ''",
            max_results=100,
        )
    except STORE_ERRORS as error:
        return False, complaint(error), "give a reachable --tracking-uri"
    uri = shown_uri()
    if running:
        names = ", ".join(sorted({run.data.tags["credit.study"] for run in running}))
        return (
            False,
            f"tracking store {uri}: {len(running)} runs are RUNNING ({names})",
            "if no study is at work, run its command again: it goes on and closes them",
        )
    return True, f"tracking store {uri}", ""
