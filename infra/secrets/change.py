"""Files of a run directory, written anew under another key, each whole or not at all."""

from collections.abc import Callable
from pathlib import Path

from domain.errors import BadDataError, ConfigError
from infra.files import write_whole
from infra.secrets.cipher import PLAIN, Cipher

Rewrite = Callable[[bytes, Cipher, Cipher], bytes]
"""Returns what a file holds, of the first cipher, under the second.

Raises:
    BadDataError: it is not of the first.
"""


def rewrite_file(file: Path, rewrite: Rewrite, old: Cipher, new: Cipher) -> None:
    """Put a file under another key, unless it is under it already; one in the open is taken too.

    Raises:
        ConfigError: it is under neither, or the disk has no room.
    """
    content = file.read_bytes()
    for cipher in (new, old, PLAIN):
        try:
            changed = rewrite(content, cipher, new)
        except BadDataError:
            continue
        if cipher is not new:
            _replace(file, changed)
        return
    raise ConfigError(f"{file}: is under neither the old key nor the new one")


def _replace(file: Path, content: bytes) -> None:
    try:
        write_whole(file, content, mode=file.stat().st_mode & 0o777)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be rewritten: {error.strerror}") from error


def rewrite_lines(content: bytes, old: Cipher, new: Cipher) -> bytes:
    """Return lines; half a line at the end is left out. See `Rewrite`."""
    whole = content[: content.rfind(b"\n") + 1].splitlines()
    return b"".join(new.line(_plain_line(line, old)) + b"\n" for line in whole)


def rewrite_line(content: bytes, old: Cipher, new: Cipher) -> bytes:
    """Return one line without an end. See `Rewrite`."""
    return new.line(_plain_line(content, old))


def rewrite_whole(content: bytes, old: Cipher, new: Cipher) -> bytes:
    """Return what is sealed as a whole. See `Rewrite`."""
    return new.seal(_plain(old.unseal(content)))


def _plain_line(line: bytes, cipher: Cipher) -> bytes:
    return _plain(cipher.read_line(line))


def _plain(found: bytes) -> bytes:
    if not found.startswith((b"{", b"[")):
        raise BadDataError("it is encrypted")
    return found
