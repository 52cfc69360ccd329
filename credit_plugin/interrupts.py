"""Ctrl-C and SIGTERM end a command, also where Python loses them.

Python raises ``KeyboardInterrupt`` wherever the main thread happens to be. In a finalizer or in the
callback of a weak reference, of which the libraries beneath have thousands, it is printed as
"Exception ignored" and the work goes on. So it is remembered here, and raised again at the next
sign of progress. In the middle of a transaction it would leave a database locked for whoever wants
to write that the work ended (sqlite keeps the lock while the traceback holds the cursor): there it
waits.
"""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

_asked = False
_waiting = False  # whether an interruption would have to wait


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
        _asked = False  # whatever this process does next was not asked to end


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let a step come to its end before Ctrl-C or SIGTERM is heard; a second one is heard at once.

    Also a decorator; steps within a step are part of it. Whatever answers a signal where it is
    called, a notebook's handler among them, answers it afterwards, also if the step failed. In
    other threads than the main one, which hear no signals, nothing changes.
    """
    global _waiting
    if _waiting or threading.current_thread() is not threading.main_thread():
        yield
        return
    heard: list[int] = []
    answers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    before: dict[int, Any] = {n: answer for n, answer in answers.items() if callable(answer)}

    def put_off(signum: int, frame: Any) -> None:
        heard.append(signum)
        if len(heard) > 1:
            before[signum](signum, frame)

    try:
        for number in before:
            signal.signal(number, put_off)
        _waiting = True
        yield
    finally:
        _waiting = False
        for number, answer in reversed(before.items()):
            signal.signal(number, answer)
        if len(heard) == 1:
            before[heard[0]](heard[0], None)


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
