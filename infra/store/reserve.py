"""The reserve: a file with preallocated disk space, for facts that cannot wait for the journal.

It is filled with zeros and synced when a run starts, so that a record needs no new disk block:
what is written later overwrites blocks that the file already has. (A file system that never
overwrites, like btrfs or zfs, gives no such promise; there a record may be kept in memory alone.)

A record begins at a sector: magic, whether it is booked, its number, length and checksum, then
address, time and facts as JSON. It is synced before `add` returns. Once its facts are committed to
the journal it is marked as booked, one byte in place; a kill between the two leaves a record whose
facts are stored already, which the journal finds out when it reads it (`JournalWriter.kept`). Space
is reused from the front once every record is booked. Reading checks each sector: a record counts if
magic and checksum are right and it is not booked, so a torn record is as if it had never been
begun, and hides no other.

After the records comes ballast: space that a start on a full disk gives up (`make_room`), because
without a few free pages not even the database can be opened. Until the ballast has its space again
the reserve counts as not allocated, and no position is opened.

What cannot be written (no space at the start, or the device fails) is kept in memory, so that a
replaced actor still finds it; `is_kept` is false while a kill would lose something.
"""

import os
import struct
import threading
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from loguru import logger

from domain.errors import BadDataError, ConfigError
from domain.facts import Fact
from domain.portfolio.protection import ProtectionState
from domain.trading.decisions import Decision
from infra.secrets.cipher import PLAIN, Cipher
from infra.store.reserve_records import pack, unpack

RESERVE = "reserve"
"""The purpose of the key of its records."""
SIZE_BYTES = 1 << 20
"""Enough for some two thousand closes."""
BALLAST_BYTES = 512 << 10
"""Space after the records, for what a start needs: above all the database's shared memory."""
_SECTOR_BYTES = 512
_MAGIC = b"RSV1"
_HEADER = struct.Struct("<4sB3xQII")
"""Magic, whether it is booked, number, length of the rest and its checksum."""
_BOOKED_AT = 4
"""Offset of the byte that says whether it is booked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Facts of one address that belong together."""

    number: int
    address: str
    recorded_ms: int
    """When they were recorded, by the trading clock."""
    facts: tuple[Fact, ...]
    offset: int | None
    """In the file; None: in memory only."""


class Reserve:
    """All records that are not booked; thread-safe."""

    def __init__(
        self, file: Path | None, size_bytes: int = SIZE_BYTES, cipher: Cipher = PLAIN
    ) -> None:
        """Read what an earlier process left, and allocate missing space.

        Args:
            file: created if missing; None: memory only, for runs that are never killed.
            size_bytes: of a new file.
            cipher: seals the records in it.
        """
        self._file = file
        self._size_bytes, self._cipher = size_bytes, cipher
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._has_ballast = False
        self._records: list[Record] = []
        self._booked: set[int] = set()
        """Records in the file that could not be marked as booked."""
        self._is_refused = False
        """The last attempt to allocate the file's space failed."""
        self._number = 0
        self._end = 0
        self.allocate()

    @property
    def is_allocated(self) -> bool:
        """Tell whether the file has its space; always true without a file."""
        return self._file is None or self._has_ballast

    @property
    def is_kept(self) -> bool:
        """Tell whether every record would survive the process."""
        return self._file is None or all(record.offset is not None for record in self.records())

    @property
    def newest_epoch(self) -> int:
        """The newest protection epoch among the records; 0: there is none."""
        return max((epoch for record in self.records() for epoch in _epochs(record)), default=0)

    def allocate(self) -> bool:
        """Allocate the file's space if needed; return False if the disk has none."""
        with self._lock:
            if self.is_allocated or self._file is None:
                return True
            try:
                if self._descriptor is None:
                    self._descriptor = _allocated(self._file, self._size_bytes)
                    self._read(self._descriptor)
                _add_ballast(self._descriptor, self._size_bytes)
            except OSError as error:
                if not self._is_refused:
                    logger.debug("{}: no space can be allocated: {}", self._file, error.strerror)
                    self._read_unallocated()
                self._is_refused = True
                return False
            self._is_refused, self._has_ballast = False, True
            return True

    def make_room(self) -> None:
        """Release the ballast if the disk has no other space left."""
        with self._lock:
            if self._file is None or self._descriptor is None:
                return
            disk = os.statvfs(self._file)
            if disk.f_bavail * disk.f_frsize < BALLAST_BYTES:
                logger.debug("the disk is full: the ballast of {} is given up", self._file)
                os.ftruncate(self._descriptor, self._size_bytes)
                self._has_ballast = False

    def records(self, address: str | None = None) -> list[Record]:
        """Return the records of an address (None: of all) that are not booked, oldest first."""
        with self._lock:
            return [r for r in self._records if address in (None, r.address)]

    def add(self, address: str, facts: Sequence[Fact], recorded_ms: int) -> bool:
        """Keep facts; return False if they are in memory only."""
        with self._lock:
            self._number += 1
            body = pack(address, recorded_ms, facts)
            offset = self._write(self._number, body)
            record = Record(
                number=self._number,
                address=address,
                recorded_ms=recorded_ms,
                facts=tuple(facts),
                offset=offset,
            )
            self._records.append(record)
            return offset is not None

    def discard(self, record: Record) -> None:
        """Forget a record whose facts are stored."""
        with self._lock:
            self._records.remove(record)
            if record.offset is not None and not self._mark_booked(record.offset):
                self._booked.add(record.number)
            if not self._records:
                self._end = 0

    def close(self) -> None:
        """Close the file; may be called twice."""
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
            self._descriptor = None

    def _mark_booked(self, offset: int) -> bool:
        descriptor = self._descriptor
        return descriptor is not None and self._overwrite(descriptor, b"\1", offset + _BOOKED_AT)

    def _write(self, number: int, body: bytes) -> int | None:
        """Return the offset at which a record was written; None if it was not."""
        if self._file is None:
            return None
        offset = self._end
        body = self._cipher.seal(body)
        header = _HEADER.pack(_MAGIC, 0, number, len(body), _checksum(number, body))
        end = offset + _sectors(len(header) + len(body))
        if self._descriptor is None or end > self._size_bytes:
            logger.critical("{} has no room: a record is only kept in memory", self._file)
            return None
        if not self._overwrite(self._descriptor, header + body, offset):
            return None
        self._end = end
        return offset

    def _overwrite(self, descriptor: int, data: bytes, offset: int) -> bool:
        try:
            _write_all(descriptor, data, offset)
            os.fsync(descriptor)
        except OSError as error:
            logger.critical("{} cannot be written: {}", self._file, error.strerror)
            return False
        return True

    def _read(self, descriptor: int) -> None:
        """Find the records of an earlier process, and append those of this one."""
        data = os.pread(descriptor, self._size_bytes, 0)
        in_file = sorted(_records_in(data, self._cipher), key=lambda record: record.number)
        found = [record for record in in_file if record.number not in self._booked]
        of_ours = [record for record in self._records if record.offset is None]
        self._number = max(self._number, _newest_number(data))
        self._end = max((_end_of(data, r.offset or 0) for r in in_file), default=0)
        self._records = [*found, *map(self._rewritten, of_ours)]

    def _rewritten(self, record: Record) -> Record:
        self._number += 1
        body = pack(record.address, record.recorded_ms, record.facts)
        return replace(record, number=self._number, offset=self._write(self._number, body))

    def _read_unallocated(self) -> None:
        """Find the records in a file that has lost part of its space."""
        if self._file is None or self._descriptor is not None or not self._file.exists():
            return
        try:
            data = self._file.read_bytes()
            self._records = sorted(_records_in(data, self._cipher), key=lambda r: r.number)
        except OSError as error:
            logger.critical("{} cannot be read: {}", self._file, error.strerror)


