"""The utility table on disk: CSV that anybody can open, read strictly and written atomically.

The standard library's reader is used instead of pandas, which would turn whatever is missing or
malformed into missing values first (see :mod:`table_cells` for what is checked).
"""

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from credit_plugin.errors import InputError
from credit_plugin.game.table_cells import TableCells


def read_csv_cells(path: Path) -> TableCells:
    """Read a utility table's cells.

    Raises:
        InputError: One line that names the file, the line and the mend.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, None)
            if not header:
                raise InputError(f"{path}: the file is empty; a header and rows are needed")
            found = TableCells.begin(header, str(path))
            for cells in reader:
                if cells:
                    found.add(cells, f"{path}, line {reader.line_num}")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not UTF-8 text; save it as CSV in UTF-8") from None
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: not valid CSV ({error})") from None
    found.need_rows(str(path))
    return found


def write_rows(
    path: Path,
    contributors: Sequence[str],
    coalitions: Sequence[Sequence[int]],
    columns: Mapping[str, Sequence[Any]],
) -> None:
    """Write a utility table's cells; readers see the old file or the whole new one.

    Args:
        path: The file; its folder is made.
        contributors: n names, the first columns.
        coalitions: 0 and 1 [m, n].
        columns: The other columns by name, m cells each.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    with draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*contributors, *columns])
        others = zip(*columns.values(), strict=True)
        writer.writerows([*row, *rest] for row, rest in zip(coalitions, others, strict=True))
    draft.replace(path)
