"""Who does which job: what every engine keeps account of, whatever its workers are.

Jobs wait in a queue; a worker's *seat* holds the one that it has. A job whose worker was lost, or
that raised, goes back to the front of the queue until it was tried often enough. One whose input
cannot be used is not tried again.
"""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from credit_plugin.errors import StudyFailedError
from credit_plugin.execution.engine import Job, Outcome

STARTS_BEFORE_GIVING_UP = 3
LOSSES_BEFORE_COUNTING = 20
"""Machines that a job may lose without that being held against it."""

NEVER = float("inf")


@dataclass
class Seat:
    """A worker as the dispatcher sees it.

    Attributes:
        number: Of the worker.
        heard: When it was last heard of, as ``time.monotonic``; NEVER if nothing is expected.
        job: What it does.
        started: Unix time at which it got the job.
        gone: Whether it will not be heard of again.
    """

    number: int
    heard: float
    job: Job | None = None
    started: float = 0.0
    gone: bool = False

    @property
    def idle(self) -> bool:
        """Whether it is ready and has nothing to do."""
        return self.job is None and self.heard == NEVER and not self.gone

    def silent(self, patience: float) -> bool:
        """Return whether it should have been heard of by now."""
        return time.monotonic() - self.heard > patience


class Dispatcher:
    """The jobs of one call of an engine.

    Args:
        jobs: What to run.
        attempts: Tries before a job is given up.
    """

    def __init__(self, jobs: Sequence[Job], attempts: int) -> None:
        self.attempts, self.left = attempts, len(jobs)
        self._waiting = deque(jobs)
        self._tries: dict[str, int] = {}
        self._losses: dict[str, int] = {}
        self._failed_starts = 0

    @property
    def waiting(self) -> int:
        """Jobs that nobody has."""
        return len(self._waiting)

    def hand_out(self, seat: Seat) -> Job | None:
        """Give a seat the next job, or note that it has nothing to do."""
        if not self._waiting:
            seat.job, seat.heard = None, NEVER
            return None
        seat.job, seat.started, seat.heard = self._waiting.popleft(), time.time(), time.monotonic()
        return seat.job

    def take_back(self, seat: Seat) -> None:
        """Put back a job that its worker never began."""
        if seat.job is not None:
            self._waiting.appendleft(seat.job)
        seat.job, seat.heard = None, NEVER

    def conclude(
        self,
        seat: Seat,
        result: object,
        error: str | None,
        excused: bool = False,
        refused: bool = False,
    ) -> Outcome | None:
        """Return the outcome of a seat's job, or put the job back to be tried again.

        Args:
            seat: Whose job ended.
            result: What it returned.
            error: Why it failed, if it did.
            excused: Whether the machine was lost under it, which says nothing of the job.
            refused: Whether its input cannot be used, which no other try would change.
        """
        job, seat.job = seat.job, None
        if job is None:
            return None
        if error is not None and excused:
            self._losses[job.key] = self._losses.get(job.key, 0) + 1
            if self._losses[job.key] <= LOSSES_BEFORE_COUNTING:
                self._waiting.appendleft(job)
                return None
        tries = self._tries[job.key] = self._tries.get(job.key, 0) + 1
        if error is not None and tries < self.attempts and not refused:
            self._waiting.appendleft(job)
            return None
        self.left -= 1
        return Outcome(job, result, error, tries, seat.number, seat.started, time.time(), refused)

    def note_start(self) -> None:
        """Note that a worker is ready."""
        self._failed_starts = 0

    def refuse_start(self, reason: str) -> None:
        """Note that a worker could not start.

        Raises:
            StudyFailedError: If too many in a row could not.
        """
        self._failed_starts += 1
        if self._failed_starts >= STARTS_BEFORE_GIVING_UP:
            raise StudyFailedError(f"workers cannot start: {reason}")
