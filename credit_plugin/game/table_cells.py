"""The cells of a utility table from outside, checked one by one, wherever they come from.

Strict, because values become money: a row that is a cell short, a 2 among the memberships or a
utility that is not a number is refused with its place, never guessed. CSV, data frames and Parquet
go through the same checks on the same text, so that a table which one of them accepts means the
same in the others.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from credit_plugin.errors import InputError

COLUMNS = ("property", "utility", "seed", "repeat", "weight")

# pandas writes memberships of boolean columns as words, and of float columns with a decimal
_MEMBERSHIP = {"0": 0, "1": 1, "0.0": 0, "1.0": 1}
_MEMBERSHIP |= {"False": 0, "True": 1, "false": 0, "true": 1, "FALSE": 0, "TRUE": 1}


@dataclass
class TableCells:
    """The checked cells of a table.

    Attributes:
        header: Names of all columns, in their order.
        contributors: Names of the columns that are not in :data:`COLUMNS`.
        coalitions: 0/1 of each row.
        columns: The other columns that the table has, by name.
    """

    header: tuple[str, ...]
    contributors: tuple[str, ...]
    coalitions: list[list[int]] = field(default_factory=list)
    columns: dict[str, list[Any]] = field(default_factory=dict)

    @classmethod
    def begin(cls, header: Sequence[str], where: str) -> "TableCells":
        """Start a table with its header.

        Args:
            header: Names of the columns.
            where: The file, for errors.

        Raises:
            InputError: If a name is blank or there twice, or a column is missing.
        """
        twice = sorted({name for name in header if header.count(name) > 1})
        if twice:
            raise InputError(f"{where}: column {twice[0]!r} is there twice; rename or remove one")
        if "" in header:
            raise InputError(f"{where}: a column has no name; name it or remove it")
        if "utility" not in header:
            raise InputError(f"{where}: there is no column 'utility'; add what was measured")
        contributors = tuple(name for name in header if name not in COLUMNS)
        if len(contributors) < 2:
            raise InputError(
                f"{where}: {len(contributors)} contributor columns found; values need at least two"
            )
        return cls(
            tuple(header), contributors, columns={name: [] for name in header if name in COLUMNS}
        )

    def add(self, cells: Sequence[str], where: str) -> None:
        """Add a row.

        Args:
            cells: Text of each column.
            where: File and line, for errors.

        Raises:
            InputError: If a cell is missing or cannot be used.
        """
        if len(cells) != len(self.header):
            raise InputError(
                f"{where}: {len(cells)} cells for {len(self.header)} columns; complete or remove "
                "the line"
            )
        row = dict(zip(self.header, cells, strict=True))
        members = []
        for name in self.contributors:
            member = _MEMBERSHIP.get(row[name].strip())
            if member is None:
                raise InputError(
                    f"{where}: column {name!r} is {row[name]!r}; only 0 or 1 is allowed"
                )
            members.append(member)
        self.coalitions.append(members)
        for name, column in self.columns.items():
            column.append(_READERS[name](row[name], f"{where}: {name}"))

    def need_rows(self, where: str) -> None:
        """Refuse a table without rows.

        Raises:
            InputError: If there is none.
        """
        if not self.coalitions:
            raise InputError(f"{where}: has a header but no rows; evaluate some coalitions first")


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
