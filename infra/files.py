"""Reads files that people name, and never waits for a pipe or reads a device without an end."""

import os
import stat
from pathlib import Path
from typing import IO


class NotAFileError(OSError):
    """What lies at a path is no regular file."""


def open_regular(file: Path) -> IO[bytes]:
    """Open a regular file, or a link to one, for reading.

    Raises:
        OSError: it cannot be opened, or is no regular file; `strerror` says why.
    """
    # Without the flag, opening a pipe waits for its writer.
    number = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    kind = _kind(os.fstat(number).st_mode)
    if kind is not None:
        os.close(number)
        raise NotAFileError(0, f"found {kind}, expected a regular file")
    return os.fdopen(number, "rb")


def read_regular(file: Path) -> bytes:
    """Return what a regular file holds. Raises as `open_regular`."""
    with open_regular(file) as opened:
        return opened.read()


def _kind(mode: int) -> str | None:
    """Return what something is that is no regular file."""
    if stat.S_ISREG(mode):
        return None
    if stat.S_ISDIR(mode):
        return "a folder"
    if stat.S_ISFIFO(mode):
        return "a pipe"
    return "a device or socket"
