"""The life of one worker process: load once, then run one job after the other.

Messages to the coordinator are tuples: ``("ready",)``, ``("broken", reason)`` if the factory
failed, ``("progress", done, total)``, ``("done", result)``, ``("error", reason)`` and ``("refused",
reason)`` if the input of the job cannot be used.
"""

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait

from credit_plugin.errors import InputError
from credit_plugin.execution.engine import RunnerFactory

REPORT_SECONDS = 0.2


def work(pipe: Connection, factory: RunnerFactory, device: str, threads: int) -> None:
    """Serve jobs from ``pipe`` until it closes.

    Args:
        pipe: Receives payloads, or None to end; sends messages.
        factory: Makes the runner.
        device: Handed to the factory.
        threads: CPU threads for numerical libraries.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the coordinator's business
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _end_with_parent()
    limit_threads(threads)
    try:
        runner = factory(device)
    except Exception as error:  # noqa: BLE001 - whatever it is, the coordinator must hear of it
        pipe.send(("broken", describe(error)))
        return
    pipe.send(("ready",))
    while True:
        try:
            payload = pipe.recv()
        except EOFError:
            return
        if payload is None:
            return
        try:
            message = ("done", runner(payload, reporter(pipe.send, REPORT_SECONDS)))
        except Exception as error:  # noqa: BLE001 - the coordinator decides whether to try again
            message = failure(error)
        pipe.send(message)


def reporter(
    send: Callable[[tuple[str, int, int]], None], every: float
) -> Callable[[int, int], None]:
    """Return a function that sends progress, at most once in so many seconds."""
    last = 0.0

    def report(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= every:
            last = now
            send(("progress", done, total))

    return report


def _end_with_parent() -> None:
    """End this process when the coordinator is gone, even after ``kill -9``."""
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def limit_threads(threads: int) -> None:
    """Let numerical libraries use so many CPU threads, when called from this thread."""
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    if "threadpoolctl" in sys.modules:
        sys.modules["threadpoolctl"].threadpool_limits(threads)


def failure(error: Exception) -> tuple[str, str]:
    """Return the message that says why a job failed; bad input says itself what is to be mended."""
    if isinstance(error, InputError):
        return "refused", " ".join(str(error).split())
    return "error", describe(error)


def describe(error: BaseException) -> str:
    """Return one line that says what was raised, and where."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    text = " ".join(str(error).split()) or "no message"
    return f"{type(error).__name__}: {text} ({frame.name}, line {frame.lineno})"
