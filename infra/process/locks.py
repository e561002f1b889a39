"""What one process at a time may hold, until it ends, however it ends."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from domain.errors import ConfigError

RUN_LOCK = "lock"
"""In the directory of each run, and left there when it ends."""


class FileLock:
    """A lock that the operating system frees with its process: a killed one leaves nothing behind.

    The file stays; what counts is the lock on it.
    """

    def __init__(self, file: Path, held: str) -> None:
        """Take the lock.

        Args:
            file: made where it is not there, folders included.
            held: says what another process does where it holds the lock.

        Raises:
            ConfigError: another process holds it.
            OSError: the file cannot be made.
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
        with suppress(OSError):  # for people: on a full disk it may fail
            os.ftruncate(self._file, 0)
            os.write(self._file, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let another process take it; once."""
        os.close(self._file)
