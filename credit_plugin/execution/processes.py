"""Engine ``processes``: worker processes on this machine.

Workers are forked from a server process that has imported torch and diffusers already
(multiprocessing's ``forkserver``), so that they start in a fraction of a second and share the
memory of the imports. One pipe for each worker carries one job at a time; the coordinator waits on
all pipes and process sentinels at once.

A worker that dies, or from which nothing was heard for ``patience_seconds``, is killed and
replaced, and its job is tried again; so is a job that raised. After ``attempts`` tries the outcome
says why it was given up. Workers end by themselves when the coordinator is killed.

Taken from other libraries: waiting on sentinels beside pipes, to notice a dead worker at once, as
``concurrent.futures`` does; replacing only the broken worker rather than failing the whole pool,
where ``concurrent.futures`` and loky give up with a broken pool.
"""

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess

from credit_plugin.config import ExecutionSettings
from credit_plugin.execution.dispatch import NEVER, Dispatcher, Seat
from credit_plugin.execution.engine import Engine, Job, Outcome, RunnerFactory, register_engine
from credit_plugin.execution.in_process import local_devices
from credit_plugin.execution.worker_process import work

PRELOADED = "credit_plugin.execution.preload"
"""What the server of workers imports once; a process has one server, which no engine can change."""


@dataclass(kw_only=True)
class _Worker(Seat):
    device: str
    process: BaseProcess
    pipe: Connection


@register_engine("processes")
class ProcessEngine(Engine):
    """Runs jobs in processes of this machine.

    Args:
        settings: Workers, threads, patience and attempts.
    """

    def __init__(self, settings: ExecutionSettings) -> None:
        super().__init__(settings)
        self._context: BaseContext = multiprocessing.get_context(
            "spawn" if sys.platform == "win32" else "forkserver"
        )
        self._context.set_forkserver_preload([PRELOADED])
        self._workers: list[_Worker] = []

    def close(self) -> None:
        """End the workers."""
        self._stop_all()

    def warm_up(self) -> None:
        """Start the server; it imports while the coordinator does other things."""
        # threads that spin while they wait make a training of two threads three times slower as
        # soon as another process wants one of the cores (tests/benchmarks/busy_cores.py)
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        if sys.platform != "win32":
            from multiprocessing import forkserver

            forkserver.ensure_running()

    def workers(self, threads: int | None = None) -> int:
        """Return how many jobs run at once: as the settings say, or one for each device."""
        return self.settings.workers or len(local_devices())

    def run(
        self,
        factory: RunnerFactory,
        jobs: Sequence[Job],
        on_progress: Callable[[Job, int, int], None] | None = None,
        workers: int | None = None,
        threads: int | None = None,
    ) -> Iterator[Outcome]:
        """Yield one outcome for each job, in order of completion (see ``Engine.run``)."""
        dispatcher = Dispatcher(jobs, self.settings.attempts)
        devices = local_devices()
        count = min(workers or self.workers(), len(jobs))
        threads = threads or self.settings.threads
        try:
            for number in range(count):
                self._start(number, devices[number % len(devices)], factory, threads)
            while dispatcher.left:
                for worker in self._ready():
                    outcome = self._serve(worker, dispatcher, on_progress)
                    if outcome is not None:
                        yield outcome
                    if worker.gone:
                        self._workers.remove(worker)
                        worker.pipe.close()
                        if dispatcher.left:
                            self._start(worker.number, worker.device, factory, threads)
                self._wake_idle(dispatcher)
        finally:
            self._stop_all()

    def _start(self, number: int, device: str, factory: RunnerFactory, threads: int) -> None:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(  # type: ignore[attr-defined]
            target=work, args=(theirs, factory, device, threads), daemon=True
        )
        process.start()
        theirs.close()
        self._workers.append(
            _Worker(number, time.monotonic(), device=device, process=process, pipe=ours)
        )

    def _ready(self) -> list[_Worker]:
        """Wait until some worker has something to say, died, or ran out of patience."""
        patience = self.settings.patience_seconds
        deadline = min(worker.heard for worker in self._workers) + patience
        watched = [w.pipe for w in self._workers] + [w.process.sentinel for w in self._workers]
        happened = wait(watched, timeout=max(0.0, min(deadline - time.monotonic(), 1.0)))
        return [
            w
            for w in list(self._workers)
            if w.pipe in happened or w.process.sentinel in happened or w.silent(patience)
        ]

    def _serve(
        self,
        worker: _Worker,
        dispatcher: Dispatcher,
        on_progress: Callable[[Job, int, int], None] | None,
    ) -> Outcome | None:
        """Take one message of a worker, or note its death or silence."""
        try:
            message = worker.pipe.recv() if worker.pipe.poll() else ("silent",)
        except (EOFError, OSError):
            message = ("silent",)
        if message == ("silent",):
            return self._bury(worker, dispatcher)
        worker.heard = time.monotonic()
        kind, *content = message
        if kind == "progress":
            if on_progress is not None and worker.job is not None:
                on_progress(worker.job, *content)
            return None
        if kind == "broken":
            worker.heard = NEVER  # its end, which follows, is no further failure
            dispatcher.refuse_start(content[0])
            return None
        dispatcher.note_start()
        outcome = None
        if kind == "done":
            outcome = dispatcher.conclude(worker, content[0], None)
        elif kind in ("error", "refused"):
            outcome = dispatcher.conclude(worker, None, content[0], refused=kind == "refused")
        self._hand_out(worker, dispatcher)
        return outcome

    def _hand_out(self, worker: _Worker, dispatcher: Dispatcher) -> None:
        job = dispatcher.hand_out(worker)
        if job is not None:
            try:
                worker.pipe.send(job.payload)
            except OSError:  # it died between two jobs; its sentinel will say so
                dispatcher.take_back(worker)

    def _bury(self, worker: _Worker, dispatcher: Dispatcher) -> Outcome | None:
        """Make sure that a silent or dead worker is gone, and see to its job."""
        alive = worker.process.is_alive()
        if alive and not worker.silent(self.settings.patience_seconds):
            return None
        worker.process.kill()
        worker.process.join()
        worker.gone = True
        if worker.job is None:
            if worker.heard != NEVER:
                dispatcher.refuse_start("it died while it was starting")
            return None
        if alive:
            reason = f"no sign of life for {self.settings.patience_seconds:.0f} seconds"
        else:
            reason = f"its process ended with code {worker.process.exitcode}"
        return dispatcher.conclude(worker, None, f"worker lost: {reason}")

    def _wake_idle(self, dispatcher: Dispatcher) -> None:
        for worker in self._workers:
            if worker.idle and dispatcher.waiting:
                self._hand_out(worker, dispatcher)

    def _stop_all(self) -> None:
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()
            worker.pipe.close()
        self._workers.clear()
