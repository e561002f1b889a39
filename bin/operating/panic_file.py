"""The file PANIC: a panic that needs nobody to listen, nor anybody to live on.

Whoever makes the file in the run directory has asked for a panic. It is taken away once the
portfolio has stored that; until then it is asked again, also by the next process after a kill.
"""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from loguru import logger

_LOOK_EVERY_S = 0.5
FILE = "PANIC"


class PanicFile:
    """Watches for the file, and carries what it asks to the portfolio."""

    def __init__(self, directory: Path, ask: Callable[[str], bool]) -> None:
        """Watch nothing yet.

        Args:
            directory: of the run.
            ask: takes who asks, and tells whether a panic is latched now.
        """
        self.path = directory / FILE
        self._ask = ask
        self._looked = threading.Condition()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._watch, name="panic", daemon=True)

    def request(self, who: str) -> None:
        """Make the file; from any thread, also before anybody watches."""
        request_panic(self.path.parent, who)
        with self._looked:
            self._looked.notify_all()

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def close(self) -> None:
        """Watch no more; a file that is not done with waits for the next process."""
        with self._looked:
            self._is_stopping = True
            self._looked.notify_all()
        self._thread.join(_LOOK_EVERY_S * 10)

    def wait_taken(self, timeout_s: float) -> bool:
        """Wait until what was asked is stored; False where that takes longer."""
        with self._looked:
            return self._looked.wait_for(lambda: not self.path.exists(), timeout_s)

    def _watch(self) -> None:
        while not self._is_stopping:
            try:
                self._carry()
            except Exception:  # noqa: BLE001 (the last line of defence must not end)
                logger.opt(exception=True).error("the file {} cannot be seen to", self.path)
            with self._looked:
                self._looked.notify_all()
                if not self._is_stopping:
                    self._looked.wait(_LOOK_EVERY_S)

    def _carry(self) -> None:
        if not self.path.exists():
            return
        with suppress(OSError):
            who = self.path.read_text(errors="replace").strip()[:80]
            if self._ask(who or "the file PANIC"):
                self.path.unlink(missing_ok=True)


def request_panic(directory: Path, who: str) -> None:
    """Make the file so that it survives whatever comes next."""
    file = os.open(directory / FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(file, who.encode())
        os.fsync(file)
    finally:
        os.close(file)
