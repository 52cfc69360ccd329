"""Signs of progress and of life that work gives while it goes on.

Whoever does a part of some work reports on that part; these functions make of it what is said of
the whole. A worker that says nothing for ``execution.patience_seconds`` is taken as hung.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Report = Callable[[int, int], None]
"""Called with (work done, work in all)."""

BEAT_SECONDS = 1.0
"""Between two beats of :func:`heartbeat`."""

LONGEST_SECONDS = 3600.0
"""For how long a heartbeat speaks for work: what goes on without a word for longer may be hung."""


def shifted(report: Report, before: int, total: int) -> Report:
    """Return the report of a part that begins when so much of the whole is done."""
    return lambda done, _: report(before + done, total)


def standing(report: Report, done: int, total: int) -> Report:
    """Return a report whose every call says the same: work that is no part of the progress."""
    return lambda *_: report(done, total)


@contextmanager
def heartbeat(beat: Callable[[], None]) -> Iterator[None]:
    """Call a function from a thread, again and again, while a block does what cannot report.

    The block itself must not report meanwhile: workers send through one pipe.

    Args:
        beat: Reports.
    """
    ended, until = threading.Event(), time.monotonic() + LONGEST_SECONDS

    def go_on() -> None:
        while not ended.wait(BEAT_SECONDS) and time.monotonic() < until:
            try:
                beat()
            except BaseException:  # noqa: BLE001 - whoever is told next meets it in the main thread
                return

    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
