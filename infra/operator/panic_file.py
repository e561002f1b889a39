"""The file PANIC: requests a panic without a listening or even a running process.

Creating the file in the run directory requests a panic. It is removed once the portfolio has stored
the panic, if only in the reserve; until then the request is repeated, also by the next process
after a kill.
"""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from loguru import logger

from domain.text import plain
from infra.files import read_regular
from infra.process.locks import RUN_LOCK

_LOOK_EVERY_S, _LONGEST_PAUSE_S = 0.5, 8.0
FILE = "PANIC"


class PanicFile:
    """Watches for the file, and passes its request to the portfolio."""

    def __init__(self, directory: Path, ask: Callable[[str], bool]) -> None:
        """Prepare the watcher; `start` starts it.

        Args:
            directory: of the run.
            ask: takes the requester, and tells whether the panic is latched and survives a kill.
        """
        self.path = directory / FILE
        self._ask = ask
        self._asked_by: str | None = None
        """Requester, if the file could not be created; a kill loses this request."""
        self._pause_s = _LOOK_EVERY_S
        self._looked = threading.Condition()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._watch, name="panic", daemon=True)

    def request(self, who: str) -> None:
        """Create the file; from any thread, also before `start`."""
        try:
            request_panic(self.path.parent, who)
        except OSError as error:
            self._asked_by = who
            logger.error("panic is requested without the file {}: {}", self.path, error.strerror)
        with self._looked:
            self._looked.notify_all()

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop watching; an unprocessed file waits for the next process."""
        with self._looked:
            self._is_stopping = True
            self._looked.notify_all()
        self._thread.join(_LOOK_EVERY_S * 10)

    def wait_taken(self, timeout_s: float) -> bool:
        """Wait until the panic is stored; return False on timeout."""
        with self._looked:
            return self._looked.wait_for(lambda: not self._is_asked(), timeout_s)

    def _watch(self) -> None:
        while not self._is_stopping:
            try:
                self._carry()
            except Exception:  # noqa: BLE001 (the last line of defence must not end)
                logger.opt(exception=True).error("the file {} could not be processed", self.path)
            with self._looked:
                self._looked.notify_all()
                if not self._is_stopping:
                    self._looked.wait(self._pause_s)

    def _is_asked(self) -> bool:
        return self._asked_by is not None or self.path.exists()

    def _carry(self) -> None:
        if not self._is_asked():
            return
        # Allow time to a portfolio that cannot answer now.
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
        if not self._ask(self._asked_by or self._who() or "the file PANIC"):
            return
        self._asked_by, self._pause_s = None, _LOOK_EVERY_S
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _who(self) -> str:
        try:
            return plain(read_regular(self.path).decode(errors="replace").strip()[:80])
        except OSError:  # the file exists, and that is what counts
            return ""


def request_panic(directory: Path, who: str) -> None:
    """Create the file and sync it; on a full disk an empty one is enough.

    Raises:
        OSError: it cannot be created.
    """
    file = os.open(directory / FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with suppress(OSError):
            os.write(file, who.encode())
        os.fsync(file)
    finally:
        os.close(file)


def is_run_directory(directory: Path) -> bool:
    """Tell whether a run was ever started in a directory, as far as this user can see."""
    try:
        return (directory / RUN_LOCK).exists()
    except PermissionError:
        return True


def panic_by_file(directory: Path, who: str, why: str) -> tuple[bool, str]:
    """Request a panic by the file, which needs no listening process.

    Args:
        directory: of the run.
        who: the requester.
        why: no other way was possible; empty: nothing takes commands there.

    Returns:
        Whether it was requested, and the text to show.
    """
    why = why or f"nothing takes commands in {directory}"
    try:
        request_panic(directory, f"{who}, by the file")
    except OSError as error:
        return False, (
            f"{why}; and {directory / FILE} cannot be made: {error.strerror}. SIGUSR2 to the "
            "process requests a panic too."
        )
    return True, (
        f"{why}; so the file {directory / FILE} was created, which requests the panic: a system "
        "that runs there acts on it within seconds, otherwise its next start does; the panic is "
        "stored once the file is gone."
    )
