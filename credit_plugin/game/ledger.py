"""The ledger of finished evaluations: an append-only JSONL file that survives ``kill -9``.

One line for each finished evaluation, written and fsynced before anybody else hears of it. What
was acknowledged is therefore on disk, and what was not was at most the last line, cut short: such
a line has no newline yet and is removed when the ledger is opened. Every other damage is somebody
else's and is refused, with the line's number, rather than skipped: an evaluation that silently
disappears would change what people are paid.

A file lock is held while the file is read or written, never in between. So a reader (a second
command, the web server) cannot mistake a line that is just being written for a torn one, and two
writers cannot mix their lines; each reads what the other has added before it appends.
"""

import fcntl
import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from credit_plugin.errors import InputError


@dataclass(frozen=True)
class Evaluation:
    """One finished evaluation of one coalition.

    Attributes:
        key: Content hash; the idempotency key.
        coalition: Bit string in contributor order.
        seed: Seed of the evaluation.
        repeat: 0 for the first evaluation of the coalition.
        properties: Raw values by property, not oriented; empty after a failure.
        losses: Training losses by name.
        costs: Seconds by phase, for instance ``training``, ``sampling``, ``measuring``.
        started: Unix time.
        finished: Unix time.
        attempts: Tries that it took.
        error: Why it was given up, or None.
    """

    key: str
    coalition: str
    seed: int
    repeat: int
    properties: dict[str, float]
    losses: dict[str, float]
    costs: dict[str, float]
    started: float
    finished: float
    attempts: int = 1
    error: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the evaluation gave properties."""
        return self.error is None


class Ledger:
    """The evaluations of a study on disk.

    Args:
        path: The JSONL file; it and its folder are created when the first line is appended.

    Raises:
        InputError: If a line that was written completely cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._by_key: dict[str, Evaluation] = {}
        self._size = 0  # bytes of the file that have been read
        self._lines = 0
        if self.path.exists():
            with self._locked() as descriptor:
                self._catch_up(descriptor)

    @property
    def evaluations(self) -> tuple[Evaluation, ...]:
        """The last evaluation of each key, in the order in which they finished."""
        return tuple(self._by_key.values())

    def find(self, key: str) -> Evaluation | None:
        """Return the last evaluation with this key, if there is one."""
        return self._by_key.get(key)

    def append(self, evaluation: Evaluation) -> None:
        """Write an evaluation; when this returns, it is on disk.

        Raises:
            InputError: If the key already has a successful evaluation, or a number is not finite.
            OSError: If it could not be written; the file is as it was.
        """
        line = _to_line(evaluation)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._locked() as descriptor:
            self._catch_up(descriptor)
            known = self._by_key.get(evaluation.key)
            if known is not None and known.ok:
                raise InputError(
                    f"{self.path}: key {evaluation.key} is already evaluated; nothing is "
                    "computed twice"
                )
            self._write(descriptor, line)
            self._remember(evaluation, len(line))

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """Open the file, creating it if needed, and hold its lock."""
        is_new = not self.path.exists()
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if is_new:
                _sync_folder(self.path.parent)
            yield descriptor
        finally:
            os.close(descriptor)

    def _catch_up(self, descriptor: int) -> None:
        """Read what the file holds beyond what is known, and cut off a torn last line."""
        if os.fstat(descriptor).st_size < self._size:
            raise InputError(f"{self.path}: was shortened while in use; restore it from a copy")
        os.lseek(descriptor, self._size, os.SEEK_SET)
        with os.fdopen(os.dup(descriptor), "rb") as file:
            added = file.read()
        complete, newline, torn = added.rpartition(b"\n")
        for line in (complete + newline).splitlines(keepends=True):
            where = f"{self.path}, line {self._lines + 1}"
            self._remember(_from_line(line, where), len(line))
        if torn:
            os.ftruncate(descriptor, self._size)
            os.fsync(descriptor)

    def _write(self, descriptor: int, line: bytes) -> None:
        os.lseek(descriptor, self._size, os.SEEK_SET)
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, self._size)
            raise

    def _remember(self, evaluation: Evaluation, length: int) -> None:
        self._by_key.pop(evaluation.key, None)
        self._by_key[evaluation.key] = evaluation
        self._size += length
        self._lines += 1


def _to_line(evaluation: Evaluation) -> bytes:
    for name, numbers in (
        ("properties", evaluation.properties),
        ("losses", evaluation.losses),
        ("costs", evaluation.costs),
        ("time", {"started": evaluation.started, "finished": evaluation.finished}),
    ):
        for key, number in numbers.items():
            if not math.isfinite(number):
                raise InputError(
                    f"evaluation {evaluation.key}: {name} {key} is {number}; only finite numbers "
                    "can be kept"
                )
    text = json.dumps(asdict(evaluation), separators=(",", ":"), allow_nan=False)
    return text.encode() + b"\n"


def _from_line(line: bytes, where: str) -> Evaluation:
    damaged = InputError(
        f"{where}: is damaged; restore the file from a copy, or remove the line to have its "
        "coalition evaluated again"
    )
    try:
        record = json.loads(line, parse_constant=_refuse)
    except ValueError:
        raise damaged from None
    if not isinstance(record, dict) or not _is_evaluation(record):
        raise damaged
    return Evaluation(**record)


_KINDS: dict[str, tuple[type, ...]] = {
    "key": (str,),
    "coalition": (str,),
    "seed": (int,),
    "repeat": (int,),
    "properties": (dict,),
    "losses": (dict,),
    "costs": (dict,),
    "started": (int, float),
    "finished": (int, float),
    "attempts": (int,),
    "error": (str, type(None)),
}


def _is_evaluation(record: dict[str, Any]) -> bool:
    required = {f.name for f in fields(Evaluation)} - {"attempts", "error"}
    return (
        required <= set(record) <= set(_KINDS)
        and all(isinstance(value, _KINDS[name]) for name, value in record.items())
        and not set(record["coalition"]) - {"0", "1"}
        and all(_is_finite(record[name]) for name in ("started", "finished"))
        and all(
            _is_finite(number)
            for name in ("properties", "losses", "costs")
            for number in record[name].values()
        )
    )


def _is_finite(number: object) -> bool:
    return isinstance(number, int | float) and math.isfinite(number)


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a number that a ledger holds")


def _sync_folder(folder: Path) -> None:
    """Make the name of a new file durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
