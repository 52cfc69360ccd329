"""Which studies were made: found by the data that they are on."""

from datetime import UTC, datetime

from mlflow.entities import Experiment, Run
from mlflow.tracking import MlflowClient

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
    experiments = [found.experiment_id for found in _experiments(client)]
    wanted = f"tags.`credit.data_sha256` = '{data_sha256}' and tags.`credit.role` = 'study'"
    runs: list[Run] = []
    token = None
    while experiments:
        page = client.search_runs(experiments, wanted, max_results=PAGE, page_token=token)
        runs += page
        token = page.token
        if not token:
            break
    found = [_described(run) for run in runs if run.info.run_id != but]
    return sorted(found, key=lambda study: (study["started"], study["run"]))


def _experiments(client: MlflowClient) -> list[Experiment]:
    found: list[Experiment] = []
    token = None
    while True:
        page = client.search_experiments(max_results=PAGE, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


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
