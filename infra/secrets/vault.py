"""The data key of a run directory, in a file that opens with any one of several other keys.

Everything in the directory is encrypted with keys derived from the data key; `FILE` holds the data
key sealed once for each source of a key. So a service can start with a systemd credential, and the
operator can read what it has stored with a passphrase. While the directory is being re-encrypted,
the file holds the former data key too.
"""

import base64
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec

from domain.errors import BadDataError, ConfigError
from infra.files import write_whole
from infra.secrets.sealing import derived_key, new_key, new_salt, seal, unseal
from infra.secrets.sources import PASSPHRASE, KeyMissingError, key_of, new_passphrase

FILE: Final = "encryption.json"
_FORMAT: Final = 1
_FORMER: Final = b"former"


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """The data key, sealed with one other key."""

    source: str
    salt: str = ""
    """Salt of a passphrase, hex."""
    sealed: str
    """Base64."""


class _Content(msgspec.Struct, frozen=True, kw_only=True):
    format: int
    slots: tuple[Slot, ...]
    former: str | None = None
    """The former data key, sealed with this one; empty: nothing was encrypted."""


class Vault:
    """An open data key."""

    def __init__(self, file: Path, data_key: bytes, content: _Content) -> None:
        """Constructed only by `read_vault` and `new_vault`."""
        self._file, self._data_key, self._content = file, data_key, content

    @property
    def sources(self) -> list[str]:
        """Sources of the keys that open it."""
        return [slot.source for slot in self._content.slots]

    @property
    def is_changing(self) -> bool:
        """Tell whether some files may still have the former key, or not be encrypted at all."""
        return self._content.former is not None

    def key(self, purpose: str) -> bytes:
        """Return the key of 32 bytes for one purpose."""
        return derived_key(self._data_key, purpose)

    def former_key(self, purpose: str) -> bytes | None:
        """Return the former value of `key`; None: nothing was encrypted."""
        if not self._content.former:
            return None
        sealed = base64.b64decode(self._content.former)
        return derived_key(unseal(self._data_key, sealed, _FORMER), purpose)

    def with_source(self, source: str) -> "Vault":
        """Return a vault that this key opens too; stored by `write`.

        Raises:
            ConfigError: there is no key, or it opens the vault already.
        """
        if source in self.sources:
            raise ConfigError(f"{self._file}: {source} opens it already")
        slots = (*self._content.slots, _slot(source, self._data_key))
        return self._changed(msgspec.structs.replace(self._content, slots=slots))

    def renewed(self, sources: Sequence[str]) -> "Vault":
        """Return a vault with a new data key and this one as the former; stored by `write`."""
        made = new_vault(self._file.parent, sources)
        former = seal(made._data_key, self._data_key, _FORMER)  # noqa: SLF001 (of this class)
        return made.changing(base64.b64encode(former).decode())

    def changing(self, former: str = "") -> "Vault":
        """Return a vault whose files are still to be re-encrypted."""
        return self._changed(msgspec.structs.replace(self._content, former=former))

    def finished(self) -> "Vault":
        """Return a vault without a former key."""
        return self._changed(msgspec.structs.replace(self._content, former=None))

    def write(self) -> None:
        """Store the vault, whole or not at all.

        Raises:
            ConfigError: the disk is full, or fails.
        """
        content = msgspec.json.format(msgspec.json.encode(self._content)) + b"\n"
        try:
            write_whole(self._file, content)
        except OSError as error:
            raise ConfigError(f"{self._file}: cannot be written: {error.strerror}") from error

    def _changed(self, content: _Content) -> "Vault":
        return Vault(self._file, self._data_key, content)


def new_vault(directory: Path, sources: Sequence[str]) -> Vault:
    """Return a vault with a new data key, stored by `Vault.write`.

    Raises:
        ConfigError: a source has no key, or all are passphrases, which a restart cannot type.
    """
    if not set(sources) - {PASSPHRASE}:
        raise ConfigError(
            "expected another source of a key besides the passphrase, which no restart can type"
        )
    data_key = new_key()
    slots = tuple(_slot(source, data_key) for source in sources)
    return Vault(directory / FILE, data_key, _Content(format=_FORMAT, slots=slots))


def vault_of(directory: Path) -> Vault | None:
    """Return the vault of a run directory; None: nothing in it is encrypted.

    Raises:
        ConfigError: it cannot be opened, or the directory is being re-encrypted.
    """
    vault = read_vault(directory)
    if vault is not None and vault.is_changing:
        raise ConfigError(
            f"{directory}: a change of its key was interrupted; finish it by `bin/keys rekey`"
        )
    return vault


def read_vault(directory: Path) -> Vault | None:
    """Return the vault, even if the directory is being re-encrypted. See `vault_of`."""
    file = directory / FILE
    try:
        found = file.stat()
    except OSError:
        return None
    return _opened(file.absolute(), found.st_mtime_ns, found.st_ino)


@lru_cache(maxsize=64)
def _opened(file: Path, _mtime_ns: int, _inode: int) -> Vault:
    """Open a file; cached while it is unchanged, so that a passphrase is asked for only once."""
    try:
        content = msgspec.json.decode(file.read_bytes(), type=_Content)
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError(f"{file}: was not written by `bin/keys`, or cannot be read") from error
    if content.format != _FORMAT:
        raise ConfigError(f"{file}: was made by a newer program")
    reasons = []
    for slot in sorted(content.slots, key=lambda slot: slot.source == PASSPHRASE):
        try:
            key = key_of(slot.source, bytes.fromhex(slot.salt))
            return Vault(file, unseal(key, base64.b64decode(slot.sealed)), content)
        except KeyMissingError as error:
            reasons.append(str(error))
        except (BadDataError, ValueError):
            reasons.append(f"{slot.source}: holds another key")
    raise ConfigError(f"{file}: cannot be opened: {'; '.join(reasons)}")


def _slot(source: str, data_key: bytes) -> Slot:
    salt = new_salt() if source == PASSPHRASE else b""
    key = new_passphrase(salt) if source == PASSPHRASE else key_of(source)
    sealed = base64.b64encode(seal(key, data_key)).decode()
    return Slot(source=source, salt=salt.hex(), sealed=sealed)
