"""The utility table on disk: CSV that anybody can open, read strictly and written atomically.

Strict, because values become money: a row that is a cell short, a 2 among the memberships or a
utility that is not a number is refused with its line, never guessed. The standard library's reader
is used instead of pandas, which would turn all of these into missing values first.
"""

import csv
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from credit_plugin.errors import InputError

COLUMNS = ("property", "utility", "seed", "repeat", "weight")

# pandas writes memberships of boolean columns as words, and of float columns with a decimal
_MEMBERSHIP = {"0": 0, "1": 1, "0.0": 0, "1.0": 1}
_MEMBERSHIP |= {"False": 0, "True": 1, "false": 0, "true": 1, "FALSE": 0, "TRUE": 1}


@dataclass
class CsvRows:
    """The cells of a table.

    Attributes:
        contributors: Names of the columns that are not in :data:`COLUMNS`.
        coalitions: 0/1 of each row.
        columns: The other columns that the file has, by name.
    """

    contributors: tuple[str, ...]
    coalitions: list[list[int]] = field(default_factory=list)
    columns: dict[str, list[Any]] = field(default_factory=dict)


def read_rows(path: Path) -> CsvRows:
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
            rows = _start(path, header)
            for cells in reader:
                if cells:
                    _add(rows, header, cells, f"{path}, line {reader.line_num}")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not UTF-8 text; save it as CSV in UTF-8") from None
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: not valid CSV ({error})") from None
    if not rows.coalitions:
        raise InputError(f"{path}: has a header but no rows; evaluate some coalitions first")
    return rows


def write_rows(
    path: Path,
    contributors: Sequence[str],
    coalitions: Sequence[Sequence[int]],
    columns: Mapping[str, Sequence[Any]],
) -> None:
    """Write a utility table's cells; readers see the old file or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    with draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*contributors, *columns])
        others = zip(*columns.values(), strict=True)
        writer.writerows([*row, *rest] for row, rest in zip(coalitions, others, strict=True))
    draft.replace(path)


def _start(path: Path, header: list[str]) -> CsvRows:
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise InputError(f"{path}: column {twice[0]!r} is there twice; rename or remove one")
    if "" in header:
        raise InputError(f"{path}: a column has no name; name it or remove it")
    if "utility" not in header:
        raise InputError(f"{path}: there is no column 'utility'; add what was measured")
    contributors = tuple(name for name in header if name not in COLUMNS)
    if len(contributors) < 2:
        raise InputError(
            f"{path}: {len(contributors)} contributor columns found; values need at least two"
        )
    return CsvRows(contributors, columns={name: [] for name in header if name in COLUMNS})


def _add(rows: CsvRows, header: list[str], cells: list[str], where: str) -> None:
    if len(cells) != len(header):
        raise InputError(
            f"{where}: {len(cells)} cells for {len(header)} columns; complete or remove the line"
        )
    row = dict(zip(header, cells, strict=True))
    members = []
    for name in rows.contributors:
        member = _MEMBERSHIP.get(row[name].strip())
        if member is None:
            raise InputError(f"{where}: column {name!r} is {row[name]!r}; only 0 or 1 is allowed")
        members.append(member)
    rows.coalitions.append(members)
    for name, column in rows.columns.items():
        column.append(_READERS[name](row[name], f"{where}: {name}"))


def _text(cell: str, where: str) -> str:
    if not cell.strip():
        raise InputError(f"{where} is blank; name the property")
    return cell


def _finite(cell: str, where: str) -> float:
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{where} is {cell!r}; a finite number is needed, remove failed rows")
    return number


def _integer(cell: str, where: str) -> int:
    try:
        number = int(cell)
    except ValueError:
        raise InputError(f"{where} is {cell!r}; a whole number is needed") from None
    if not -(2**63) <= number < 2**63:
        raise InputError(f"{where} is {cell}; it must fit into 64 bits")
    return number


_READERS: dict[str, Callable[[str, str], Any]] = {
    "property": _text,
    "utility": _finite,
    "seed": _integer,
    "repeat": _integer,
    "weight": _finite,
}
