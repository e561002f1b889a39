"""One segment of a backup: facts in their order, compressed, encrypted, bound to its predecessor.

A file is one line of JSON, which describes the contents and can be read without the key, then the
sealed rows. The line is authenticated with them, and holds the hash of the preceding file.
"""

import hashlib
import zlib
from collections.abc import Mapping, Sequence

import msgspec

from domain.errors import BadDataError
from infra.secrets import sealing

FIRST_PREVIOUS = "0" * 64
"""Stands in for the predecessor's hash in the first segment of a chain."""
PURPOSE = "backup"
"""Purpose of the key that is derived from the one named in the settings."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What can be read of a segment without the key."""

    chain: str
    number: int
    """Number in its chain, from 1."""
    after_fact: int
    """The segment holds the facts with higher ids than this ..."""
    through_fact: int
    """... up to this id, which ends a transaction."""
    recorded_ms: int
    """When the newest of them was stored."""
    schema_version: int
    key_id: str
    previous: str
    """SHA-256 of the preceding segment, hex."""


class WrongKeyError(BadDataError):
    """The segment is sealed with another key."""


Row = Mapping[str, str | int | float | None]
Rows = Mapping[str, Sequence[Row]]
"""Rows by table, columns by name."""


def seal(header: Header, rows: Rows, key: bytes) -> bytes:
    """Return the bytes of a segment's file; the key has 32 bytes.

    Raises:
        ConfigError: the packages for it are not installed.
    """
    line = msgspec.json.encode(header)
    return line + b"\n" + sealing.seal(key, zlib.compress(msgspec.msgpack.encode(rows)), line)


def unseal(file: bytes, key: bytes) -> tuple[Header, Rows]:
    """Return the header and rows of a segment.

    Raises:
        WrongKeyError: it is sealed with another key.
        BadDataError: it is damaged.
        ConfigError: the packages for it are not installed.
    """
    line, _, sealed = file.partition(b"\n")
    try:
        header = msgspec.json.decode(line, type=Header)
    except (ValueError, msgspec.ValidationError) as error:
        raise BadDataError("is damaged: its header cannot be read") from error
    if header.key_id != key_id(key):
        raise WrongKeyError(
            f"is sealed under the key {header.key_id[:8]!r}, found the key {key_id(key)!r}"
        )
    try:
        packed = sealing.unseal(key, sealed, line)
        return header, msgspec.msgpack.decode(zlib.decompress(packed), type=Rows)
    except (BadDataError, ValueError, zlib.error) as error:
        raise BadDataError("is damaged: it is not what was sealed") from error


def digest(file: bytes) -> str:
    """Return the hash by which the next segment refers to this one."""
    return hashlib.sha256(file).hexdigest()


def key_id(key: bytes) -> str:
    """Return a short fingerprint of a key, which reveals nothing else about it."""
    return hashlib.sha256(b"backup key\0" + key).hexdigest()[:8]
