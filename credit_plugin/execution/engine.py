"""What an execution engine is: it runs jobs somewhere and hands back one outcome for each.

An engine knows nothing of diffusion or games. It is given a picklable *factory*, which every
worker calls once to load what its jobs share, and *jobs*, plain data with a key. It retries what
fails, gives up after a number of attempts, and yields outcomes in the order in which they finish.
A factory may offer more: jobs that can be done together (:class:`JoiningFactory`), or files that
can be brought to machines which do not have them (:class:`PortableFactory`). A new engine is one
new module in this folder; :mod:`dispatch` keeps account of tries for it, :mod:`in_process` runs
jobs where there are no workers.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable

from credit_plugin.config import ExecutionSettings
from credit_plugin.registry import Registry

Runner = Callable[[Mapping[str, Any], Callable[[int, int], None]], Any]
"""(payload, report(done, total)) -> result; reports are signs of life as well."""

RunnerFactory = Callable[[str], Runner]
"""(device) -> runner; picklable, called once in every worker."""


@runtime_checkable
class JoiningFactory(Protocol):
    """A factory some of whose jobs can be done together, for less than they cost one by one."""

    def __call__(self, device: str) -> Runner:
        """Return a runner, as every factory does."""

    def joinable(self, payload: Mapping[str, Any]) -> bool:
        """Return whether a job can be done together with others."""

    def joined(self, payloads: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return one job that does several.

        Its result is a list with, for each of them, a mapping with ``result`` or ``error``.
        """

    def capacity(self) -> Mapping[str, Any]:
        """Return the job that finds out how many can be done together.

        Its result is a mapping with ``size`` and, if that is 1, ``reason``.
        """


@runtime_checkable
class PortableFactory(Protocol):
    """A factory whose runners read and write files under one folder, which may be moved.

    Attributes:
        root: The folder.
    """

    root: Path

    def __call__(self, device: str) -> Runner:
        """Return a runner, as every factory does."""

    def inputs(self) -> Sequence[Path]:
        """Return what runners read: files and folders under the root that exist."""

    def moved(self, root: Path) -> "RunnerFactory":
        """Return the factory for a copy of the folder somewhere else."""


@dataclass(frozen=True)
class Job:
    """Something to run.

    Attributes:
        key: Identifies the job among those of one call.
        payload: Plain data for the runner; says nothing about where it runs.
    """

    key: str
    payload: Mapping[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        job: The job.
        result: What the runner returned, or None.
        error: Why it was given up, or None.
        attempts: Tries that it took.
        worker: Number of the worker that finished it.
        started: Unix time at which the last try began.
        finished: Unix time at which it ended.
        refused: Whether the error is an ``InputError``: trying again would not help.
    """

    job: Job
    result: Any
    error: str | None
    attempts: int
    worker: int
    started: float
    finished: float
    refused: bool = False


class Engine(ABC):
    """Runs jobs; used as a context manager.

    Args:
        settings: Workers, threads, attempts, and what else the engine reads of them.
    """

    def __init__(self, settings: ExecutionSettings) -> None:
        self.settings = settings

    def __enter__(self) -> Self:
        """Return the engine."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the engine, however the block ended."""
        self.close()

    def close(self) -> None:  # noqa: B027 - an engine that starts nothing has nothing to stop
        """Stop everything that still runs."""

    def warm_up(self) -> None:  # noqa: B027
        """Start what takes time before the first job is known."""

    @abstractmethod
    def workers(self, threads: int | None = None) -> int:
        """Return how many jobs run at once.

        Args:
            threads: CPU threads of each worker; from the settings by default.
        """

    @abstractmethod
    def run(
        self,
        factory: RunnerFactory,
        jobs: Sequence[Job],
        on_progress: Callable[[Job, int, int], None] | None = None,
        workers: int | None = None,
        threads: int | None = None,
    ) -> Iterator[Outcome]:
        """Yield one outcome for each job, in order of completion.

        Args:
            factory: Called once in every worker.
            jobs: What to run.
            on_progress: Called with (job, done, total) while jobs run.
            workers: Jobs at once; from the settings by default.
            threads: CPU threads of each worker; from the settings by default.

        Raises:
            StudyFailedError: If workers cannot even start.
        """


ENGINES: Registry[Callable[[ExecutionSettings], Engine]] = Registry(
    "credit_plugin.execution", "credit_plugin.engines", "an engine"
)
register_engine = ENGINES.register


def create_engine(settings: ExecutionSettings) -> Engine:
    """Return the engine that ``settings.engine`` names.

    Raises:
        InputError: If it is not registered.
    """
    return ENGINES.get(settings.engine, "execution.engine")(settings)
