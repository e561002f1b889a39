"""Ends a process that no Python code can save: one thread holds the interpreter and keeps it.

No thread of ours runs then, the supervisor's least of all. The clock that ends the process runs
in C (faulthandler); whoever feeds it proves that Python still works.
"""

import faulthandler
import time
from pathlib import Path


class Watchdog:
    """Once fed, must be fed again within `patience_s`, or the process ends with exit code 1.

    What every thread did is then in the file.
    """

    def __init__(self, file: Path, patience_s: float) -> None:
        """Wait for the first feeding.

        Args:
            file: takes the stacks of all threads, appended.
            patience_s: real seconds.
        """
        self._out = file.open("a")
        self._patience_s = patience_s
        self._fed_s: float | None = None
        self._is_last = False

    def feed(self) -> None:
        """Begin to wait anew; cheap enough for every turn of a loop."""
        now_s = time.monotonic()
        is_early = self._fed_s is not None and now_s - self._fed_s < self._patience_s / 8
        if not self._is_last and not is_early:
            self._fed_s = now_s
            faulthandler.dump_traceback_later(self._patience_s, exit=True, file=self._out)

    def feed_for_the_last_time(self, patience_s: float) -> None:
        """Let the process end by itself in a time, or be ended: its orderly stop has begun."""
        self._is_last = True
        faulthandler.dump_traceback_later(patience_s, exit=True, file=self._out)
