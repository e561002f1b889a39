"""What the files of a run directory are written through: encrypted, or as they are."""

import base64
from binascii import Error as NotBase64Error
from pathlib import Path
from typing import Final

from domain.errors import BadDataError
from infra.secrets.sealing import seal, unseal
from infra.secrets.vault import vault_of


class Cipher:
    """Seals bytes under one key; without a key it changes nothing."""

    def __init__(self, key: bytes | None) -> None:
        """Take a key of 32 bytes; None: what is written is not encrypted."""
        self._key = key

    @property
    def is_on(self) -> bool:
        """Tell whether it encrypts."""
        return self._key is not None

    def seal(self, text: bytes) -> bytes:
        """Return bytes as they are to be stored."""
        return text if self._key is None else seal(self._key, text)

    def unseal(self, stored: bytes) -> bytes:
        """Return what `seal` was given.

        Raises:
            BadDataError: it is under another key, not encrypted at all, or damaged.
        """
        return stored if self._key is None else unseal(self._key, stored)

    def line(self, text: bytes) -> bytes:
        """Return a line as it is to be stored, without its end."""
        return text if self._key is None else base64.b64encode(seal(self._key, text))

    def read_line(self, stored: bytes) -> bytes:
        """Return what `line` was given. Raises as `unseal`."""
        if self._key is None:
            return stored
        try:
            sealed = base64.b64decode(stored, validate=True)
        except NotBase64Error as error:
            raise BadDataError("it is not encrypted, or damaged") from error
        return unseal(self._key, sealed)


STATE: Final = "state"
"""The purpose of the key of what an exchange on this machine remembers."""
PLAIN: Final = Cipher(None)
"""Changes nothing."""


def cipher_of(directory: Path, purpose: str) -> Cipher:
    """Return the cipher of a kind of files in a run directory.

    Raises:
        ConfigError: the directory is encrypted, and its key cannot be had.
    """
    vault = vault_of(directory)
    return Cipher(None if vault is None else vault.key(purpose))
