"""Locks that one process at a time may hold, released however it ends."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from domain.errors import ConfigError

RUN_LOCK = "lock"
"""Name of the lock file in a run directory; it stays there when the run ends."""


class FileLock:
    """A lock that the operating system releases with its process, even a killed one.

    The file stays; what counts is the lock on it.
    """

    def __init__(self, file: Path, held: str) -> None:
        """Take the lock.

        Args:
            file: created if missing, with its folders.
            held: says what another process is doing if it holds the lock.

        Raises:
            ConfigError: another process holds it.
            OSError: the file cannot be created.
        """
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(self._file, 20).decode(errors="replace").strip()
            os.close(self._file)
            process = f" (process {holder})" if holder.isdigit() else ""
            raise ConfigError(f"{held}{process}; stop it first") from error
        except OSError:
            os.close(self._file)
            raise
        with suppress(OSError):  # for information: on a full disk it may fail
            os.ftruncate(self._file, 0)
            os.write(self._file, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Release the lock; once."""
        os.close(self._file)
