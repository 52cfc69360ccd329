"""The utility table: which coalition had which utility. Every value can be rebuilt from it.

On disk it is a CSV with one column of 0/1 for each contributor, then ``property``, ``utility``,
``seed`` and ``repeat``. Utilities are oriented: higher is better, so a property where lower is
better enters with a minus sign. Numbers are written so that they read back exactly.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from credit_plugin.errors import InputError

FIXED_COLUMNS = ("property", "utility", "seed", "repeat")


@dataclass(frozen=True, eq=False)
class UtilityTable:
    """Evaluated coalitions with their utilities; repeats of a coalition are rows of their own.

    Attributes:
        contributors: Names of the n players.
        coalitions: bool [m, n].
        utilities: float64 [m], finite.
        properties: Name of the property of each row.
        seeds: int64 [m], the study's seed.
        repeats: int64 [m], 0 for the first evaluation of a coalition.
    """

    contributors: tuple[str, ...]
    coalitions: np.ndarray
    utilities: np.ndarray
    properties: tuple[str, ...]
    seeds: np.ndarray
    repeats: np.ndarray

    def __post_init__(self) -> None:
        m, n = len(self.utilities), len(self.contributors)
        if n < 2:
            raise InputError(f"a utility table needs at least 2 contributors, got {n}")
        if m == 0:
            raise InputError("a utility table needs at least one row")
        if self.coalitions.shape != (m, n):
            raise InputError(
                f"coalitions have shape {self.coalitions.shape}, expected ({m}, {n}): one row for "
                "each utility and one column for each contributor"
            )
        if len(set(self.contributors)) < n:
            raise InputError("two contributors of the utility table have the same name")
        bad = np.flatnonzero(~np.isfinite(self.utilities))
        if len(bad):
            raise InputError(f"utility of row {bad[0] + 1} is {self.utilities[bad[0]]}, not finite")

    @classmethod
    def from_arrays(
        cls,
        coalitions: np.ndarray,
        utilities: np.ndarray,
        contributors: Sequence[str] | None = None,
        property: str = "utility",
        seeds: np.ndarray | None = None,
        repeats: np.ndarray | None = None,
    ) -> "UtilityTable":
        """Return a table of one property.

        Args:
            coalitions: Zeros and ones or booleans [m, n]; repeated rows are allowed.
            utilities: [m], higher is better.
            contributors: n names; ``1`` to ``n`` by default.
            property: What was measured.
            seeds: int [m], zeros by default.
            repeats: int [m]; by default counted from equal rows.
        """
        masks = _as_masks(np.atleast_2d(np.asarray(coalitions)))
        m, n = masks.shape
        names = tuple(contributors) if contributors is not None else _numbered(n)
        return cls(
            contributors=names,
            coalitions=masks,
            utilities=np.asarray(utilities, dtype=np.float64),
            properties=(property,) * m,
            seeds=np.zeros(m, np.int64) if seeds is None else np.asarray(seeds, np.int64),
            repeats=_count_repeats(masks) if repeats is None else np.asarray(repeats, np.int64),
        )

    @property
    def property_names(self) -> tuple[str, ...]:
        """The properties in the order in which they first occur."""
        return tuple(dict.fromkeys(self.properties))

    def select(self, property: str) -> "UtilityTable":
        """Return the rows of one property."""
        rows = [i for i, name in enumerate(self.properties) if name == property]
        if not rows:
            known = ", ".join(self.property_names)
            raise InputError(f"the table has no property {property!r}; it has {known}")
        return UtilityTable(
            self.contributors,
            self.coalitions[rows],
            self.utilities[rows],
            tuple(self.properties[i] for i in rows),
            self.seeds[rows],
            self.repeats[rows],
        )

    def to_csv(self, path: Path) -> None:
        """Write the table; reading it back gives exactly the same numbers."""
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([*self.contributors, *FIXED_COLUMNS])
            for mask, name, utility, seed, repeat in zip(
                self.coalitions.astype(int).tolist(),
                self.properties,
                self.utilities.tolist(),
                self.seeds.tolist(),
                self.repeats.tolist(),
                strict=True,
            ):
                writer.writerow([*mask, name, repr(utility), seed, repeat])

    @classmethod
    def from_csv(cls, path: Path) -> "UtilityTable":
        """Read a table that :meth:`to_csv` or somebody else wrote.

        Raises:
            InputError: One line that names the file, the row and the column.
        """
        try:
            with path.open(newline="", encoding="utf-8") as file:
                header, *rows = list(csv.reader(file)) or [[]]
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"table {path} cannot be read: {error}") from None
        n = len(header) - len(FIXED_COLUMNS)
        if n < 2 or tuple(header[n:]) != FIXED_COLUMNS:
            raise InputError(
                f"table {path}: the columns must be two or more contributors, then "
                f"{', '.join(FIXED_COLUMNS)}"
            )
        for number, row in enumerate(rows, start=2):
            _check_row(path, number, row, header, n)
        return cls(
            contributors=tuple(header[:n]),
            coalitions=np.array([[cell == "1" for cell in row[:n]] for row in rows], bool).reshape(
                -1, n
            ),
            utilities=np.array([float(row[n + 1]) for row in rows], np.float64),
            properties=tuple(row[n] for row in rows),
            seeds=np.array([int(row[n + 2]) for row in rows], np.int64),
            repeats=np.array([int(row[n + 3]) for row in rows], np.int64),
        )


def _check_row(path: Path, number: int, row: list[str], header: list[str], n: int) -> None:
    where = f"table {path}, line {number}"
    if len(row) != len(header):
        raise InputError(f"{where}: {len(row)} cells, expected {len(header)}")
    for name, cell in zip(header[:n], row[:n], strict=True):
        if cell not in ("0", "1"):
            raise InputError(f"{where}, column {name!r}: {cell!r} must be 0 or 1")
    for name, cell, kind in zip(header[n + 1 :], row[n + 1 :], (float, int, int), strict=True):
        try:
            number_read = kind(cell)
        except ValueError:
            raise InputError(f"{where}, column {name!r}: {cell!r} is not a number") from None
        if not np.isfinite(number_read):
            raise InputError(f"{where}, column {name!r}: {cell!r} is not finite")


def _as_masks(coalitions: np.ndarray) -> np.ndarray:
    if coalitions.dtype != bool and not np.isin(coalitions, (0, 1)).all():
        raise InputError("coalitions must hold zeros and ones only")
    return coalitions.astype(bool)


def _numbered(n: int) -> tuple[str, ...]:
    return tuple(str(i + 1) for i in range(n))


def _count_repeats(masks: np.ndarray) -> np.ndarray:
    counts: dict[bytes, int] = {}
    repeats = []
    for mask in masks:
        key = mask.tobytes()
        repeats.append(counts.get(key, 0))
        counts[key] = repeats[-1] + 1
    return np.array(repeats, np.int64)
