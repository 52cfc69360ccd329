"""The ledger: one fsynced JSON line for each finished evaluation, appended and never rewritten.

An evaluation that :meth:`Ledger.append` returned from survives ``kill -9`` and power loss. A line
torn by a kill in the middle of a write is dropped when the ledger is opened; damage anywhere
else is an error, because it cannot have come from a kill.
"""

import json
import math
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from credit_plugin.errors import InputError


@dataclass(frozen=True)
class Evaluation:
    """What one evaluation of a coalition found.

    Attributes:
        key: Content hash of everything that determines the result; identifies the evaluation.
        coalition: Bit string in contributor order.
        seed: The study's seed.
        repeat: 0 for the first evaluation of the coalition.
        properties: Measured properties, as they are (not oriented); empty if it failed.
        losses: Training losses.
        costs: Seconds by kind of work.
        started: Unix time.
        finished: Unix time.
        attempts: Tries that it took.
        error: Why it was given up, or None.
    """

    key: str
    coalition: str
    seed: int
    repeat: int
    properties: dict[str, float] = field(default_factory=dict)
    losses: dict[str, float] = field(default_factory=dict)
    costs: dict[str, float] = field(default_factory=dict)
    started: float = 0.0
    finished: float = 0.0
    attempts: int = 1
    error: str | None = None

    @property
    def ok(self) -> bool:
        """Whether there is a result."""
        return self.error is None


class Ledger:
    """The evaluations of one table, in the order in which they finished.

    Args:
        path: The file; made with the first evaluation.

    Raises:
        InputError: If a line other than the last is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._by_key: dict[str, Evaluation] = {}
        if path.exists():
            self._read()

    @property
    def evaluations(self) -> tuple[Evaluation, ...]:
        """The latest evaluation of every key."""
        return tuple(self._by_key.values())

    def find(self, key: str) -> Evaluation | None:
        """Return the evaluation of ``key``, if there is one."""
        return self._by_key.get(key)

    def append(self, evaluation: Evaluation) -> None:
        """Add an evaluation and return when it is on the disk.

        Raises:
            ValueError: If the key has a result already or a number is not finite.
        """
        known = self._by_key.get(evaluation.key)
        if known is not None and known.ok:
            raise ValueError(f"coalition key {evaluation.key} has a result already")
        for name, value in evaluation.properties.items():
            if not math.isfinite(value):
                raise ValueError(f"property {name} of coalition {evaluation.coalition} is {value}")
        line = json.dumps(asdict(evaluation), separators=(",", ":"), allow_nan=False)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._by_key[evaluation.key] = evaluation

    def _read(self) -> None:
        content = self.path.read_bytes()
        complete = content.rfind(b"\n") + 1
        if complete < len(content):
            with self.path.open("r+b") as file:
                file.truncate(complete)
        for number, line in enumerate(content[:complete].splitlines(), start=1):
            try:
                evaluation = Evaluation(**json.loads(line))
            except (ValueError, TypeError) as error:
                raise InputError(
                    f"ledger {self.path}, line {number} is damaged ({error}): restore the file "
                    "from a copy, or delete it to evaluate every coalition again"
                ) from None
            self._by_key[evaluation.key] = evaluation
