"""A run's directory: whose it is, and for how long."""

from pathlib import Path

from domain.errors import ConfigError
from infra.process.locks import RUN_LOCK, FileLock


class RunDirectory:
    """Where one run keeps its journal; held by one process at a time."""

    def __init__(self, path: Path) -> None:
        """Make the directory and take hold of it.

        Raises:
            ConfigError: another process holds it, or it cannot be made.
        """
        self.path = path
        try:
            self._lock = FileLock(path / RUN_LOCK, f"{path}: another run uses this directory")
        except OSError as error:
            raise ConfigError(f"{path}: cannot be the run directory: {error.strerror}") from error

    def release(self) -> None:
        """Let another process take it."""
        self._lock.release()
