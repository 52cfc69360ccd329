"""A Ray cluster as the engine sees it: how to get there, and how many workers it has room for."""

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from credit_plugin.config import RaySettings
from credit_plugin.errors import InputError

CONNECT_SECONDS = 10.0

STARTED_HERE = ("", "local")
"""Addresses that stand for a cluster which does not run yet."""


@dataclass(frozen=True)
class Need:
    """What one worker takes of a machine.

    Attributes:
        cpus: Number.
        gpus: Number, or a part of one.
        memory: Bytes; 0 is not counted.
    """

    cpus: float
    gpus: float
    memory: int

    def room_on(self, machine: Mapping[str, float]) -> int:
        """Return how many workers a machine with these resources has room for."""
        asked = {"CPU": self.cpus, "GPU": self.gpus, "memory": self.memory}
        return min(int(machine.get(name, 0) / much + 1e-9) for name, much in asked.items() if much)


class RayCluster:
    """A running cluster, or one that is started for the study.

    Args:
        settings: Where it is, and what a worker takes of it.

    Attributes:
        ray: The library.

    Raises:
        InputError: If Ray is not installed.
    """

    def __init__(self, settings: RaySettings) -> None:
        self.settings, self.ray = settings, _import_ray()
        self._connected = False

    def connect(self) -> None:
        """Connect, unless this process is connected.

        Raises:
            InputError: If the cluster cannot be reached.
        """
        if self.ray.is_initialized():
            return
        address = self.settings.address or os.environ.get("RAY_ADDRESS", "")
        _check_address(address)
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # see the engine of processes
        # Ray's workers give way to everything else on their machine; imports take minutes then
        os.environ.setdefault("RAY_worker_niceness", "0")
        on_end = signal.getsignal(signal.SIGTERM)
        try:
            self.ray.init(
                address=address or None,
                runtime_env=self.settings.runtime_env or None,
                # a cluster of the study's own needs no page, and no port for one
                include_dashboard=False if address in STARTED_HERE else None,
                logging_level=logging.ERROR,
                log_to_driver=False,
            )
        except (ConnectionError, ValueError, RuntimeError, self.ray.exceptions.RayError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"execution.ray.address: no cluster there: {reason}") from None
        finally:
            _give_back_sigterm(on_end)
        self._connected = True

    def disconnect(self) -> None:
        """Undo :meth:`connect`; a cluster that was started ends."""
        if self._connected:
            self.ray.shutdown()
            self._connected = False

    def machines(self) -> dict[str, Mapping[str, float]]:
        """Return what each machine that lives has in all, by its id."""
        return {node["NodeID"]: node["Resources"] for node in self.ray.nodes() if node["Alive"]}

    def need(self, threads: int) -> Need:
        """Return what a worker of so many CPU threads takes, at most all CPUs of a machine."""
        asked, machines = self.settings, self.machines().values()
        most = max((machine.get("CPU", 0.0) for machine in machines), default=0.0)
        gpus = asked.gpus
        if gpus is None:
            gpus = float(any(machine.get("GPU") for machine in machines))
        cpus = asked.cpus or min(threads, most or threads)
        return Need(cpus, gpus, int(asked.memory_gb * 2**30))

    def room(self, need: Need) -> int:
        """Return how many workers the cluster has room for.

        Raises:
            InputError: If there is none.
        """
        room = sum(need.room_on(machine) for machine in self.machines().values())
        if not room:
            raise InputError(
                f"execution.ray: no machine of the cluster has {need.cpus:g} CPUs, {need.gpus:g} "
                f"GPUs and {need.memory / 2**30:g} GB for a worker; ask for less, or say how many "
                "workers there will be (execution.workers) if machines join later"
            )
        return room


def _check_address(address: str) -> None:
    """Refuse at once what Ray would try for minutes.

    Raises:
        InputError: If nothing answers there, or it is an address of Ray Client.
    """
    if address.startswith("ray://"):
        raise InputError(
            "execution.ray.address: a study cannot run through Ray Client; start it inside the "
            "cluster, with ray job submit, and say auto"
        )
    host, colon, port = address.rpartition(":")
    if not colon:
        return  # auto, or a name that Ray knows
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        raise InputError(
            f"execution.ray.address: no cluster answers at {address} ({error}); ray status says "
            "where one runs"
        ) from None


def _give_back_sigterm(handler: Any) -> None:
    """Undo that Ray ends a process on SIGTERM on the spot: its study has to be closed first."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)


def _import_ray() -> ModuleType:
    try:
        import ray
        import ray.exceptions
    except ImportError:
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise InputError(
            "execution.engine: ray is not installed; run: pip install 'credit_plugin[ray]' (on "
            f"every machine of the cluster, with Python {python})"
        ) from None
    module: ModuleType = ray
    return module
