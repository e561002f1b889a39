"""Reads single keys from the terminal that the process was started from."""

import os
import select
import signal
import sys
import termios
import time
import tty
from types import TracebackType
from typing import Any, Self

TAB, ESCAPE = "\t", "\x1b"
_LONGEST = 4096
"""Bytes read at once: pasted text must not be read in parts."""
_TYPED = 4
"""Most keys that a user can press while the screen is drawn."""


class Keyboard:
    """Reads keys as they are pressed; Ctrl-C and other signals keep working.

    Without a terminal, and while the process is in the background, there are no keys.
    """

    def __init__(self) -> None:
        """Find the terminal; nothing is changed yet."""
        self._file = _terminal()
        self._before: list[Any] | None = None
        self._signals: dict[int, Any] = {}

    @property
    def is_there(self) -> bool:
        """Tell whether keys can be read."""
        return self._file is not None

    def __enter__(self) -> Self:
        """Switch to single keys without echo."""
        if self._file is None:
            return self
        # Either would stop the whole process, and trading with it, once it is in the background.
        for number in (signal.SIGTTOU, signal.SIGTTIN):
            self._signals[number] = signal.signal(number, signal.SIG_IGN)
        if self.is_in_front():
            self._take()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Restore the terminal."""
        try:
            if self._file is not None and self._before is not None and self.is_in_front():
                termios.tcsetattr(self._file, termios.TCSADRAIN, self._before)
        except (OSError, termios.error):
            pass  # the terminal is gone, so there is nothing to restore
        for number, handler in self._signals.items():
            signal.signal(number, handler)

    def is_in_front(self) -> bool:
        """Tell whether this process is in the foreground."""
        try:
            return self._file is not None and os.tcgetpgrp(self._file) == os.getpgrp()
        except OSError:
            return False

    def read(self, timeout_s: float) -> str:
        """Return the next keys in order; empty: none were pressed in time.

        An escape sequence, of an arrow key or pasted text, counts as ESCAPE. Many keys at once were
        pasted into a terminal that does not mark that: they are ignored.
        """
        if self._file is None or not self.is_in_front():
            time.sleep(timeout_s)
            return ""
        try:
            if self._before is None:
                self._take()
            if not select.select([self._file], [], [], timeout_s)[0]:
                return ""
            found = os.read(self._file, _LONGEST)
        except (OSError, termios.error):
            found = b""
        if not found:  # the terminal is gone
            self._file = None
            return ""
        text = found.decode(errors="replace")
        if ESCAPE in text:
            return ESCAPE
        return text if len(text) <= _TYPED else ""

    def _take(self) -> None:
        if self._file is not None:
            self._before = termios.tcgetattr(self._file)
            tty.setcbreak(self._file, termios.TCSADRAIN)


def _terminal() -> int | None:
    try:
        file = sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):
        return None
    return file if os.isatty(file) else None
