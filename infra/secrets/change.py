"""Files of a run directory, written anew under another key, each whole or not at all."""

import os
from collections.abc import Callable
from pathlib import Path

from domain.errors import BadDataError, ConfigError
from infra.secrets.cipher import Cipher

Rewrite = Callable[[bytes, Cipher, Cipher], bytes]
"""Returns what a file holds, of the first cipher, under the second.

Raises:
    BadDataError: it is not of the first.
"""


def rewrite_file(file: Path, rewrite: Rewrite, old: Cipher, new: Cipher) -> None:
    """Put a file under another key, unless it is under it already.

    Raises:
        ConfigError: it is under neither, or the disk has no room.
    """
    content = file.read_bytes()
    try:
        rewrite(content, new, new)
    except BadDataError:
        pass
    else:
        return
    try:
        changed = rewrite(content, old, new)
    except BadDataError as error:
        raise ConfigError(f"{file}: is under neither the old key nor the new one") from error
    replace_file(file, changed)


def replace_file(file: Path, content: bytes) -> None:
    """Put other content in the place of a file's, with its mode.

    Raises:
        ConfigError: the disk has no room, or fails; the file is as it was.
    """
    part = file.with_name(f"{file.name}.part")
    try:
        with part.open("wb") as out:
            os.fchmod(out.fileno(), file.stat().st_mode & 0o777)
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        part.replace(file)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ConfigError(f"{file}: cannot be written anew: {error.strerror}") from error


def rewrite_lines(content: bytes, old: Cipher, new: Cipher) -> bytes:
    """Return lines; half a line at the end is left out. See `Rewrite`."""
    whole = content[: content.rfind(b"\n") + 1].splitlines()
    return b"".join(new.line(_plain_line(line, old)) + b"\n" for line in whole)


def rewrite_line(content: bytes, old: Cipher, new: Cipher) -> bytes:
    """Return one line without an end. See `Rewrite`."""
    return new.line(_plain_line(content, old))


def _plain_line(line: bytes, cipher: Cipher) -> bytes:
    found = cipher.read_line(line)
    if not found.startswith((b"{", b"[")):
        raise BadDataError("it is encrypted")
    return found
