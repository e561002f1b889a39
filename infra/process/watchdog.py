"""Ends a process that no Python code can save: one thread holds the interpreter and keeps it.

No thread of ours runs then, the supervisor's least of all. The clock that ends the process runs
in C (faulthandler); whoever feeds it proves that Python still works.
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

    def end_within(self, seconds: float, code: int) -> None:
        """Let the process end in a time with a code, though what it waits for hangs.

        Its orderly stop has begun: what must be kept was stored before it was told. Where no
        Python runs by then, the process ends a little later, with exit code 1.
        """
        self._is_last = True
        timer = threading.Timer(seconds, self._end, (code,))
        timer.daemon = True
        timer.start()
        faulthandler.dump_traceback_later(seconds + _GRACE_S, exit=True, file=self._out)

    @contextmanager
    def ending_in_time(self, seconds: float, code: int) -> Iterator[None]:
        """End the process in its time after an interruption, whatever has to be closed then."""
        try:
            yield
        except KeyboardInterrupt:
            self.end_within(seconds, code)
            raise

    def _end(self, code: int) -> None:
        # No line of the log: whatever takes it may be what hangs.
        faulthandler.dump_traceback(self._out)
        os._exit(code)
