"""Utility tables that runs keep as artifacts, for ``credit estimate`` and notebooks."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.tracking import MlflowClient

from credit_plugin.errors import InputError
from credit_plugin.tracking.parent import PARENT_TAG
from credit_plugin.tracking.store import STORE_ERRORS, complaint, shown_uri, use_store

TABLE = "coalitions.csv"


@contextmanager
def downloaded_table(
    run_id: str, artifact: str = TABLE, tracking_uri: str | None = None
) -> Iterator[Path]:
    """Yield a copy of an artifact of a run, which is removed afterwards.

    Args:
        run_id: Of the run, for instance a study's.
        artifact: Path of the table among the run's artifacts.
        tracking_uri: MLflow's own default if left out.

    Raises:
        InputError: If the store, the run or the artifact is not there.
    """
    use_store(tracking_uri)
    with TemporaryDirectory(prefix="credit-table-") as folder:
        try:
            client = MlflowClient()
            run = _find(client, run_id)
            names = _artifacts_beside(client, run_id, artifact)
            if artifact not in names:
                raise InputError(_absent(run, artifact))
            copy = Path(client.download_artifacts(run_id, artifact, folder))
        except STORE_ERRORS as error:
            raise InputError(complaint(error)) from None
        yield copy


def _find(client: MlflowClient, run_id: str) -> Run:
    try:
        return client.get_run(run_id)
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
            raise
        raise InputError(
            f"run {run_id}: is not in tracking store {shown_uri()}; give another --tracking-uri"
        ) from None


def _artifacts_beside(client: MlflowClient, run_id: str, artifact: str) -> list[str]:
    parent = artifact.rpartition("/")[0]
    return [item.path for item in client.list_artifacts(run_id, parent or None) if not item.is_dir]


def _absent(run: Run, artifact: str) -> str:
    """Return one line about a run that does not hold a table, and where one may be."""
    run_id, parent = run.info.run_id, run.data.tags.get(PARENT_TAG)
    if parent:
        return f"run {run_id}: has no artifact {artifact}; it is part of run {parent}, try that one"
    return (
        f"run {run_id}: has no artifact {artifact}; a study's run has it once its report is written"
    )
