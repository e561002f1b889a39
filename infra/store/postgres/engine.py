"""A PostgreSQL server as the journal's database."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import peewee
import psycopg

from domain.errors import ConfigError, JournalError
from infra.store.engine import (
    QUICK_MS,
    QUICK_TURN_MS,
    Holders,
    JournalBusyError,
    JournalFullError,
    Turns,
)
from infra.store.location import PostgresAddress
from infra.store.postgres.connection import one_line
from infra.store.postgres.database import PostgresDatabase
from infra.store.postgres.soundness import check_facts
from infra.store.postgres.writer import Writer
from infra.store.schema import NUMBERED

_REFUSALS = (
    peewee.OperationalError,
    peewee.InterfaceError,
    peewee.InternalError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.InternalError,
)


class PostgresEngine:
    """One schema of a database. See `infra.store.engine.Engine`.

    Every commit is on the server's disk before it is acknowledged: a server can be killed as well
    as a process.
    """

    refusals = _REFUSALS

    def __init__(self, address: PostgresAddress, *, patience_ms: int) -> None:
        """Remember the address; nothing is connected yet. See `postgres_engine`.

        Args:
            address: where to.
            patience_ms: how long to wait for the server, another program or another thread.
        """
        self.location = address
        self.database = PostgresDatabase(address, patience_ms=patience_ms)
        self._patience_ms = patience_ms
        self._turns, self._holders = Turns(), Holders()
        self._writer = Writer(address, statement_ms=patience_ms)
        self._is_refused = False
        """The last transaction could not be written."""

    def migrate(self) -> None:
        """Take the right to write, and create the tables or migrate them to the newest version."""
        try:
            with self._turns.take(self._patience_ms):
                self._writer.held(self._patience_ms / 1000)
        except psycopg.Error as error:
            if isinstance(error, _REFUSALS):
                raise
            raise ConfigError(
                f"{self.location}: cannot hold a journal: {one_line(error)}"
            ) from error

    def renumber(self) -> None:
        """Number new rows from the highest number on; in a transaction."""
        for table in NUMBERED:
            self.database.execute_sql(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), MAX(id)) FROM {table}"  # noqa: S608 (our own names)
            )

    def release(self) -> None:
        """Let another process write."""
        with self._turns.take(self._patience_ms):
            self._writer.drop()

    @property
    def connections(self) -> int:
        """How many threads have a connection."""
        return len(self._holders)

    def connect(self) -> None:
        """Give this thread a connection, unless it has one."""
        self.database.open()
        self._holders.add()

    def close(self) -> None:
        """Close this thread's connection; may be called twice."""
        self.database.close()
        self._holders.discard()

    @contextmanager
    def writing(self, *, is_durable: bool = False) -> Iterator[PostgresDatabase]:  # noqa: ARG002 (always)
        """Hold one transaction when its turn comes. See `Engine`.

        After one has failed, the next ones wait only briefly until one succeeds, so that a caller
        that keeps retrying is not held up each time.
        """
        with self._turns.take(QUICK_TURN_MS if self._is_refused else self._patience_ms):
            try:
                with (
                    self._writer.transaction(self._writer_patience_s()) as connection,
                    self.database.lent(connection),
                ):
                    yield self.database
                self._is_refused = False
            except (JournalError, *_REFUSALS):
                self._is_refused = True
                raise

    def outcome(self, transaction: str) -> bool:
        """Tell whether a transaction of unknown outcome was committed. See `Engine`."""
        with self._turns.take(QUICK_TURN_MS), self._as_journal_error():
            return self._writer.outcome(transaction, self._writer_patience_s())

    def check_right(self) -> None:
        """Check that this process may write. See `Engine`."""
        try:
            with self._turns.take(QUICK_TURN_MS):
                self._writer.check(self._writer_patience_s())
        except (JournalError, *_REFUSALS) as error:
            raise JournalError(
                f"{self.location}: the right to write is lost with the connection "
                f"({one_line(error)}), so nothing is sent; only the stops at the exchange protect "
                "until it is back"
            ) from error

    def check_facts(self) -> None:
        """Check that the facts are undamaged. See `Engine`."""
        check_facts(self.database, self.location)

    def refusal(self, error: Exception) -> JournalError:
        """Return the error that a failure stands for."""
        cause = self.cause(error)
        state = getattr(cause, "sqlstate", None) or ""
        if state.startswith("53"):
            return JournalFullError(f"{self.location}: the server has no room: {one_line(cause)}")
        return JournalBusyError(f"{self.location}: cannot be used: {one_line(cause)}")

    def cause(self, error: BaseException) -> BaseException:
        """Return the first failure that led to an exception."""
        first = error
        while isinstance(first.__context__, (peewee.PeeweeException, psycopg.Error)):
            first = first.__context__
        return first

    def _writer_patience_s(self) -> float:
        return (QUICK_MS if self._is_refused else self._patience_ms) / 1000

    @contextmanager
    def _as_journal_error(self) -> Iterator[None]:
        try:
            yield
        except _REFUSALS as error:
            raise self.refusal(error) from error


@cache
def postgres_engine(address: PostgresAddress, patience_ms: int) -> PostgresEngine:
    """Return the engine of an address, one per process: it takes the right to write once."""
    return PostgresEngine(address, patience_ms=patience_ms)
