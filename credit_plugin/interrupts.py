"""Ctrl-C and SIGTERM end a command, also where Python loses them.

Python raises ``KeyboardInterrupt`` wherever the main thread happens to be. In a finalizer or in the
callback of a weak reference, of which the libraries beneath have thousands, it is printed as
"Exception ignored" and the work goes on. So it is remembered here, and raised again at the next
sign of progress.
"""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

_asked = False


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM raise ``KeyboardInterrupt`` until it arrives; for the main thread.

    A command that was started deaf to Ctrl-C, as shells start those in the background, stays so.
    """
    global _asked
    _asked = False
    deaf = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    numbers = [signal.SIGTERM] if deaf else [signal.SIGTERM, signal.SIGINT]
    before = {number: signal.signal(number, _interrupt) for number in numbers}
    show = sys.unraisablehook
    sys.unraisablehook = lambda lost: None if _is_lost(lost) else show(lost)
    try:
        yield
    finally:
        sys.unraisablehook = show
        for number, handler in before.items():
            signal.signal(number, handler)


def raise_if_interrupted() -> None:
    """Raise an interruption that was asked for and lost.

    Raises:
        KeyboardInterrupt: If one was.
    """
    if _asked:
        raise KeyboardInterrupt


def _interrupt(signum: int, frame: Any) -> NoReturn:
    global _asked
    _asked = True
    raise KeyboardInterrupt


def _is_lost(report: Any) -> bool:
    """Return whether Python reports the interruption that is raised again."""
    return _asked and report.exc_type is KeyboardInterrupt
