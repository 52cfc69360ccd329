"""Which studies were made: found by the data that they are on, or by a model that they use."""

from datetime import UTC, datetime
from functools import partial

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from credit_plugin.tracking.parent import PARENT_TAG
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
    found = [_described(run) for run in _search(client, wanted) if run.info.run_id != but]
    return sorted(found, key=lambda study: (study["started"], study["run"]))


def last_finished_with(client: MlflowClient, stage: Run) -> Run | None:
    """Return the run of the same study, of all experiments, that finished last with a stage.

    A stage with the same result is a nested run of every run of the study that rests on it.

    Args:
        client: Talks to the tracking store.
        stage: A run with the tags ``credit.study`` and ``credit.stage``.

    Returns:
        The study's run; None if none has finished.

    Raises:
        KeyError: If the run is no stage of a study.
    """
    tags = stage.data.tags
    same = [f"tags.`{key}` = '{tags[key]}'" for key in ("credit.study", "credit.stage")]
    stages = _search(client, " and ".join(same))
    parents = {run.data.tags[PARENT_TAG] for run in stages if PARENT_TAG in run.data.tags}
    finished = f"{same[0]} and tags.`credit.role` = 'study' and attributes.status = 'FINISHED'"
    studies = [run for run in _search(client, finished) if run.info.run_id in parents]
    return max(studies, key=lambda run: (run.info.end_time, run.info.run_id), default=None)


def _search(client: MlflowClient, wanted: str) -> list[Run]:
    """Return the runs of all experiments that fit a filter."""
    experiments = every_page(partial(client.search_experiments, max_results=PAGE))
    where = [experiment.experiment_id for experiment in experiments]
    return every_page(partial(client.search_runs, where, wanted, max_results=PAGE)) if where else []


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
