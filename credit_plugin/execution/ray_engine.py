"""Engine ``ray``: the same jobs on a Ray cluster.

One actor for each worker (:mod:`credit_plugin.execution.ray_worker`), with the CPUs, GPUs or parts
of a GPU, and memory that ``execution.ray`` asks for. With ``execution.workers: 0`` there are as
many as the cluster has room for, and more as soon as it grows. Actors outlive a call, so that a
study imports its libraries once in each of them. This process alone writes ledger and MLflow.

Ray is told to restart nothing: what is lost is put back into the queue here, where its tries are
counted (:mod:`credit_plugin.execution.dispatch`). A job whose machine is gone is tried again
without being blamed for it. A worker that cannot be placed yet waits for as long as it takes; one
that runs and is silent for ``patience_seconds`` is replaced.

Files: workers that see the study's folder use it. Others are sent what they read, through Ray's
object store and once for each machine, and send back what they wrote; a training that is cut off
there begins again, since its checkpoints were on the machine that was lost.

Taken from other libraries: one pool of actors that is fed job by job, as Ray Tune's actor manager
does, rather than a task for each job, which would load the models every time; streamed messages
(Ray generators) in the place of an actor that collects progress.
"""

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from credit_plugin.config import ExecutionSettings
from credit_plugin.execution.dispatch import NEVER, Dispatcher, Seat
from credit_plugin.execution.engine import (
    Engine,
    Job,
    Outcome,
    PortableFactory,
    RunnerFactory,
    register_engine,
)
from credit_plugin.execution.parcels import pack, unpack
from credit_plugin.execution.ray_cluster import Need, RayCluster
from credit_plugin.execution.ray_worker import Files, RayWorker

LOOK_AGAIN_SECONDS = 5.0
"""Time between two looks at how large the cluster is."""

Progress = Callable[[Job, int, int], None]


@dataclass(kw_only=True)
class _Worker(Seat):
    actor: Any
    stream: Any = None
    node: str = ""

    @property
    def idle(self) -> bool:
        """Whether it is ready and has nothing to do."""
        return self.stream is None and not self.gone


@dataclass
class _Call:
    """What the workers of one call of the engine are told."""

    factory: RunnerFactory
    threads: int
    files: Files | None

    def pack_files(self, put: Callable[[bytes], Any]) -> None:
        """Put inputs where workers can get them, once one of them does not see the folder."""
        assert isinstance(self.factory, PortableFactory)  # only these have files
        if self.files is not None and self.files.parcel is None:
            parcel = pack(self.factory.root, self.factory.inputs())
            self.files = replace(self.files, parcel=put(parcel))


