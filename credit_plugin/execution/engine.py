"""What an execution engine is: it runs jobs somewhere and hands back one outcome for each.

An engine knows nothing of diffusion or games. It is given a picklable *factory*, which every
worker calls once to load what its jobs share, and *jobs*, plain data with a key. It retries what
fails, gives up after a number of attempts, and yields outcomes in the order in which they finish.
A new engine is one new module in this folder.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

from credit_plugin.config import ExecutionSettings
from credit_plugin.registry import Registry

Runner = Callable[[Mapping[str, Any], Callable[[int, int], None]], Any]
"""(payload, report(done, total)) -> result; reports are signs of life as well."""

RunnerFactory = Callable[[str], Runner]
"""(device) -> runner; picklable, called once in every worker."""


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
    """

    job: Job
    result: Any
    error: str | None
    attempts: int
    worker: int
    started: float
    finished: float


class Engine(Protocol):
    """Runs jobs; used as a context manager."""

    def __enter__(self) -> "Engine":
        """Return the engine."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop everything that still runs."""

    def warm_up(self) -> None:
        """Start what takes time before the first job is known."""

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
