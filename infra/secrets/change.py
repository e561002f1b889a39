"""Re-encrypts files of a run directory with another key, each whole or not at all."""

from collections.abc import Callable
from pathlib import Path

from domain.errors import BadDataError, ConfigError
from infra.files import write_whole
from infra.secrets.cipher import PLAIN, Cipher

Rewrite = Callable[[bytes, Cipher, Cipher], bytes]
"""Returns the content of a file, decrypted with the first cipher and encrypted with the second.

Raises:
    BadDataError: it was not encrypted with the first.
"""


def rewrite_file(file: Path, rewrite: Rewrite, old: Cipher, new: Cipher) -> None:
    """Re-encrypt a file with another key, unless it has it already; plain files are accepted.

    Raises:
        ConfigError: it has neither key, or the disk is full.
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
    """Return the lines re-encrypted, without an incomplete last one. See `Rewrite`."""
    whole = content[: content.rfind(b"\n") + 1].splitlines()
    return b"".join(new.line(_plain_line(line, old)) + b"\n" for line in whole)


def rewrite_line(content: bytes, old: Cipher, new: Cipher) -> bytes:
    """Return a single line, without a line end, re-encrypted. See `Rewrite`."""
    return new.line(_plain_line(content, old))


def rewrite_whole(content: bytes, old: Cipher, new: Cipher) -> bytes:
    """Return a file that is sealed as a whole, re-encrypted. See `Rewrite`."""
    return new.seal(_plain(old.unseal(content)))


def _plain_line(line: bytes, cipher: Cipher) -> bytes:
    return _plain(cipher.read_line(line))


def _plain(found: bytes) -> bytes:
    if not found.startswith((b"{", b"[")):
        raise BadDataError("it is encrypted")
    return found
