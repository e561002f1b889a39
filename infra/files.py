"""Reads user-given files without ever blocking on a pipe; writes files whole or not at all."""

import os
import stat
from pathlib import Path
from typing import IO

from domain.errors import ConfigError


class NotAFileError(OSError):
    """The path is not a regular file."""


def open_regular(file: Path) -> IO[bytes]:
    """Open a regular file, or a link to one, for reading.

    Raises:
        OSError: it cannot be opened, or is not a regular file; `strerror` says why.
    """
    # Without the flag, opening a pipe waits for its writer.
    number = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    kind = _kind(os.fstat(number).st_mode)
    if kind is not None:
        os.close(number)
        raise NotAFileError(0, f"found {kind}, expected a regular file")
    return os.fdopen(number, "rb")


def read_regular(file: Path) -> bytes:
    """Return the contents of a regular file. Raises as `open_regular`."""
    with open_regular(file) as opened:
        return opened.read()


def make_folder(folder: Path, *, mode: int = 0o777) -> None:
    """Create a folder with its parents, unless it exists.

    Raises:
        ConfigError: it cannot be created, or is not writable.
    """
    why: str | None = None
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        why = error.strerror
    if why is None and not os.access(folder, os.W_OK | os.X_OK):
        why = "no permission"
    if why is not None:
        raise ConfigError(f"{folder}: is not a writable folder: {why}")


def write_whole(file: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Replace the content of a file; it is synced to disk when this returns.

    Raises:
        OSError: the disk has no room, or fails; the file is as it was.
    """
    part = file.with_name(f"{file.name}.part")
    part.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            os.fchmod(out.fileno(), mode)
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        part.replace(file)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Sync to disk what was created, renamed or removed in a folder.

    Raises:
        OSError: the disk fails.
    """
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _kind(mode: int) -> str | None:
    """Return the kind of something that is not a regular file."""
    if stat.S_ISREG(mode):
        return None
    if stat.S_ISDIR(mode):
        return "a folder"
    if stat.S_ISFIFO(mode):
        return "a pipe"
    return "a device or socket"
