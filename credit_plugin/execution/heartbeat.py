"""Signs of life during work that cannot report any itself, such as a function of the user's own."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

BEAT_SECONDS = 1.0
"""Between two calls."""


@contextmanager
def heartbeat(beat: Callable[[], None]) -> Iterator[None]:
    """Call a function from a thread, again and again, until the block ends.

    The block itself must not report meanwhile: workers send through one pipe.

    Args:
        beat: Reports.
    """
    ended = threading.Event()

    def go_on() -> None:
        while not ended.wait(BEAT_SECONDS):
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
