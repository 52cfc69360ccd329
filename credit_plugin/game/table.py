"""The utility table: what was measured of which coalition, and the one source of truth for values.

A row is one evaluation of one property: coalition, utility, seed and repeat. Utilities are
oriented, higher is better; a property where lower is better enters with a minus sign. A table with
several properties has one row for each of them and evaluation.

On disk it is a CSV with one column of 0 and 1 for each contributor, then ``property``,
``utility``, ``seed`` and ``repeat`` (see :mod:`credit_plugin.game.table_csv`); data frames and
Parquet files have the same columns (:mod:`credit_plugin.game.table_frame`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.game.coalitions import distinct_rows, to_bits
from credit_plugin.game.table_cells import COLUMNS, TableCells
from credit_plugin.game.table_csv import read_csv_cells, write_rows
from credit_plugin.game.table_frame import read_frame_cells, read_parquet

if TYPE_CHECKING:
    import pandas as pd

# these do not survive a CSV that other programs read and write
_UNSAFE = frozenset("\r\n\0\ufeff")

_COLUMN_TYPES = {
    "utilities": np.float64,
    "seeds": np.int64,
    "repeats": np.int64,
    "weights": np.float64,
}


@dataclass(frozen=True, eq=False)
class UtilityTable:
    """Measured utilities of coalitions.

    Attributes:
        contributors: Names in the order of the columns, at least two.
        coalitions: bool [m, n].
        utilities: float64 [m], oriented, finite.
        properties: Property of each row, length m.
        seeds: int64 [m], the seed of each evaluation.
        repeats: int64 [m], 0 for the first evaluation of a coalition.
        weights: float64 [m], what part of a usual evaluation each row is worth, above 0; 1 by
            default, for instance 0.25 for one that was measured on a quarter of the images.

    Raises:
        InputError: If the parts do not fit together, a number is not finite, or a row is there
            twice.
    """

    contributors: tuple[str, ...]
    coalitions: np.ndarray
    utilities: np.ndarray
    properties: tuple[str, ...]
    seeds: np.ndarray
    repeats: np.ndarray
    weights: np.ndarray = field(default_factory=lambda: np.ones(1))

    def __post_init__(self) -> None:
        object.__setattr__(self, "contributors", tuple(self.contributors))
        object.__setattr__(self, "properties", tuple(self.properties))
        object.__setattr__(self, "coalitions", _as_coalitions(self.coalitions))
        if np.shape(self.weights) == (1,):
            object.__setattr__(self, "weights", np.repeat(self.weights, len(self.coalitions)))
        for name, kind in _COLUMN_TYPES.items():
            column = np.array(getattr(self, name), dtype=kind)
            column.setflags(write=False)
            object.__setattr__(self, name, column)
        self._check()

    @classmethod
    def from_arrays(
        cls,
        coalitions: np.ndarray,
        utilities: np.ndarray,
        contributors: Sequence[str] | None = None,
        property: str = "utility",
        seeds: np.ndarray | None = None,
        repeats: np.ndarray | None = None,
        weights: np.ndarray | None = None,
    ) -> "UtilityTable":
        """Make a table of one property.

        Args:
            coalitions: bool or 0/1 [m, n]; a coalition may come several times.
            utilities: float [m], higher is better.
            contributors: n names; by default ``c1``, ``c2``, ...
            property: Name of the property.
            seeds: int [m]; 0 by default.
            repeats: int [m]; by default the rows of a coalition are numbered from 0.
            weights: float [m], above 0; 1 by default.

        Raises:
            InputError: If the arrays do not make a table.
        """
        rows = _as_coalitions(coalitions)
        names = contributors or [f"c{i + 1}" for i in range(rows.shape[1])]
        return cls(
            contributors=tuple(names),
            coalitions=rows,
            utilities=np.asarray(utilities, dtype=np.float64),
            properties=(property,) * len(rows),
            seeds=np.zeros(len(rows), np.int64) if seeds is None else seeds,
            repeats=number_repeats(rows) if repeats is None else repeats,
            weights=np.ones(1) if weights is None else weights,
        )

    @classmethod
    def from_csv(cls, path: str | Path) -> "UtilityTable":
        """Read a table.

        ``property``, ``seed``, ``repeat`` and ``weight`` may be missing: then there is one
        property, the seed is 0, the rows of a coalition are numbered and all weigh the same. Every
        other column is a contributor.

        Raises:
            InputError: One line that names the file, the line and the mend.
        """
        path = Path(path)
        return cls._from_cells(read_csv_cells(path), str(path))

    @classmethod
    def from_frame(cls, frame: "pd.DataFrame", name: str = "frame") -> "UtilityTable":
        """Make a table from a data frame with the columns of the CSV.

        Args:
            frame: Memberships as booleans or 0 and 1; optional columns as in :meth:`from_csv`.
            name: What errors call it.

        Raises:
            InputError: One line that names the row, the column and the mend.
        """
        return cls._from_cells(read_frame_cells(frame, name), name)

    @classmethod
    def from_parquet(cls, path: str | Path) -> "UtilityTable":
        """Read a table with the columns of the CSV from a Parquet file.

        Raises:
            InputError: One line that names the file, the row and the mend.
        """
        return cls.from_frame(read_parquet(Path(path)), str(path))

    def to_frame(self) -> "pd.DataFrame":
        """Return a data frame with the columns of the CSV, memberships as 0 and 1."""
        import pandas as pd  # slow to import, and only needed here

        frame = pd.DataFrame(self.coalitions.astype("int8"), columns=list(self.contributors))
        others = pd.DataFrame(self._other_columns())
        return pd.concat([frame, others], axis=1)

    def to_csv(self, path: str | Path) -> None:
        """Write the table so that reading it gives the same numbers to the last bit."""
        rows = self.coalitions.astype(int).tolist()
        write_rows(Path(path), self.contributors, rows, self._other_columns())

    def select(self, property: str) -> "UtilityTable":
        """Return the rows of one property.

        Raises:
            InputError: If the table does not hold it.
        """
        if property not in self.properties:
            known = ", ".join(self.property_names)
            raise InputError(f"property: {property!r} is not in the table; it holds {known}")
        return self.where(np.array([name == property for name in self.properties]))

    def where(self, keep: np.ndarray) -> "UtilityTable":
        """Return some of the rows.

        Args:
            keep: bool [m].

        Raises:
            InputError: If none is kept.
        """
        return UtilityTable(
            contributors=self.contributors,
            coalitions=self.coalitions[keep],
            utilities=self.utilities[keep],
            properties=tuple(name for name, k in zip(self.properties, keep, strict=True) if k),
            seeds=self.seeds[keep],
            repeats=self.repeats[keep],
            weights=self.weights[keep],
        )

    @property
    def property_names(self) -> tuple[str, ...]:
        """Names of the properties in the table, in the order of their first row."""
        return tuple(dict.fromkeys(self.properties))

    @property
    def n_contributors(self) -> int:
        """Number of contributors n."""
        return len(self.contributors)

    def __len__(self) -> int:
        return len(self.utilities)

    @classmethod
    def concat(cls, *tables: "UtilityTable") -> "UtilityTable":
        """Put tables of the same contributors below each other.

        Raises:
            InputError: If there is no table, contributors differ, or a row is there twice.
        """
        if not tables:
            raise InputError("tables: there is none to join")
        names = tables[0].contributors
        if any(table.contributors != names for table in tables):
            raise InputError("tables: all must have the same contributors in the same order")
        return cls(
            contributors=names,
            coalitions=np.concatenate([t.coalitions for t in tables]),
            utilities=np.concatenate([t.utilities for t in tables]),
            properties=tuple(name for t in tables for name in t.properties),
            seeds=np.concatenate([t.seeds for t in tables]),
            repeats=np.concatenate([t.repeats for t in tables]),
            weights=np.concatenate([t.weights for t in tables]),
        )

    @classmethod
    def _from_cells(cls, cells: TableCells, where: str) -> "UtilityTable":
        coalitions = np.array(cells.coalitions, dtype=bool).reshape(-1, len(cells.contributors))
        properties = cells.columns.get("property") or ("utility",) * len(coalitions)
        repeats = cells.columns.get("repeat")
        try:
            return cls(
                contributors=cells.contributors,
                coalitions=coalitions,
                utilities=np.array(cells.columns["utility"]),
                properties=tuple(properties),
                seeds=np.array(cells.columns.get("seed") or np.zeros(len(coalitions), np.int64)),
                repeats=np.array(repeats or number_repeats(coalitions, properties)),
                weights=np.array(cells.columns.get("weight") or [1.0]),
            )
        except InputError as error:
            raise InputError(f"{where}: {error}") from None

    def _other_columns(self) -> dict[str, list[Any]]:
        """Return the columns beside memberships, weights only where they say something."""
        columns: dict[str, list[Any]] = {
            "property": list(self.properties),
            "utility": self.utilities.tolist(),
            "seed": self.seeds.tolist(),
            "repeat": self.repeats.tolist(),
        }
        if (self.weights != 1).any():
            columns["weight"] = self.weights.tolist()
        return columns

    def _check(self) -> None:
        m, n = self.coalitions.shape
        names = self.contributors
        if m == 0:
            raise InputError("the table has no rows: evaluate some coalitions first")
        if len(names) != n:
            raise InputError(f"contributors: {len(names)} names for {n} columns of coalitions")
        if n < 2:
            raise InputError(f"contributors: {n} found; values need at least two")
        if len(set(names)) < n or set(names) & set(COLUMNS):
            raise InputError(f"contributors: names must differ, and not be {', '.join(COLUMNS)}")
        for name in dict.fromkeys((*names, *self.properties)):
            if not name.strip() or set(name) & _UNSAFE:
                raise InputError(f"{name!r}: a name must not be blank nor hold line breaks")
            if any("\ud800" <= character <= "\udfff" for character in name):
                kind = "contributors" if name in names else "property"
                raise InputError(f"{kind}: {name!a} is not text that a file can hold")
        for name in ("utilities", "properties", "seeds", "repeats", "weights"):
            if np.shape(getattr(self, name)) != (m,):
                raise InputError(f"{name}: {np.shape(getattr(self, name))} for {m} coalitions")
        bad = np.flatnonzero(~np.isfinite(self.utilities))
        if len(bad):
            raise InputError(
                f"utility: row {bad[0] + 1} is {self.utilities[bad[0]]}; leave out evaluations "
                "that failed"
            )
        bad = np.flatnonzero(~(np.isfinite(self.weights) & (self.weights > 0)))
        if len(bad):
            raise InputError(
                f"weight: row {bad[0] + 1} is {self.weights[bad[0]]}; a number above 0 is needed, "
                "leave out rows that shall not count"
            )
        self._check_unique()

    def _check_unique(self) -> None:
        _, group = distinct_rows(self.coalitions)
        seen: dict[tuple[object, ...], int] = {}
        marks = zip(group, self.properties, self.seeds, self.repeats, strict=True)
        for row, (coalition, name, seed, repeat) in enumerate(marks):
            first = seen.setdefault((int(coalition), name, int(seed), int(repeat)), row)
            if first != row:
                raise InputError(
                    f"row {row + 1} repeats row {first + 1} (coalition "
                    f"{to_bits(self.coalitions[row])}, {name}, seed {seed}, repeat {repeat}): "
                    "remove one, or number them in the column repeat"
                )


def number_repeats(coalitions: np.ndarray, properties: Sequence[str] | None = None) -> np.ndarray:
    """Number the rows of each coalition (and property) from 0, in their order, int64 [m]."""
    _, group = distinct_rows(coalitions)
    seen: dict[tuple[int, str], int] = {}
    repeats = np.empty(len(group), dtype=np.int64)
    for row, name in enumerate(properties or [""] * len(group)):
        key = (int(group[row]), name)
        repeats[row] = seen.get(key, 0)
        seen[key] = int(repeats[row]) + 1
    return repeats


def _as_coalitions(rows: np.ndarray) -> np.ndarray:
    """Return a read-only bool matrix."""
    given = np.asarray(rows)
    if given.ndim != 2:
        raise InputError(f"coalitions: a matrix [m, n] is needed, got shape {given.shape}")
    matrix = np.array(given, dtype=bool)
    if given.dtype != bool and not np.array_equal(matrix, given):
        raise InputError("coalitions: only 0 and 1 are allowed")
    matrix.setflags(write=False)
    return matrix
