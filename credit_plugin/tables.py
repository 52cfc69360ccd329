"""Utility tables from wherever they are kept: a data frame, a file, an artifact of an MLflow run.

A further kind of file is one more entry of :data:`READERS`.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from credit_plugin.errors import InputError
from credit_plugin.game.table import UtilityTable

if TYPE_CHECKING:
    import pandas as pd

READERS: dict[str, Callable[[Path], UtilityTable]] = {
    ".csv": UtilityTable.from_csv,
    ".parquet": UtilityTable.from_parquet,
    ".pq": UtilityTable.from_parquet,
}
"""What reads a file, by its suffix in lower case."""

_RUN = re.compile(r"(?P<plain>[0-9a-f]{32})|runs:/(?P<id>[^/]+)(?:/(?P<artifact>.+))?")


def read_table(
    source: "str | Path | pd.DataFrame", *, tracking_uri: str | None = None
) -> UtilityTable:
    """Read a utility table.

    Args:
        source: A data frame; a path that ends in .csv, .parquet or .pq; or an MLflow run, as its
            id of 32 hexadecimal digits, as ``runs:/<id>`` (both mean the artifact
            ``coalitions.csv``) or as ``runs:/<id>/<artifact>``.
        tracking_uri: Where the run is; MLflow's own default if left out.

    Raises:
        InputError: One line that names the file or run, the row and the mend.
    """
    if not isinstance(source, (str, Path)):
        return UtilityTable.from_frame(source)
    run = _RUN.fullmatch(source) if isinstance(source, str) else None
    if run is None:
        return _read_file(Path(source))
    from credit_plugin.tracking.tables import TABLE, downloaded_table  # imports mlflow

    run_id, artifact = run["plain"] or run["id"], run["artifact"] or TABLE
    with downloaded_table(run_id, artifact, tracking_uri) as copy:
        try:
            return _read_file(copy)
        except InputError as error:
            named = str(error).replace(str(copy), f"run {run_id}, {artifact}")
            raise InputError(named) from None


def _read_file(path: Path) -> UtilityTable:
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        known = " or ".join(READERS)
        raise InputError(
            f"{path}: a table is a file that ends in {known}, or the id of an MLflow run"
        )
    return reader(path)
