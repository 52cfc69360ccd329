"""Files that appear whole or not at all, whoever else writes them at the same time."""

import csv
import glob
import json
import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from credit_plugin.errors import InputError
from credit_plugin.jsonable import jsonable

STALE_SECONDS = 3600.0


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a path beside ``path`` to write to; it takes its place when the block ends well.

    If the block raises, or the process dies in it, an older file stays as it was. Several writers
    do not disturb each other: each has a path of its own, and the last one to end stays. What a
    killed writer left is removed by a later one after ``STALE_SECONDS``.
    """
    with _beside(path) as partial:
        yield partial
        partial.replace(path)


@contextmanager
def first_file(path: Path) -> Iterator[Path]:
    """Like :func:`whole_file`, but of several writers the first one to end stays.

    On a file system without hard links another one that ends in the same instant may take its
    place.
    """
    with _beside(path) as partial:
        yield partial
        try:
            os.link(partial, path)
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            if not path.exists():
                partial.rename(path)


def check_writable(path: Path, field: str) -> None:
    """See that a file can be written, before the work whose result goes there.

    Args:
        path: The file; folders on the way are made.
        field: Where the user named it.

    Raises:
        InputError: If it cannot.
    """
    try:
        with _beside(path) as partial:
            partial.touch()
    except OSError as error:
        raise InputError(f"{field} {path}: cannot be written ({error.strerror})") from None


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_stale(path)
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


def remove_stale(path: Path) -> None:
    """Remove what killed writers of a file left beside it, journals of databases included."""
    for left in path.parent.glob(f"{glob.escape(path.name)}.*.partial*"):
        _remove_if_stale(left)


def write_record(path: Path, record: Any) -> None:
    """Write plain data as JSON, whole; see :func:`credit_plugin.jsonable.jsonable`."""
    text = json.dumps(jsonable(record), indent=1, ensure_ascii=False, allow_nan=False)
    with whole_file(path) as partial:
        partial.write_text(text + "\n", "utf-8")


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows with the same columns as CSV, whole; there is at least one."""
    with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _remove_if_stale(left: Path) -> None:
    try:
        if time.time() - left.stat().st_mtime > STALE_SECONDS:
            left.unlink()
    except FileNotFoundError:  # its writer has just ended
        pass
