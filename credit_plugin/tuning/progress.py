"""Progress of a search: trials that are done, and the part of the one that is being tried."""

import time
from collections.abc import Callable

from credit_plugin.progress import ProgressDisplay

BEAT_SECONDS = 30.0


class TrialDisplay(ProgressDisplay):
    """Shows what a trial's coalitions report as a part of one trial of a whole search.

    Args:
        outer: Shows the search.
        evaluations: Coalitions of a trial.
    """

    def __init__(self, outer: ProgressDisplay, evaluations: int) -> None:
        super().__init__(quiet=True)
        self.outer, self.evaluations = outer, evaluations
        self.done, self._counts, self._closed = 0, False, False
        self.beat: Callable[[], None] = _no_trial
        self._last_beat = time.monotonic()

    def phase(self, name: str, total: int, done: float = 0, unit: str = "steps") -> None:
        """Count what is evaluated; models are made in between."""
        self._counts = unit == "evaluations"

    def update(self, done: float) -> None:
        """Show how much of the trial is done, and give a sign of life now and then."""
        if time.monotonic() - self._last_beat > BEAT_SECONDS:
            self._last_beat = time.monotonic()
            self.beat()
        if self._closed:
            return
        part = min(done / self.evaluations, 1.0) if self._counts else 0.0
        self.outer.update(self.done + part)

    def close(self) -> None:
        """Show nothing any more: all trials are done."""
        self._closed, self.beat = True, _no_trial

    def finish(self) -> None:
        """Leave the outer phase open."""

    def note(self, text: str) -> None:
        """Print a line of its own."""
        self.outer.note(text)


def _no_trial() -> None:
    """Give no sign of life: no trial is being tried."""
