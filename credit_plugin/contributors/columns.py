"""Columns of labelled data: who gave an image, its class, its caption, by their distinct values."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from credit_plugin.errors import InputError

OPTIONS = "data.options"
SHOWN = 8


@dataclass(frozen=True)
class Column:
    """An array of integers or text, by its distinct values.

    Attributes:
        codes: int64 [N], index into ``shown``.
        shown: What each code is shown as; text, or integers that have no name.
    """

    codes: np.ndarray
    shown: tuple[str | int, ...]

    @classmethod
    def of(cls, values: np.ndarray) -> "Column":
        """Return the column of integers or text [N]; distinct values ascend."""
        distinct, codes = np.unique(values, return_inverse=True)
        return cls(codes.astype(np.int64), tuple(distinct.tolist()))


def kept_rows(
    columns: Mapping[str, Column], keep: Mapping[str, Sequence[str | int]], count: int
) -> np.ndarray:
    """Return the rows that all of ``keep`` selects, ascending int64.

    Args:
        columns: By name.
        keep: For a column, the values whose rows are used.
        count: Number of rows.

    Raises:
        InputError: If a column has no such value, or no row is left.
    """
    kept = np.ones(count, np.bool_)
    for name, values in keep.items():
        shown = columns[name].shown
        for value in values:
            if value not in shown:
                raise InputError(
                    f"{OPTIONS}.keep.{name}: {name!r} has no value {value!r}; it has "
                    f"{some_of(shown)}"
                )
        chosen = [code for code, value in enumerate(shown) if value in values]
        kept &= np.isin(columns[name].codes, chosen)
    if not kept.any():
        raise InputError(f"{OPTIONS}.keep: no image is left; keep more values")
    return np.flatnonzero(kept)


def some_of(values: Iterable[object]) -> str:
    """Return the first values for a message, and how many more there are."""
    shown = [str(value) for value in values]
    more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    return ", ".join(shown[:SHOWN]) + more
