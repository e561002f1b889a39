"""A run's directory: whose it is, and for how long."""

from pathlib import Path

from domain.errors import ConfigError
from infra.process.locks import RUN_LOCK, FileLock
from infra.run.encryption import prepare_encryption
from infra.settings import Settings


class RunDirectory:
    """Where one run keeps its journal; held by one process at a time."""

    def __init__(self, path: Path, settings: Settings) -> None:
        """Make the directory, take hold of it, and make it encrypted where that is wanted.

        Raises:
            ConfigError: another process holds it, it cannot be made, or see `prepare_encryption`.
        """
        self.path = path
        try:
            self._lock = FileLock(path / RUN_LOCK, f"{path}: another run uses this directory")
        except OSError as error:
            raise ConfigError(f"{path}: cannot be the run directory: {error.strerror}") from error

        try:
            prepare_encryption(settings, path)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let another process take it."""
        self._lock.release()
