"""Which studies were made: found by the data that they are on."""

from datetime import UTC, datetime
from functools import partial

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from credit_plugin.tracking.store import every_page

PAGE = 1000


def studies_on(client: MlflowClient, data_sha256: str, but: str = "") -> list[dict[str, str]]:
    """Return the studies on some data, of all experiments, oldest first.

    Args:
        client: Talks to the tracking store.
        data_sha256: Digest of the data.
        but: Run to leave out.

    Returns:
        For each its ``study``, ``run``, ``experiment``, ``started`` (ISO, UTC), ``status``,
        ``headline`` and ``policy_sha256``.
    """
    wanted = f"tags.`credit.data_sha256` = '{data_sha256}' and tags.`credit.role` = 'study'"
    experiments = every_page(partial(client.search_experiments, max_results=PAGE))
    where = [experiment.experiment_id for experiment in experiments]
    runs = every_page(partial(client.search_runs, where, wanted, max_results=PAGE)) if where else []
    found = [_described(run) for run in runs if run.info.run_id != but]
    return sorted(found, key=lambda study: (study["started"], study["run"]))


def _described(run: Run) -> dict[str, str]:
    tags, params = run.data.tags, run.data.params
    started = datetime.fromtimestamp(run.info.start_time / 1000, UTC).replace(microsecond=0)
    return {
        "study": tags.get("credit.study", ""),
        "run": run.info.run_id,
        "experiment": run.info.experiment_id,
        "started": started.isoformat(),
        "status": run.info.status,
        "headline": params.get("study/properties.headline", ""),
        "policy_sha256": tags.get("credit.policy_sha256", ""),
    }
