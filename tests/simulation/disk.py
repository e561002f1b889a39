"""The disk beneath one world's journal: which of its writes were synced, and what a cut leaves.

A process that is killed leaves all it has written to the system. When the power is cut, only what
was synced is sure to be there: the database as of its last checkpoint, and its log up to the last
transaction that was committed with `synchronous = FULL`. Of the sectors that were written to the
log later, each may be on the disk or not, in any order. The files of SQLite are not written
otherwise: between checkpoints only the log grows.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from peewee import SqliteDatabase

from infra.store.sqlite.engine import SqliteEngine

_SECTOR_BYTES = 512
_PAGE_BYTES = 4096
_FULL = 2
"""As SQLite counts its levels of `synchronous`."""


class Disk:
    """One file of SQLite, with its log."""

    def __init__(self, file: Path, rng: Random) -> None:
        self.file = file
        self._log = file.with_name(file.name + "-wal")
        self._memory = file.with_name(file.name + "-shm")
        self._rng = rng
        self._synced_bytes = 0
        """Of the log, from its begin on."""
        self._before: bytes | None = None
        """The database, where it was written by a checkpoint that is not synced yet."""
        self._left: tuple[bytes, bytes] | None = None
        self._held: sqlite3.Connection | None = None
        self.database: SqliteDatabase | None = None
        """Connected once for all lives: to connect takes longer than all that a start asks."""
        self.is_checked = False
        """All facts were looked at since they could be damaged."""
        self._refusal, self._refuses_until_s = "", 0.0

    def refuses(self, why: str, until_s: float) -> None:
        """Refuse all writes until a time."""
        self._refusal, self._refuses_until_s = why, until_s

    def refusal(self, now_s: float) -> str | None:
        """Return why writes are refused; None: they are not."""
        return self._refusal if now_s < self._refuses_until_s else None

    def hold(self) -> None:
        """Keep a connection, so that no other one is the last, whose end is a checkpoint."""
        if self._held is None:
            self._held = sqlite3.connect(self.file)
            self._held.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()

    def note_synced(self) -> None:
        """Take all that is written for synced."""
        self._synced_bytes = self._log.stat().st_size if self._log.exists() else 0

    def checkpoint(self, *, is_cut: bool) -> None:
        """Move the log into the database, as SQLite does now and then; it is synced first.

        Args:
            is_cut: the power is cut before the database is synced.
        """
        if self._held is None:
            return
        self.note_synced()
        before = self.file.read_bytes()
        log = self._log.read_bytes()
        self._held.execute("PRAGMA wal_checkpoint(PASSIVE)")
        if is_cut:
            self._left = (self._mixed(before, self.file.read_bytes()), log)
            return
        # All is in the database now, so that the log may begin anew.
        is_busy, *_ = self._held.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if is_busy:
            raise RuntimeError("somebody reads, and the log cannot begin anew")
        self._synced_bytes = 0

    def cut_power(self) -> None:
        """Note what is left on the disk, of a process that has just died."""
        if self._left is None and self.file.exists():
            log = self._log.read_bytes() if self._log.exists() else b""
            self._left = (self.file.read_bytes(), self._torn(log))

    @property
    def is_cut(self) -> bool:
        """Tell whether the power was cut, and not everything is there any more."""
        return self._left is not None

    def come_back(self) -> None:
        """Let the files be what was left, once nobody has them open."""
        self.close()
        if self._left is None:
            return
        database, log = self._left
        self._left = None
        for file in (self.file, self._log, self._memory):
            file.unlink(missing_ok=True)
        self.file.write_bytes(database)
        self._log.write_bytes(log)
        self._synced_bytes = len(log)
        self.is_checked = False

    def close(self) -> None:
        """Let go of the file."""
        if self.database is not None:
            self.database.close()
        if self._held is not None:
            self._held.close()
            self._held = None

    def _torn(self, log: bytes) -> bytes:
        """Return a log whose newest part was not synced: shorter, or with sectors missing."""
        synced, rest = log[: self._synced_bytes], bytearray(log[self._synced_bytes :])
        rng = self._rng
        if not rest:
            return synced
        kind = rng.randrange(4)
        if kind == 0:
            return synced
        if kind == 1:
            return synced + bytes(rest)
        if kind == 2:
            return synced + bytes(rest[: rng.randrange(len(rest))])
        for begin in range(0, len(rest), _SECTOR_BYTES):
            if rng.random() < 0.3:
                length = len(rest[begin : begin + _SECTOR_BYTES])
                rest[begin : begin + length] = bytes(length)
        return synced + bytes(rest)

    def _mixed(self, before: bytes, after: bytes) -> bytes:
        """Return the database with some of its pages as they were."""
        pages = bytearray(after)
        for begin in range(0, min(len(before), len(after)), _PAGE_BYTES):
            if self._rng.random() < 0.5:
                pages[begin : begin + _PAGE_BYTES] = before[begin : begin + _PAGE_BYTES]
        return bytes(pages)


class PlayedEngine(SqliteEngine):
    """The real engine, whose disk is told of each transaction that was synced.

    All lives of a world have one connection: there is one thread, and a process that dies leaves
    no transaction open.
    """

    def __init__(self, disk: Disk, *, busy_timeout_ms: int) -> None:
        super().__init__(disk.file, busy_timeout_ms=busy_timeout_ms)
        self.database._pragmas.append(("wal_autocheckpoint", 0))
        self._disk = disk
        if disk.database is None:
            disk.database = self.database
        self.database = disk.database  # type: ignore[assignment]

    def close(self) -> None:
        """Let go of nothing."""

    def check_facts(self) -> None:
        """Look at all facts, unless nothing has happened since that could damage one."""
        if not self._disk.is_checked:
            super().check_facts()
            self._disk.is_checked = True

    @contextmanager
    def writing(self, *, is_durable: bool = False) -> Iterator[SqliteDatabase]:
        """Hold one transaction. See `SqliteEngine`."""
        with super().writing(is_durable=is_durable) as database:
            yield database
            level = database.connection().execute("PRAGMA synchronous").fetchone()[0]
            is_synced = level == _FULL
        if is_synced:
            self._disk.note_synced()
