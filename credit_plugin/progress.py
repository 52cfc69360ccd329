"""Progress of long work: a live bar on a terminal, a line now and then elsewhere.

Both say the phase, how much is done, and how much time is left. In a log (``mlflow run`` into a
file, CI) a line is printed when a phase starts, every ``LINE_SECONDS`` and when it ends. A notebook
has one line for each phase, which is written anew.
"""

import time
from collections import deque
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from credit_plugin.interrupts import raise_if_interrupted

LINE_SECONDS = 10.0
NOTEBOOK_SECONDS = 1.0


class ProgressDisplay:
    """Shows one phase at a time; use it as a context manager.

    Args:
        console: Where to show it; standard error by default.
        quiet: Show nothing at all.
    """

    def __init__(self, console: Console | None = None, quiet: bool = False) -> None:
        self.console = console or Console(stderr=True, quiet=quiet, highlight=False)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._cell: Any = None  # where a notebook shows the phase
        self._every = NOTEBOOK_SECONDS if self.console.is_jupyter else LINE_SECONDS
        self._name, self._total, self._unit = "", 1.0, ""
        self._started = self._printed = 0.0
        self._marks = deque([(0.0, 0.0)])  # (seconds, units done) when lines were printed

    def __enter__(self) -> "ProgressDisplay":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop_bar()

    def phase(self, name: str, total: int, done: float = 0, unit: str = "steps") -> None:
        """Start a phase of ``total`` units of which ``done`` were done before."""
        self._stop_bar()
        self._name, self._total, self._unit = name, float(max(total, 1)), unit
        self._started = self._printed = time.monotonic()
        self._marks = deque([(0.0, float(done))])
        self._cell = None
        if self._has_bars:
            self._bar = Progress(
                TextColumn("{task.description:<14}"),
                BarColumn(bar_width=32),
                MofNCompleteColumn(),
                TextColumn(unit),
                TimeElapsedColumn(),
                TextColumn("passed,"),
                TimeRemainingColumn(),
                TextColumn("left"),
                console=self.console,
            )
            self._bar.start()
            self._task = self._bar.add_task(name, total=total, completed=int(done))
        else:
            already = f", {done:.0f} done before" if done else ""
            self._say(f"{name}: {total} {unit}{already}")

    def update(self, done: float) -> None:
        """Say that ``done`` units of the current phase are done; fractions count.

        Raises:
            KeyboardInterrupt: If the command was told to end, and Python lost that.
        """
        raise_if_interrupted()
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=round(done, 1))
        elif time.monotonic() - self._printed >= self._every:
            self._printed = time.monotonic()
            self._say(self._line(done))

    def finish(self) -> None:
        """Say that the current phase is complete."""
        self.update(self._total)
        self._stop_bar()
        if not self._has_bars:
            self._say(f"{self._name}: done in {_clock(self._elapsed)}")

    def note(self, text: str) -> None:
        """Print a line of its own, above the bar."""
        console = self._bar.console if self._bar is not None else self.console
        console.print(text, markup=False, soft_wrap=True)

    @property
    def _has_bars(self) -> bool:
        return self.console.is_terminal and not self.console.is_jupyter

    @property
    def _elapsed(self) -> float:
        return time.monotonic() - self._started

    def _say(self, text: str) -> None:
        if not self.console.is_jupyter:
            self.console.print(text)
        elif not self.console.quiet:
            from IPython.display import display

            shown = {"text/plain": text}
            if self._cell is None:
                self._cell = display(shown, raw=True, display_id=True)
            else:
                self._cell.update(shown, raw=True)

    def _line(self, done: float) -> str:
        share, seconds = done / self._total, self._elapsed
        # the newer half of the time tells: a phase may have parts whose units cost more than others
        while len(self._marks) > 1 and self._marks[1][0] <= seconds / 2:
            self._marks.popleft()
        since, before = self._marks[0]
        made = done - before
        left = _clock((seconds - since) / made * (self._total - done)) if made > 0 else "?"
        self._marks.append((seconds, done))
        return f"{self._name}: {done:.0f}/{self._total:.0f} {self._unit}, {share:.0%}, {left} left"

    def _stop_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
