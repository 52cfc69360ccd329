"""Engine ``stacked``: several coalitions at once in each worker of another engine.

Small networks leave a GPU idle; a stack of them does not (:mod:`credit_plugin.diffusion.stacked`).
Jobs that can be done together are handed out in groups, as many at once as the worker says that its
memory holds, or fewer where workers would have nothing to do. Whatever cannot be stacked is run one
by one, with a line in the log that says why; so is every job of a group that failed, so that one
bad coalition costs its neighbours nothing but time.
"""

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from credit_plugin.config import ExecutionSettings
from credit_plugin.execution.engine import (
    ENGINES,
    Engine,
    Job,
    JoiningFactory,
    Outcome,
    RunnerFactory,
    register_engine,
)

logger = logging.getLogger(__name__)

Progress = Callable[[Job, int, int], None]


@register_engine("stacked")
class StackedEngine(Engine):
    """Runs groups of jobs in the workers of another engine.

    Args:
        settings: Of that engine, and of the stacks.
    """

    def __init__(self, settings: ExecutionSettings) -> None:
        super().__init__(settings)
        self._engine: Engine = ENGINES.get(settings.stack.over, "execution.stack.over")(settings)
        self._known: tuple[RunnerFactory, int] | None = None

    def close(self) -> None:
        """Close the engine whose workers train stacks."""
        self._engine.close()

    def warm_up(self) -> None:
        """Start what takes time before the first job is known."""
        self._engine.warm_up()

    def workers(self, threads: int | None = None) -> int:
        """Return how many groups run at once."""
        return self._engine.workers(threads)

    def run(
        self,
        factory: RunnerFactory,
        jobs: Sequence[Job],
        on_progress: Progress | None = None,
        workers: int | None = None,
        threads: int | None = None,
    ) -> Iterator[Outcome]:
        """Yield one outcome for each job, in order of completion (see ``Engine.run``)."""
        run = partial(self._engine.run, factory, workers=workers, threads=threads)
        left = list(jobs)
        if isinstance(factory, JoiningFactory):
            joinable = [job for job in jobs if factory.joinable(job.payload)]
            size = self._size(factory, len(joinable), workers or self.workers(threads), threads)
            if size > 1:
                left = [job for job in jobs if not factory.joinable(job.payload)]
                yield from _in_groups(factory, joinable, size, run, on_progress, left)
        if left:
            yield from run(left, on_progress)

    def _size(self, factory: JoiningFactory, count: int, workers: int, threads: int | None) -> int:
        """Return how many jobs go into a group: what fits, and every worker as many groups."""
        share = math.ceil(count / max(1, workers))
        if share <= 1:
            return 1
        return math.ceil(share / math.ceil(share / self._fitting(factory, threads)))

    def _fitting(self, factory: JoiningFactory, threads: int | None) -> int:
        if self.settings.stack.size:
            return self.settings.stack.size
        if self._known is None or self._known[0] is not factory:
            asked = [Job("capacity", factory.capacity())]
            (outcome,) = self._engine.run(factory, asked, workers=1, threads=threads)
            found = outcome.result or {"size": 1, "reason": outcome.error}
            if found["size"] == 1:
                reason = found["reason"] or "the memory holds one"
                logger.warning("coalitions are trained one at a time: %s", reason)
            self._known = factory, int(found["size"])
        return self._known[1]


def _in_groups(
    factory: JoiningFactory,
    jobs: Sequence[Job],
    size: int,
    run: Callable[..., Iterator[Outcome]],
    on_progress: Progress | None,
    left: list[Job],
) -> Iterator[Outcome]:
    """Yield the outcomes of jobs that succeeded in groups, and add the others to ``left``."""
    members = {jobs[i].key: jobs[i : i + size] for i in range(0, len(jobs), size)}
    groups = [
        Job(key, factory.joined([job.payload for job in some])) for key, some in members.items()
    ]

    def progress(group: Job, done: int, total: int) -> None:
        if on_progress is not None:
            for job in members[group.key]:
                on_progress(job, done, total)

    for outcome in run(groups, progress):
        some = members[outcome.job.key]
        if outcome.error is not None:
            logger.warning("%d coalitions are tried one at a time: %s", len(some), outcome.error)
        found = outcome.result or [{"error": outcome.error}] * len(some)
        for job, one in zip(some, found, strict=True):
            if "result" in one:
                yield replace(outcome, job=job, result=one["result"])
            else:
                left.append(job)
