"""Keys of 32 bytes, and authenticated encryption with them.

A key is derived from a passphrase by argon2id, which is slow on purpose, or from another key by
HKDF: a separate key for each purpose, so that none reveals anything about another. Sealed bytes are
a nonce (12), the encrypted text and a tag (16) of AES-256-GCM. Nonces are drawn at random: one key
seals at most 2**32 texts.
"""

import os
from typing import Final

from argon2.low_level import Type, hash_secret_raw

from domain.errors import BadDataError, ConfigError

KEY_BYTES: Final = 32
SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12
PACKAGES: Final = (
    "encryption needs additional packages; install them: "
    ".venv/bin/python -m pip install -r requirements-encryption.txt"
)


def new_key() -> bytes:
    """Return a new random key."""
    return os.urandom(KEY_BYTES)


def new_salt() -> bytes:
    """Return a salt for `stretched_key`; it is not secret, and stored beside what is sealed."""
    return os.urandom(SALT_BYTES)


def stretched_key(passphrase: str, salt: bytes) -> bytes:
    """Return the key of a passphrase; takes 64 MiB and about a tenth of a second (RFC 9106)."""
    return hash_secret_raw(
        passphrase.encode(),
        salt,
        time_cost=3,
        memory_cost=64 * 1024,
        parallelism=4,
        hash_len=KEY_BYTES,
        type=Type.ID,
    )


def derived_key(key: bytes, purpose: str) -> bytes:
    """Return the key for one purpose.

    Args:
        key: random, or stretched; not a passphrase.
        purpose: of the derived key; another text gives another key.

    Raises:
        ConfigError: the packages for it are not installed.
    """
    try:
        from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415 (optional)
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415 (optional)
    except ImportError as error:
        raise ConfigError(PACKAGES) from error
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=purpose.encode()).derive(key)


def seal(key: bytes, text: bytes, beside: bytes = b"") -> bytes:
    """Return an encrypted text.

    Args:
        key: of 32 bytes.
        text: of any length below 2 GiB.
        beside: associated plain data, which is authenticated too.

    Raises:
        ConfigError: the packages for it are not installed.
    """
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 (optional)
    except ImportError as error:
        raise ConfigError(PACKAGES) from error
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, text, beside)


def unseal(key: bytes, sealed: bytes, beside: bytes = b"") -> bytes:
    """Return the text that `seal` was given.

    Raises:
        BadDataError: it was sealed with another key, or it or the associated data was changed.
        ConfigError: the packages for it are not installed.
    """
    try:
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 (optional)
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 (optional)
    except ImportError as error:
        raise ConfigError(PACKAGES) from error
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], beside)
    except (InvalidTag, ValueError) as error:
        raise BadDataError("it is sealed under another key, or damaged") from error
