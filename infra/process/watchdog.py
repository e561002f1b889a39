"""Ends a process that no Python code can save: one thread holds the interpreter's lock for good.

Then no other Python thread runs, not even the supervisor's. The timer that ends the process runs in
C (faulthandler); feeding it proves that Python still works.
"""

import faulthandler
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_GRACE_S = 5.0


class Watchdog:
    """Once fed, must be fed again within `patience_s`, or the process ends with exit code 1.

    The stacks of all threads are then in the file.
    """

    def __init__(self, file: Path, patience_s: float) -> None:
        """Prepare the watchdog; it starts with the first feeding.

        Args:
            file: takes the stacks of all threads, appended.
            patience_s: real seconds.
        """
        self._out = file.open("a")
        self._patience_s = patience_s
        self._fed_s: float | None = None
        self._is_last = False

    def feed(self) -> None:
        """Restart the timer; cheap enough for every turn of a loop."""
        now_s = time.monotonic()
        is_early = self._fed_s is not None and now_s - self._fed_s < self._patience_s / 8
        if not self._is_last and not is_early:
            self._fed_s = now_s
            faulthandler.dump_traceback_later(self._patience_s, exit=True, file=self._out)

    def end_within(self, seconds: float, code: int) -> None:
        """Make the process end within a time with an exit code, even if something hangs.

        Its orderly stop has begun: everything important was stored before it was reported. If no
        Python runs by then, the process ends a little later, with exit code 1.
        """
        self._is_last = True
        timer = threading.Timer(seconds, self._end, (code,))
        timer.daemon = True
        timer.start()
        faulthandler.dump_traceback_later(seconds + _GRACE_S, exit=True, file=self._out)

    @contextmanager
    def ending_in_time(self, seconds: float, code: int) -> Iterator[None]:
        """Make the process end in time after an interruption, whatever still has to be closed."""
        try:
            yield
        except KeyboardInterrupt:
            self.end_within(seconds, code)
            raise

    def _end(self, code: int) -> None:
        # Not logged: the log sink may be what hangs.
        faulthandler.dump_traceback(self._out)
        os._exit(code)
