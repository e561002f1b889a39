"""Starts the process that keeps a run's backup."""

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from infra.process.kept import KeptProcess
from infra.run.backup_process import BackupOptions
from infra.run.backups import opened
from infra.settings import Settings
from infra.store.location import PASSWORD

_STOP_S = 5.0
"""Time for a last backup."""
_KEPT = (
    "PATH",
    "HOME",
    "LANG",
    "TZ",
    "CREDENTIALS_DIRECTORY",
    "DBUS_SESSION_BUS_ADDRESS",
    "HTTPS_PROXY",
    "NO_PROXY",
    PASSWORD,
)
_KEPT_KINDS = ("PYTHON", "LC_", "XDG_", "AWS_", "GOOGLE_", "AZURE_", "FSSPEC_", "SSL_", "PG")
"""Prefixes of names passed on: the process holds no exchange key."""
_HOUR_S, _DAY_S = 3_600, 86_400


@contextmanager
def backup_beside(settings: Settings, directory: Path, mode: str) -> Iterator[None]:
    """Keep a backup of a run, if it is configured.

    Args:
        settings: of the run.
        directory: of the run.
        mode: whose journal it has.

    Raises:
        ConfigError: the key is not available, or the kind of URL is unknown.
    """
    backup = settings.backup
    if backup.url is None or backup.key is None:
        yield
        return
    opened(backup, mode)
    options = BackupOptions(
        url=f"{backup.url.rstrip('/')}/{mode}",
        key=backup.key,
        directory=str(directory.resolve()),
        every_s=float(backup.every_seconds),
        full_every_s=backup.full_every_hours * _HOUR_S,
        keep_s=backup.keep_days * _DAY_S,
        parent=os.getpid(),
    )
    words = ["-m", "infra.run.backup_process", msgspec.json.encode(options).decode()]
    with closing(
        KeptProcess("the backup", [sys.executable, *words], _environment(settings), stop_s=_STOP_S)
    ):
        yield


def _environment(settings: Settings) -> dict[str, str]:
    kept = {
        name: text
        for name, text in os.environ.items()
        if name in _KEPT or name.startswith(_KEPT_KINDS)
    }
    password = settings.database.password
    return kept if password is None else kept | {PASSWORD: password.get_secret_value()}
