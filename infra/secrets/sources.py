"""The sources of keys: a systemd credential, a file, the system's keyring, or a passphrase.

The first three hold the key as 64 hexadecimal digits; a passphrase can be any text.
"""

import os
import re
import stat
import sys
from collections.abc import Callable, Mapping
from getpass import getpass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from domain.errors import ConfigError
from infra.files import open_regular
from infra.secrets.sealing import PACKAGES, new_key, stretched_key

PASSPHRASE: Final = "passphrase"  # noqa: S105 (the word)
_SHORTEST = 12
_FORMS: Final = "credential:NAME, file:PATH or keyring:SERVICE/USER"
_LONGEST_BYTES = 4_096


class KeyMissingError(ConfigError):
    """A source has no key available; another one may."""


def key_of(source: str, salt: bytes = b"") -> bytes:
    """Return the key of a source.

    Args:
        source: `credential:NAME`, `file:PATH`, `keyring:SERVICE/USER` or `passphrase`, which is
            asked for at the terminal.
        salt: for a passphrase.

    Raises:
        KeyMissingError: it cannot be read, or is not a key.
        ConfigError: it is not a source.
    """
    if source == PASSPHRASE:
        return stretched_key(_asked("Passphrase of the keys: "), salt)
    kind, _, name = source.partition(":")
    if kind not in _READERS or not name:
        raise ConfigError(f"expected a source of a key, {_FORMS}; found {source}")
    text = _READERS[kind](name).strip()
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise KeyMissingError(
            f"{source}: expected a key of 64 hexadecimal digits; `bin/keys new FILE` creates one"
        )
    return bytes.fromhex(text)


def new_passphrase(salt: bytes) -> bytes:
    """Prompt for a new passphrase, and return its key.

    Raises:
        ConfigError: it is too short, or not typed twice the same.
    """
    chosen = _asked(f"New passphrase, {_SHORTEST} characters or more: ")
    if len(chosen) < _SHORTEST:
        raise ConfigError(f"expected a passphrase of {_SHORTEST} characters or more")
    if _asked("The same again: ") != chosen:
        raise ConfigError("the passphrase was not typed twice the same; nothing was changed")
    return stretched_key(chosen, salt)


def write_new_key(file: Path) -> None:
    """Create a file with a new key, readable only by its owner.

    Raises:
        ConfigError: the file exists already, or cannot be created.
    """
    try:
        number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "w", encoding="ascii") as out:
            out.write(f"{new_key().hex()}\n")
    except OSError as error:
        raise ConfigError(f"{file}: no key was made there: {error.strerror}") from error


def _asked(prompt: str) -> str:
    if not sys.stdin.isatty():
        raise KeyMissingError("a passphrase is typed at a terminal, and there is none here")
    try:
        return getpass(prompt)
    except EOFError as error:
        raise KeyMissingError("no passphrase was typed") from error


def _of_credential(name: str, environ: Mapping[str, str] = os.environ) -> str:
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if folder is None or "/" in name:
        raise KeyMissingError(
            f"credential:{name}: systemd has passed none to this process (LoadCredential=)"
        )
    return _text_of(Path(folder) / name)


def _of_file(name: str) -> str:
    path = Path(name)
    try:
        found = path.stat()
    except OSError as error:
        raise KeyMissingError(f"{path}: cannot be read: {error.strerror}") from error
    if stat.S_IMODE(found.st_mode) & 0o077 or found.st_uid not in (0, os.geteuid()):
        raise KeyMissingError(
            f"{path}: others may read this key; own the file yourself, with chmod 600"
        )
    return _text_of(path)


def _text_of(path: Path) -> str:
    try:
        with open_regular(path) as opened:
            return opened.read(_LONGEST_BYTES).decode("ascii", "replace")
    except OSError as error:
        raise KeyMissingError(f"{path}: cannot be read: {error.strerror}") from error


def _of_keyring(name: str) -> str:
    try:
        import keyring  # noqa: PLC0415 (optional)
        from keyring.errors import KeyringError  # noqa: PLC0415 (optional)
    except ImportError as error:
        raise KeyMissingError(PACKAGES) from error
    service, _, user = name.partition("/")
    try:
        found = keyring.get_password(service, user)
    except KeyringError as error:
        raise KeyMissingError(f"keyring:{name}: cannot be read: {error}") from error
    if found is None:
        raise KeyMissingError(f"keyring:{name}: holds no key; store one with `keyring set`")
    return found


_READERS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {"credential": _of_credential, "file": _of_file, "keyring": _of_keyring}
)