@register_engine("ray")
class RayEngine(Engine):
    """Runs jobs in actors of a Ray cluster.

    Args:
        settings: Workers, threads, patience, attempts, and the section ``ray``.

    Raises:
        InputError: If Ray is not installed.
    """

    def __init__(self, settings: ExecutionSettings) -> None:
        super().__init__(settings)
        self._cluster = RayCluster(settings.ray)
        self._ray = self._cluster.ray
        self._count = -1
        self._need = Need(0, 0, 0)
        self._pool: list[_Worker] = []
        self._workers: list[_Worker] = []

    def close(self) -> None:
        """End the workers, and the connection if it is this engine's."""
        self._dismiss([*self._workers, *self._pool])
        self._cluster.disconnect()

    def warm_up(self) -> None:
        """Connect to the cluster, or start one.

        Raises:
            InputError: If it cannot be reached.
        """
        self._cluster.connect()

    def workers(self, threads: int | None = None) -> int:
        """Return how many jobs run at once: as the settings say, or what there is room for."""
        self.warm_up()
        return self.settings.workers or self._cluster.room(
            self._cluster.need(threads or self.settings.threads)
        )

    def run(
        self,
        factory: RunnerFactory,
        jobs: Sequence[Job],
        on_progress: Progress | None = None,
        workers: int | None = None,
        threads: int | None = None,
    ) -> Iterator[Outcome]:
        """Yield one outcome for each job, in order of completion (see ``Engine.run``).

        Raises:
            InputError: If no machine of the cluster has what a worker needs.
        """
        self.warm_up()
        threads = threads or self.settings.threads
        self._look_at_pool(self._cluster.need(threads))
        dispatcher = Dispatcher(jobs, self.settings.attempts)
        with self._shared_files(factory) as files:
            call = _Call(factory, threads, files)
            try:
                looked = -NEVER
                while dispatcher.left:
                    if time.monotonic() - looked > LOOK_AGAIN_SECONDS:
                        looked = time.monotonic()
                        wanted = workers or self.settings.workers or self._cluster.room(self._need)
                        self._fill(call, wanted, dispatcher)
                    for worker in self._ready():
                        outcome = self._serve(worker, call, dispatcher, on_progress)
                        if outcome is not None:
                            yield outcome
                        if worker.gone:
                            self._workers.remove(worker)
                            looked = -NEVER
                    self._wake_idle(dispatcher)
            finally:
                self._return_to_pool()

    @contextlib.contextmanager
    def _shared_files(self, factory: RunnerFactory) -> Iterator[Files | None]:
        """Leave a mark in the folder, by which workers know whether they see the same one."""
        if not isinstance(factory, PortableFactory):
            yield None
            return
        factory.root.mkdir(parents=True, exist_ok=True)
        secret = secrets.token_hex(16)
        token = factory.root / f".{secret}.token"
        token.write_text(secret, "utf-8")
        try:
            yield Files(token, secret if self.settings.ray.files == "auto" else "")
        finally:
            token.unlink(missing_ok=True)

    def _fill(self, call: _Call, wanted: int, dispatcher: Dispatcher) -> None:
        """Start workers, those of an earlier call first, until there are as many as are of use."""
        while len(self._workers) < min(wanted, dispatcher.left):
            worker = self._pool.pop() if self._pool else self._started(self._need)
            worker.heard = NEVER  # it may have to wait for its place
            self._begin(worker, call)
            self._workers.append(worker)

    def _begin(self, worker: _Worker, call: _Call) -> None:
        worker.stream = worker.actor.begin.remote(call.factory, call.threads, call.files)

    def _started(self, need: Need) -> _Worker:
        kind = self._ray.remote(
            num_cpus=need.cpus, num_gpus=need.gpus, memory=need.memory or None, max_restarts=0
        )(RayWorker)
        self._count += 1
        return _Worker(self._count, NEVER, actor=kind.remote())

    def _ready(self) -> list[_Worker]:
        """Wait until some worker has something to say, or ran out of patience."""
        streams = [worker.stream for worker in self._workers if worker.stream is not None]
        if not streams:
            return []
        first, _ = self._ray.wait(streams, num_returns=1, timeout=1.0)
        if first:
            first, _ = self._ray.wait(streams, num_returns=len(streams), timeout=0)
        heard = {id(stream) for stream in first}
        patience = self.settings.patience_seconds
        return [w for w in list(self._workers) if id(w.stream) in heard or w.silent(patience)]

    def _serve(
        self,
        worker: _Worker,
        call: _Call,
        dispatcher: Dispatcher,
        on_progress: Progress | None,
    ) -> Outcome | None:
        """Take one message of a worker, or note its death or silence."""
        if worker.silent(self.settings.patience_seconds):
            reason = f"no sign of life for {self.settings.patience_seconds:.0f} seconds"
            return self._bury(worker, dispatcher, reason, excused=False)
        try:
            message = self._ray.get(next(worker.stream))
        except (self._ray.exceptions.RayError, StopIteration) as error:
            excused = self._machine_lost(worker, error)
            reason = "its machine was lost" if excused else "its process ended"
            return self._bury(worker, dispatcher, reason, excused)
        worker.heard = time.monotonic()
        kind, *content = message
        if kind == "here":
            (worker.node,) = content
        elif kind == "lacks":
            call.pack_files(self._ray.put)
            self._begin(worker, call)
        elif kind == "progress":
            if on_progress is not None and worker.job is not None:
                on_progress(worker.job, *content)
        elif kind == "broken":
            worker.gone = True
            self._dismiss([worker])
            dispatcher.refuse_start(content[0])
        else:
            return self._conclude(worker, call, dispatcher, kind, content)
        return None

    def _conclude(
        self, worker: _Worker, call: _Call, dispatcher: Dispatcher, kind: str, content: list[Any]
    ) -> Outcome | None:
        outcome = None
        if kind == "done":
            result, parcel = content
            if parcel is not None:
                assert isinstance(call.factory, PortableFactory)  # only these have files
                unpack(parcel, call.factory.root)
            outcome = dispatcher.conclude(worker, result, None)
        elif kind in ("error", "refused"):
            outcome = dispatcher.conclude(worker, None, content[0], refused=kind == "refused")
        else:
            dispatcher.note_start()
        worker.stream = None
        self._hand_out(worker, dispatcher)
        return outcome

    def _hand_out(self, worker: _Worker, dispatcher: Dispatcher) -> None:
        job = dispatcher.hand_out(worker)
        if job is not None:
            worker.stream = worker.actor.work.remote(job.payload)

    def _bury(
        self, worker: _Worker, dispatcher: Dispatcher, reason: str, excused: bool
    ) -> Outcome | None:
        """Make sure that a silent or dead worker is gone, and see to its job."""
        worker.gone = True
        self._dismiss([worker])
        if worker.job is None:
            if not excused:
                dispatcher.refuse_start(f"{reason} while it was starting")
            return None
        return dispatcher.conclude(worker, None, f"worker lost: {reason}", excused)

    def _machine_lost(self, worker: _Worker, error: Exception) -> bool:
        """Return whether a worker ended because its machine did.

        A machine that lives reports that a process of it died. Of one that is gone Ray knows for
        some seconds only that it does not answer.
        """
        unavailable = isinstance(error, self._ray.exceptions.ActorUnavailableError)
        if unavailable or getattr(error, "preempted", False):
            return True
        return bool(worker.node) and worker.node not in self._cluster.machines()

    def _wake_idle(self, dispatcher: Dispatcher) -> None:
        for worker in self._workers:
            if worker.idle and dispatcher.waiting:
                self._hand_out(worker, dispatcher)

    def _look_at_pool(self, need: Need) -> None:
        """Give back the places of an earlier call's workers if these are of another size."""
        if need != self._need:
            self._dismiss(self._pool)
            self._pool = []
        self._need = need

    def _return_to_pool(self) -> None:
        """Keep the workers that have nothing to do, and end the others."""
        self._pool += [worker for worker in self._workers if worker.idle]
        self._dismiss([worker for worker in self._workers if not worker.idle])
        self._workers = []

    def _dismiss(self, workers: Sequence[_Worker]) -> None:
        for worker in workers:
            with contextlib.suppress(Exception):  # it, or its machine, may be gone already
                self._ray.kill(worker.actor, no_restart=True)
