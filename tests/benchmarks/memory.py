"""What this process and those that it starts hold of the memory, looked at every two seconds.

A look takes tens of milliseconds for each process: more of them would slow what is measured.
"""

import threading

import psutil

EVERY_SECONDS = 2.0


class MemoryWatch(threading.Thread):
    """Watches until ``over`` is set.

    Attributes:
        together: Largest sum over all processes, in bytes; what they share counts once.
        largest: Most that one of the processes that were started held, in bytes.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.together, self.largest, self.over = 0, 0, threading.Event()

    def run(self) -> None:
        """Look again and again."""
        while not self.over.wait(EVERY_SECONDS):
            own = psutil.Process()
            held = own.memory_full_info().pss
            for child in own.children(recursive=True):
                try:
                    found = child.memory_full_info()
                except psutil.Error:  # it has ended
                    continue
                held += found.pss
                self.largest = max(self.largest, found.rss)
            self.together = max(self.together, held)
