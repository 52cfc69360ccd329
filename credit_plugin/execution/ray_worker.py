"""What runs on the machines of a Ray cluster: an actor that loads once and does one job at a time.

Every answer is a stream of messages, so that the coordinator hears of progress, and of life, while
a job runs: ``("here", node)`` once the actor runs at all, ``("lacks",)`` if it does not see the
study's folder and was sent nothing, ``("ready",)``, ``("broken", reason)``, ``("progress", done,
total)``, ``("done", result, parcel)``, ``("error", reason)`` and ``("refused", reason)``. A
*parcel* (:mod:`credit_plugin.execution.parcels`) holds the files that a job wrote where the study's
folder is not shared; it is None otherwise.
"""

import gc
import queue
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from credit_plugin.execution.engine import PortableFactory, Runner, RunnerFactory
from credit_plugin.execution.parcels import (
    keep_once,
    link_tree,
    mark_used,
    own_files,
    pack,
    private_cache,
)
from credit_plugin.execution.worker_process import describe, failure, limit_threads, reporter

REPORT_SECONDS = 2.0
CACHE = "credit_plugin-files"

Message = tuple[Any, ...]


@dataclass(frozen=True)
class Files:
    """How a worker gets at a factory's folder.

    Attributes:
        token: A file in the folder; a worker that can read it shares the folder.
        secret: What the file says; empty if files are sent whether the folder is shared or not.
        parcel: Reference to the inputs in Ray's object store; None until a worker lacks them.
    """

    token: Path
    secret: str
    parcel: Any = None

    @property
    def shared(self) -> bool:
        """Whether this machine sees the same folder as the coordinator."""
        try:
            return bool(self.secret) and self.token.read_text("utf-8") == self.secret
        except OSError:
            return False


class RayWorker:
    """The actor; Ray makes it one."""

    def __init__(self) -> None:
        self._runner: Runner | None = None
        self._root: Path | None = None
        self._used: list[Path] = []
        self._threads = 1

    def begin(self, factory: RunnerFactory, threads: int, files: Files | None) -> Iterator[Message]:
        """Load what jobs of a factory need.

        Args:
            factory: Makes the runner.
            threads: CPU threads for numerical libraries.
            files: How to get at its folder, for a factory that has one.
        """
        yield ("here", _node())
        self._let_go()
        self._threads = threads
        if files is not None and files.parcel is None and not files.shared:
            yield ("lacks",)
            return
        yield from _in_thread(lambda _: self._load(factory, files))

    def work(self, payload: Mapping[str, Any]) -> Iterator[Message]:
        """Do a job."""
        yield from _in_thread(lambda messages: self._do(payload, messages))

    def _load(self, factory: RunnerFactory, files: Files | None) -> Message:
        limit_threads(self._threads)
        try:
            if isinstance(factory, PortableFactory) and files is not None and not files.shared:
                factory = factory.moved(self._unpacked(files))
            self._runner = factory(_device())
        except Exception as error:  # noqa: BLE001 - whatever it is, the coordinator must hear of it
            return ("broken", describe(error))
        return ("ready",)

    def _do(self, payload: Mapping[str, Any], messages: "queue.SimpleQueue[Message]") -> Message:
        limit_threads(self._threads)
        mark_used(*self._used)
        assert self._runner is not None  # begin comes first
        try:
            result = self._runner(payload, reporter(messages.put, REPORT_SECONDS))
            return ("done", result, self._written())
        except Exception as error:  # noqa: BLE001 - the coordinator decides whether to try again
            return failure(error)

    def _unpacked(self, files: Files) -> Path:
        import ray

        cache = private_cache(CACHE)
        inputs = keep_once(ray.get(files.parcel), cache)
        # in the cache, so that what a killed worker leaves is removed one day
        self._root = Path(tempfile.mkdtemp(prefix="worker-", dir=cache))
        self._used = [inputs, self._root]
        link_tree(inputs, self._root)
        return self._root

    def _written(self) -> bytes | None:
        """Return what a job wrote, and forget it: another one would send it again."""
        if self._root is None:
            return None
        written = own_files(self._root)
        parcel = pack(self._root, written)
        for path in written:
            path.unlink()
        return parcel if written else None

    def _let_go(self) -> None:
        """Free what the jobs of an earlier factory needed."""
        self._runner = None
        if self._root is not None:
            shutil.rmtree(self._root, ignore_errors=True)
            self._root, self._used = None, []
        gc.collect()


def _in_thread(run: Any) -> Iterator[Message]:
    """Yield the messages of a function that returns the last of them."""
    messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
    thread = threading.Thread(target=lambda: messages.put(run(messages)), daemon=True)
    thread.start()
    while True:
        message = messages.get()
        yield message
        if message[0] != "progress":
            return


def _node() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id())


def _device() -> str:
    import ray

    return "cuda:0" if ray.get_gpu_ids() else "cpu"
