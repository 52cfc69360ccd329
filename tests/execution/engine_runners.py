"""Runners for the engine's tests; importable by worker processes."""

import os
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Factory:
    """Makes a runner that does what the payload says."""

    broken: bool = False

    def __call__(self, device):
        if self.broken:
            raise RuntimeError("no model here")
        return act


def act(payload, report):
    what = payload.get("do", "square")
    if what == "die" or (what == "die once" and _first_time(payload["memory"])):
        os.kill(os.getpid(), 9)
    if what == "hang" or (what == "hang once" and _first_time(payload["memory"])):
        time.sleep(1e6)
    if what == "raise":
        raise ValueError("this one\ncannot be done")
    if what == "long":
        for step in range(12):
            time.sleep(0.25)
            report(step, 12)
    if what == "sleep":
        time.sleep(payload["seconds"])
    return payload.get("x", 0) ** 2


def _first_time(path):
    seen = Path(path).exists()
    Path(path).touch()
    return not seen
