"""One segment of a backup: facts in their order, compressed, encrypted, bound to its predecessor.

A file is one line of JSON, which tells what is inside without the key, then the sealed rows. The
line is authenticated with them, and holds the hash of the file before: what was changed, left out
or put elsewhere in the middle of a chain does not open. A chain that lacks its end looks whole.
"""

import hashlib
import os
import zlib
from collections.abc import Mapping, Sequence

import msgspec

from domain.errors import BadDataError

FIRST_PREVIOUS = "0" * 64
"""In the place of a predecessor's hash, in the first segment of a chain."""
_NONCE_BYTES = 12


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What anybody may know of a segment."""

    chain: str
    number: int
    """In its chain, from 1."""
    after_fact: int
    """Facts above it are inside ..."""
    through_fact: int
    """... up to this one."""
    recorded_ms: int
    """When the newest of them was stored."""
    schema_version: int
    previous: str
    """SHA-256 of the segment before, hex."""


Rows = Mapping[str, Sequence[Mapping[str, str | int | float | None]]]
"""Rows by table, columns by name."""


def seal(header: Header, rows: Rows, key: bytes) -> bytes:
    """Return the file of a segment; the key has 32 bytes."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 (optional)

    line, nonce = msgspec.json.encode(header), os.urandom(_NONCE_BYTES)
    packed = zlib.compress(msgspec.msgpack.encode(rows))
    return line + b"\n" + nonce + AESGCM(key).encrypt(nonce, packed, line)


def unseal(file: bytes, key: bytes, previous: str) -> tuple[Header, Rows]:
    """Return what a segment holds.

    Args:
        file: of the segment.
        key: 32 bytes.
        previous: `digest` of the segment before, or `FIRST_PREVIOUS`.

    Raises:
        BadDataError: it is of another key, damaged, or does not follow that segment.
    """
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 (optional)
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 (optional)

    line, _, sealed = file.partition(b"\n")
    try:
        header = msgspec.json.decode(line, type=Header)
        packed = AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], line)
        rows = msgspec.msgpack.decode(zlib.decompress(packed), type=Rows)
    except (InvalidTag, ValueError, zlib.error) as error:
        raise BadDataError("expected a whole segment under this key, found another") from error
    if header.previous != previous:
        raise BadDataError(f"segment {header.number} of {header.chain}: its predecessor is missing")
    return header, rows


def digest(file: bytes) -> str:
    """Return the hash by which the next segment names this one."""
    return hashlib.sha256(file).hexdigest()
