"""A run's directory, and its lock."""

from pathlib import Path

from domain.errors import ConfigError
from infra.process.locks import RUN_LOCK, FileLock
from infra.run.encryption import prepare_encryption
from infra.settings import Settings


class RunDirectory:
    """The directory of one run; locked by one process at a time."""

    def __init__(self, path: Path, settings: Settings) -> None:
        """Create and lock the directory, and encrypt it if configured.

        Raises:
            ConfigError: another process holds it, it cannot be created; see `prepare_encryption`.
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
        self._lock.release()
