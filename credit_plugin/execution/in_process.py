"""Jobs in the process that calls: what an engine without workers of its own is made of.

:func:`start` loads what jobs share, :func:`attempt` runs one of them. Errors are told and counted
as those of workers are (:mod:`dispatch`); a job that hangs or ends the process is not survived.
"""

import os
from collections.abc import Callable
from functools import partial

from credit_plugin.errors import StudyFailedError
from credit_plugin.execution.dispatch import Dispatcher, Seat
from credit_plugin.execution.engine import Job, Outcome, Runner, RunnerFactory
from credit_plugin.execution.worker_process import describe, failure, limit_threads


def start(factory: RunnerFactory, device: str, threads: int) -> Runner:
    """Return the runner of a factory.

    Args:
        factory: Makes the runner.
        device: Handed to the factory.
        threads: CPU threads for numerical libraries.

    Raises:
        StudyFailedError: If the factory cannot make one.
    """
    limit_threads(threads)
    try:
        return factory(device)
    except Exception as error:
        raise StudyFailedError(f"workers cannot start: {describe(error)}") from error


def attempt(
    runner: Runner,
    job: Job,
    attempts: int,
    on_progress: Callable[[Job, int, int], None] | None = None,
) -> Outcome:
    """Run a job until it succeeds, at most so many times, and return what became of it."""
    dispatcher, seat, outcome = Dispatcher([job], attempts), Seat(0, 0.0), None
    report = partial(on_progress, job) if on_progress else lambda done, total: None
    while outcome is None:
        dispatcher.hand_out(seat)
        try:
            outcome = dispatcher.conclude(seat, runner(job.payload, report), None)
        except Exception as raised:  # noqa: BLE001 - it is told once the tries are used up
            kind, error = failure(raised)
            outcome = dispatcher.conclude(seat, None, error, refused=kind == "refused")
    return outcome


def local_devices() -> list[str]:
    """Return one device of this machine for each worker that makes sense here."""
    import torch

    gpus = torch.cuda.device_count()
    if gpus:
        return [f"cuda:{i}" for i in range(gpus)]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return ["cpu"] * max(1, cores or 1)
