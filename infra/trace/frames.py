"""How records are laid out in a segment: frames that can be found again after a damaged one.

    magic (4) | payload length (4) | crc32 of the rest (4) | head length (2) | head | payload

The head says what the payload holds, so that a reader skips what it does not look for. The payload
is the records of one address, back to back, compressed, and sealed if the run directory is
encrypted.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from domain.errors import BadDataError, ConfigError
from domain.text import counted
from infra.secrets.cipher import PLAIN, Cipher, cipher_of

MAGIC, SEALED_MAGIC = b"\xf7TRC", b"\xf7TRE"
TRACE = "trace"
"""The purpose of the key of traces and crash files."""
_FIXED = struct.Struct("<4sIIH")
_LEVEL = 1
"""Fast: the disk is not the bottleneck, and compression releases the interpreter's lock."""
_LONGEST = 1 << 30
_COMMON = b"\xf7TR"


class Head(msgspec.Struct, array_like=True):
    """What a frame holds."""

    key: str
    """The address the records belong to, or one of the keys that begin with `=`."""
    batch: int
    """Frames of one batch were written together; their records are to be merged by time."""
    count: int
    first_ms: int
    last_ms: int


class Frame(msgspec.Struct):
    """One frame in a file."""

    head: Head
    offset: int
    end: int
    packed: bytes
    cipher: Cipher

    def payload(self) -> bytes:
        """Return the records.

        Raises:
            ConfigError: they are sealed with a key that is not available.
        """
        try:
            return zlib.decompress(self.cipher.unseal(self.packed))
        except BadDataError as error:
            raise ConfigError(f"a frame of the trace cannot be read: {error}") from error


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Head)


def frame_bytes(head: Head, payload: bytes | bytearray, cipher: Cipher) -> bytes:
    """Return a frame as it is stored in a file."""
    return _packed(head, zlib.compress(payload, _LEVEL), cipher)


def read_frames(file: Path, notes: list[str], offset: int = 0) -> Iterator[Frame]:
    """Yield the whole frames of a file, oldest first.

    Args:
        file: a segment.
        notes: takes a line for each part that cannot be read.
        offset: where to begin.

    Raises:
        ConfigError: its run directory is encrypted, and the key is not available.
    """
    with file.open("rb") as opened:
        opened.seek(offset)
        data = opened.read()
    base, offset, cipher = offset, 0, _cipher_beside(file)
    while offset < len(data):
        frame = _frame_at(data, offset, cipher)
        if frame is not None:
            offset = frame.end
            yield msgspec.structs.replace(frame, offset=base + frame.offset, end=base + offset)
            continue
        found = data.find(_COMMON, offset + 1)
        if found < 0:
            notes.append(
                f"{file.name}: skipped {counted(len(data) - offset, 'byte')} of a torn end"
            )
            return
        notes.append(f"{file.name}: skipped {found - offset} damaged bytes at {base + offset}")
        offset = found


def read_frame(file: Path, offset: int, end: int) -> Frame:
    """Return one frame, as `frame_places` found it.

    Raises:
        BadDataError: it is damaged.
        ConfigError: its run directory is encrypted, and the key is not available.
    """
    with file.open("rb") as opened:
        opened.seek(offset)
        found = _frame_at(opened.read(end - offset), 0, _cipher_beside(file))
    if found is None:
        raise BadDataError(f"{file.name}: damaged at {offset}")
    return found


def frame_places(file: Path, offset: int = 0) -> Iterator[tuple[Head, int, int]]:
    """Yield head, offset and end of each frame of an intact file, without its payload."""
    with file.open("rb") as data:
        while True:
            data.seek(offset)
            fixed = data.read(_FIXED.size)
            if len(fixed) < _FIXED.size:
                return
            magic, length, _, head_length = _FIXED.unpack(fixed)
            if magic not in (MAGIC, SEALED_MAGIC):
                return
            end = offset + _FIXED.size + head_length + length
            yield _decoder.decode(data.read(head_length)), offset, end
            offset = end


def rewrite_frames(content: bytes, old: Cipher, new: Cipher) -> bytes:
    """Return a segment re-encrypted with another key, without torn frames.

    See `secrets.change.Rewrite`.

    Raises:
        BadDataError: a frame is not encrypted with the old key.
    """
    changed, offset = [], 0
    while 0 <= offset < len(content):
        frame = _frame_at(content, offset, old)
        if frame is None:
            offset = content.find(_COMMON, offset + 1)
            continue
        if (content[offset : offset + len(MAGIC)] == SEALED_MAGIC) != old.is_on:
            raise BadDataError("it is not encrypted" if old.is_on else "it is encrypted")
        changed.append(_packed(frame.head, old.unseal(frame.packed), new))
        offset = frame.end
    return b"".join(changed)


def _packed(head: Head, compressed: bytes, cipher: Cipher) -> bytes:
    packed, encoded = cipher.seal(compressed), _encoder.encode(head)
    crc = zlib.crc32(packed, zlib.crc32(encoded))
    magic = SEALED_MAGIC if cipher.is_on else MAGIC
    return _FIXED.pack(magic, len(packed), crc, len(encoded)) + encoded + packed


def _frame_at(data: bytes, offset: int, cipher: Cipher) -> Frame | None:
    start = offset + _FIXED.size
    if start > len(data):
        return None
    magic, length, crc, head_length = _FIXED.unpack_from(data, offset)
    end = start + head_length + length
    if magic not in (MAGIC, SEALED_MAGIC) or length > _LONGEST or end > len(data):
        return None
    encoded, packed = data[start : start + head_length], data[start + head_length : end]
    if zlib.crc32(packed, zlib.crc32(encoded)) != crc:
        return None
    head = _decoder.decode(encoded)
    used = cipher if magic == SEALED_MAGIC else PLAIN
    return Frame(head=head, offset=offset, end=end, packed=packed, cipher=used)


def _cipher_beside(file: Path) -> Cipher:
    """Return the cipher of a segment or crash file: of its run directory, or of its own folder."""
    ciphers = (cipher_of(folder, TRACE) for folder in (file.absolute().parent.parent, file.parent))
    return next((cipher for cipher in ciphers if cipher.is_on), PLAIN)