def count_waiting(file: Path) -> int:
    """Return how many records wait in a reserve file, which may be in use; 0 without a file."""
    data = file.read_bytes() if file.exists() else b""
    return sum(not booked for _, booked, _, _ in _headers_in(data))


def _allocated(file: Path, size_bytes: int) -> int:
    """Return the descriptor of a file that has all its blocks.

    Raises:
        OSError: there is no space, or the file cannot be made.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        found = os.fstat(descriptor)
        # A copy may have holes instead of zeros: its contents are then written again.
        is_whole = found.st_size >= size_bytes and found.st_blocks * _SECTOR_BYTES >= size_bytes
        if not is_whole:
            data = os.pread(descriptor, size_bytes, 0)
            _write_all(descriptor, data.ljust(size_bytes, b"\0"))
            os.fsync(descriptor)
            _sync_folder(file.parent)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _add_ballast(descriptor: int, offset: int) -> None:
    """Allocate the space after the records, or none of it.

    Raises:
        OSError: there is not enough.
    """
    found = os.fstat(descriptor)
    wanted = offset + BALLAST_BYTES
    if found.st_size >= wanted and found.st_blocks * _SECTOR_BYTES >= wanted:
        return
    try:
        _write_all(descriptor, bytes(BALLAST_BYTES), offset)
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, offset)
        raise


def _write_all(descriptor: int, data: bytes, offset: int = 0) -> None:
    written = 0
    while written < len(data):
        written += os.pwrite(descriptor, data[written:], offset + written)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _headers_in(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield the offset, booked flag, number and body of each intact record."""
    for offset in range(0, len(data) - _HEADER.size, _SECTOR_BYTES):
        magic, booked, number, length, checksum = _HEADER.unpack_from(data, offset)
        body = data[offset + _HEADER.size : offset + _HEADER.size + length]
        if magic == _MAGIC and len(body) == length and _checksum(number, body) == checksum:
            yield offset, booked, number, body


def _records_in(data: bytes, cipher: Cipher) -> Iterator[Record]:
    for offset, booked, number, body in _headers_in(data):
        if not booked:
            try:
                address, recorded_ms, facts = unpack(cipher.unseal(body))
            except (BadDataError, KeyError, TypeError, ValueError) as error:
                message = (
                    "journal.reserve: was written by another version of this program; start that "
                    f"one once more, with room on the disk ({type(error).__name__}: {error})"
                )
                raise ConfigError(message) from error
            yield Record(
                number=number,
                address=address,
                recorded_ms=recorded_ms,
                facts=facts,
                offset=offset,
            )


def _newest_number(data: bytes) -> int:
    return max((number for _, _, number, _ in _headers_in(data)), default=0)


def _end_of(data: bytes, offset: int) -> int:
    length = _HEADER.unpack_from(data, offset)[3]
    return offset + _sectors(_HEADER.size + int(length))


def _sectors(length: int) -> int:
    return -(-length // _SECTOR_BYTES) * _SECTOR_BYTES


def _checksum(number: int, body: bytes) -> int:
    return zlib.crc32(body, number & 0xFFFFFFFF)


def _epochs(record: Record) -> Iterator[int]:
    for fact in record.facts:
        if isinstance(fact, ProtectionState):
            yield fact.epoch
        elif isinstance(fact, Decision) and fact.protection is not None:
            yield fact.protection.epoch
