"""The utility table as a data frame or Parquet file: the same columns and checks as in CSV.

A frame's cells become the text that a CSV would hold and are checked as such, so memberships may
be booleans, 0 and 1, or 0.0 and 1.0, in columns of any type, and a missing value is never a number.
Rows are counted from 1, whatever the index; the index itself is not part of the table.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from credit_plugin.errors import InputError
from credit_plugin.game.table_cells import TableCells

if TYPE_CHECKING:
    import pandas as pd


def read_frame_cells(frame: "pd.DataFrame", where: str) -> TableCells:
    """Read a utility table's cells from a data frame.

    Args:
        frame: One column for each contributor, ``utility``, and the optional columns.
        where: What the frame is called in errors.

    Raises:
        InputError: One line that names the row, the column and the mend.
    """
    import pandas as pd  # slow to import, and only needed here

    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"{where}: a pandas DataFrame is needed, got {type(frame).__name__}")
    for name in frame.columns:
        if not isinstance(name, str):
            raise InputError(f"{where}: column {name!r} is not named by text; rename it")
    found = TableCells.begin(list(frame.columns), where)
    columns = [_as_text(frame.iloc[:, place]) for place in range(frame.shape[1])]
    for number, cells in enumerate(zip(*columns, strict=True), start=1):
        found.add(cells, f"{where}, row {number}")
    found.need_rows(where)
    return found


def read_parquet(path: Path) -> "pd.DataFrame":
    """Read a Parquet file with pandas and pyarrow.

    Raises:
        InputError: One line that names the file and the mend.
    """
    import pandas as pd

    try:
        with path.open("rb") as file:
            return pd.read_parquet(file, engine="pyarrow")
    except ImportError:
        raise InputError(
            f"{path}: reading Parquet needs pyarrow; pip install pyarrow, or save it as CSV"
        ) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, TypeError, KeyError, NotImplementedError) as error:  # bases of pyarrow's
        lines = str(error).splitlines() or [type(error).__name__]
        reason = lines[0].rpartition("<Buffer>': ")[2]
        raise InputError(f"{path}: is not a Parquet table ({reason})") from None


def _as_text(column: "pd.Series[Any]") -> list[str]:
    # a missing name would become the text "nan", which is a name
    missing = column.isna() if column.name == "property" else [False] * len(column)
    cells = column.tolist()  # numbers of Python, whose text is exact
    return ["" if blank else str(cell) for cell, blank in zip(cells, missing, strict=True)]
