"""Files that appear whole or not at all, whoever else writes them at the same time."""

import glob
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STALE_SECONDS = 3600.0


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a path beside ``path`` to write to; it takes its place when the block ends well.

    If the block raises, or the process dies in it, an older file stays as it was. Several writers
    do not disturb each other: each has a path of its own, and the last one to end stays. What a
    killed writer left is removed by a later one after ``STALE_SECONDS``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f"{glob.escape(path.name)}.*.partial"):
        _remove_if_stale(left)
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _remove_if_stale(left: Path) -> None:
    try:
        if time.time() - left.stat().st_mtime > STALE_SECONDS:
            left.unlink()
    except FileNotFoundError:  # its writer has just ended
        pass
