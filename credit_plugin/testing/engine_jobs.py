"""Jobs that engines are tried with; importable wherever their workers run."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from credit_plugin.errors import InputError
from credit_plugin.execution.engine import RunnerFactory

Report = Callable[[int, int], None]


@dataclass(frozen=True)
class TrialFactory:
    """Makes a runner that does what the payload says, and returns the square of its ``x``.

    Attributes:
        broken: Whether it cannot make one.
    """

    broken: bool = False

    def __call__(self, device: str) -> Callable[[Mapping[str, Any], Report], Any]:
        """Return the runner."""
        if self.broken:
            raise RuntimeError("no model here")
        return act


@dataclass(frozen=True)
class FolderFactory:
    """Makes a runner that reads ``inputs/number`` and writes ``outputs/<key>`` under a folder.

    Attributes:
        root: The folder.
    """

    root: Path

    def __call__(self, device: str) -> Callable[[Mapping[str, Any], Report], Any]:
        """Return the runner; it says which folder it used."""
        number = int((self.root / "inputs" / "number").read_text("utf-8"))

        def run(payload: Mapping[str, Any], report: Report) -> str:
            place = self.root / "outputs" / f"{payload['x']}"
            place.parent.mkdir(exist_ok=True)
            place.write_text(str(number * payload["x"]), "utf-8")
            return str(self.root)

        return run

    def inputs(self) -> Sequence[Path]:
        """Return the folder of inputs."""
        return [self.root / "inputs"]

    def moved(self, root: Path) -> RunnerFactory:
        """Return the factory for another folder."""
        return FolderFactory(root)


@dataclass(frozen=True)
class JoiningTrialFactory(TrialFactory):
    """The trials, of which those with ``x`` can be done together.

    Attributes:
        size: How many fit at once.
        reason: Why it is only one.
    """

    size: int = 4
    reason: str = ""

    def __call__(self, device: str) -> Callable[[Mapping[str, Any], Report], Any]:
        """Return the runner."""
        if self.broken:
            raise RuntimeError("no model here")
        return self._run

    def joinable(self, payload: Mapping[str, Any]) -> bool:
        """Return whether a job is a square."""
        return "x" in payload

    def joined(self, payloads: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return one job for several squares."""
        return {"members": list(payloads)}

    def capacity(self) -> Mapping[str, Any]:
        """Return the job that says how many fit."""
        return {"capacity": True}

    def _run(self, payload: Mapping[str, Any], report: Report) -> Any:
        if "capacity" in payload:
            return {"size": self.size, "reason": self.reason}
        if "members" not in payload:
            return act(payload, report)
        found: list[dict[str, Any]] = []
        for done, member in enumerate(payload["members"]):
            report(done, len(payload["members"]))
            try:
                found.append({"result": act(member, lambda *_: None)})
            except ValueError as error:
                found.append({"error": str(error)})
        return found


def act(payload: Mapping[str, Any], report: Report) -> int:
    """Die, hang, raise, refuse, take long or sleep, as ``do`` says, and return a square."""
    what = payload.get("do", "square")
    if what == "die" or (what == "die once" and _first_time(payload["memory"])):
        os.kill(os.getpid(), 9)
    if what == "hang" or (what == "hang once" and _first_time(payload["memory"])):
        time.sleep(1e6)
    if what == "raise":
        raise ValueError("this one\ncannot be done")
    if what == "refuse":
        raise InputError("field: this cannot\nbe used")
    if what == "long":
        for step in range(12):
            time.sleep(payload.get("seconds", 3.0) / 12)
            report(step, 12)
    if what == "sleep":
        time.sleep(payload["seconds"])
    return int(payload.get("x", 0)) ** 2


def _first_time(path: str) -> bool:
    seen = Path(path).exists()
    Path(path).touch()
    return not seen
