"""Reports that the registry keeps, for ``credit verify`` and ``credit statement``."""

from pathlib import Path

from mlflow.artifacts import download_artifacts

from credit_plugin.errors import InputError
from credit_plugin.tracking.flavors import values
from credit_plugin.tracking.flavors.files import CONTENT, check_model
from credit_plugin.tracking.store import STORE_ERRORS, complaint, use_store


def registered_report(
    model_uri: str, folder: Path, tracking_uri: str | None = None
) -> tuple[Path, list[str]]:
    """Download a registered version of values.

    Args:
        model_uri: ``models:/name/version`` or ``models:/name@alias``.
        folder: Where to, empty.
        tracking_uri: MLflow's own default if left out.

    Returns:
        The report's folder, and one line for what does not match the hashes that were registered
        with the version; none if all does.

    Raises:
        InputError: If the store or the version is not there, or it is of another kind.
    """
    use_store(tracking_uri)
    try:
        root = Path(download_artifacts(model_uri, dst_path=str(folder)))
    except STORE_ERRORS as error:
        raise InputError(f"{model_uri}: {complaint(error)}") from None
    if not (root / CONTENT).is_dir():
        raise InputError(f"{model_uri}: is no registered version of values")
    try:
        return check_model(root, values.FLAVOR, values.__name__), []
    except InputError as error:
        return root / CONTENT, [str(error).replace(str(root), model_uri)]
