"""The ciphers of files in a run directory: encryption, or none."""

import base64
from binascii import Error as NotBase64Error
from pathlib import Path
from typing import Final

from domain.errors import BadDataError
from infra.secrets.sealing import seal, unseal
from infra.secrets.vault import vault_of


class Cipher:
    """Encrypts with one key; without a key it changes nothing."""

    def __init__(self, key: bytes | None) -> None:
        """Take a key of 32 bytes; None: no encryption."""
        self._key = key

    @property
    def is_on(self) -> bool:
        return self._key is not None

    def seal(self, text: bytes) -> bytes:
        """Return bytes in the form to store."""
        return text if self._key is None else seal(self._key, text)

    def unseal(self, stored: bytes) -> bytes:
        """Return the bytes that `seal` was given.

        Raises:
            BadDataError: they have another key, are not encrypted at all, or are damaged.
        """
        return stored if self._key is None else unseal(self._key, stored)

    def line(self, text: bytes) -> bytes:
        """Return a line in the form to store, without its line end."""
        return text if self._key is None else base64.b64encode(seal(self._key, text))

    def read_line(self, stored: bytes) -> bytes:
        """Return the line that `line` was given. Raises as `unseal`."""
        if self._key is None:
            return stored
        try:
            sealed = base64.b64decode(stored, validate=True)
        except NotBase64Error as error:
            raise BadDataError("it is not encrypted, or damaged") from error
        return unseal(self._key, sealed)


STATE: Final = "state"
"""Purpose of the key for the state of an exchange on this machine."""
PLAIN: Final = Cipher(None)
"""A cipher that changes nothing."""


def cipher_of(directory: Path, purpose: str) -> Cipher:
    """Return the cipher of a kind of files in a run directory.

    Raises:
        ConfigError: the directory is encrypted, and its key is not available.
    """
    vault = vault_of(directory)
    return Cipher(None if vault is None else vault.key(purpose))
