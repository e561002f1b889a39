"""An SQLite file as the journal's database."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import peewee
from peewee import SqliteDatabase

from domain.errors import ConfigError, JournalError
from infra.store.engine import (
    QUICK_MS,
    QUICK_TURN_MS,
    Holders,
    JournalBusyError,
    JournalFullError,
    Turns,
)
from infra.store.schema import MIGRATIONS, Migration
from infra.store.sqlite import driver
from infra.store.sqlite.soundness import check_facts


class SqliteEngine:
    """One file. See `infra.store.engine.Engine`."""

    def __init__(self, file: Path, *, busy_timeout_ms: int, is_short_of_room: bool = False) -> None:
        """Remember the file; nothing is opened yet.

        Args:
            file: the database.
            busy_timeout_ms: how long to wait for a database held by others.
            is_short_of_room: whether the disk is full.
        """
        self.location = file
        self._turns, self._holders = Turns(), Holders()
        self._busy_timeout_ms = busy_timeout_ms
        self._is_refused = False
        """The last transaction could not be written."""
        self.database = _Database(
            str(file),
            autoconnect=False,
            pragmas={
                "journal_mode": "wal",
                "synchronous": "normal",
                "foreign_keys": 1,
                "recursive_triggers": 1,  # else replacing a row skips the delete trigger
                "busy_timeout": busy_timeout_ms,
            },
        )
        self._kept_open = _kept_open(file) if is_short_of_room else None

    @property
    def refusals(self) -> tuple[type[Exception], ...]:
        """The exceptions it raises when it cannot be used."""
        return driver.errors("OperationalError", peewee.OperationalError)

    def migrate(self) -> None:
        """Create the tables, or migrate them to the newest version. See `Engine`."""
        migrate(self.database, str(self.location))

    @property
    def connections(self) -> int:
        """How many threads have a connection."""
        return len(self._holders)

    def connect(self) -> None:
        """Give this thread a connection, unless it has one."""
        self.database.connect(reuse_if_open=True)
        self._holders.add()

    def close(self) -> None:
        """Close this thread's connection; may be called twice."""
        self.database.close()
        self._holders.discard()

    @contextmanager
    def writing(self, *, is_durable: bool = False) -> Iterator[SqliteDatabase]:
        """Hold one transaction when its turn comes. See `Engine`.

        After one has failed, the next ones wait only briefly until one succeeds, so that a caller
        that keeps retrying is not held up each time.
        """
        with (
            self._turns.take(QUICK_TURN_MS if self._is_refused else self._busy_timeout_ms),
            self._pragma("synchronous", "full", "normal", is_set=is_durable),
            self._pragma("busy_timeout", QUICK_MS, self._busy_timeout_ms, is_set=self._is_refused),
        ):
            try:
                with self.database.atomic("IMMEDIATE"):
                    yield self.database
                self._is_refused = False
            except self.refusals:
                self._is_refused = True
                raise

    def outcome(self, transaction: str) -> bool:
        """Raise an error: SQLite's transactions never have an unknown outcome."""
        raise JournalError(f"{self.location}: knows nothing of transaction {transaction}")

    def check_right(self) -> None:
        """Do nothing: the process that holds the run directory may write."""

    def renumber(self) -> None:
        """Do nothing: SQLite does so with each row."""

    def release(self) -> None:
        """Do nothing: the process that holds the run directory may write."""

    def check_facts(self) -> None:
        """Check that the facts are undamaged. See `Engine`."""
        check_facts(self.database.connection(), self.location)  # type: ignore[no-untyped-call]

    def refusal(self, error: Exception) -> JournalError:
        """Return the error that a failure stands for."""
        if _is_busy(error):
            message = f"{self.location}: another program holds the journal; end it, or wait for it"
            return JournalBusyError(message)
        cause = self.cause(error)
        if _code(cause) in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            # Pages could not be allocated, for the file itself or for its shared memory.
            return JournalFullError(f"{self.location}: the disk has no room, or fails: {cause}")
        return JournalError(f"{self.location}: the journal cannot be used: {cause}")

    def cause(self, error: BaseException) -> BaseException:
        """Return the first failure: a full disk ends the transaction, then its rollback fails."""
        kinds = driver.errors("DatabaseError", peewee.DatabaseError)
        first: BaseException = error
        while isinstance(first.__context__, kinds):
            first = first.__context__
        return first

    @contextmanager
    def _pragma(self, name: str, value: object, usual: object, *, is_set: bool) -> Iterator[None]:
        if not is_set:
            yield
            return
        self.database.pragma(name, value)
        try:
            yield
        finally:
            self.database.pragma(name, usual)


class _Database(SqliteDatabase):
    """Connects through our driver, which knows whether the file is encrypted."""

    def _connect(self) -> sqlite3.Connection:
        connection = driver.connect(Path(str(self.database)))
        try:
            cast("Any", self)._add_conn_hooks(connection)  # noqa: SLF001 (of its base)
        except BaseException:
            connection.close()
            raise
        return connection


def migrate(database: SqliteDatabase, file: str) -> None:
    """Migrate a database to the newest version, all steps or none.

    Raises:
        ConfigError: the database was made by a newer version.
    """
    if database.user_version == len(MIGRATIONS):
        return  # a read, which works even on a full disk
    with database.atomic("IMMEDIATE"):
        version = database.user_version
        if version > len(MIGRATIONS):
            message = (
                f"{file}: the journal is of version {version}, this program knows up to "
                f"{len(MIGRATIONS)}; use a newer program or another run directory"
            )
            raise ConfigError(message)
        for migration in MIGRATIONS[version:]:
            for statement in _statements(migration):
                database.execute_sql(statement)  # type: ignore[no-untyped-call]
        database.user_version = len(MIGRATIONS)


def remove_file(file: Path) -> None:
    """Remove a database that is not in use."""
    for part in ("", "-wal", "-shm"):
        file.with_name(file.name + part).unlink(missing_ok=True)


def _statements(migration: Migration) -> Iterator[str]:
    for statement in migration.statements():
        text = statement
        for word, form in (("UTC_TEXT", "%Y-%m-%d %H:%M:%S"), ("UTC_DAY", "%Y-%m-%d")):
            text = re.sub(rf"{word}\((.*?)\)", rf"strftime('{form}', \1 / 1000, 'unixepoch')", text)
        yield text
    for table in migration.append_only:
        for verb in ("update", "delete"):
            yield (
                f"CREATE TRIGGER {table}_refuses_{verb} BEFORE {verb} ON {table} BEGIN "
                f"SELECT RAISE(ABORT, 'facts are append-only: {verb} on {table} is refused'); END"
            )


def _kept_open(file: Path) -> sqlite3.Connection | None:
    """Return a connection that is never closed, so that no other one is ever the last to close.

    The last one to close moves the write-ahead log into the database, which fails on a full disk
    and takes space that others need.
    """
    if not file.exists():
        return None
    database = driver.connect(file, check_same_thread=False)
    with suppress(*driver.errors()):
        database.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    return database


def _is_busy(error: BaseException) -> bool:
    """Tell whether another program holds the database."""
    return _code(error.__cause__ or error.__context__ or error) in (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
    )


def _code(error: BaseException) -> int | None:
    """Return SQLite's primary result code."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
