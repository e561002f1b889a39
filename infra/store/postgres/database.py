"""A PostgreSQL database in peewee's interface."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import peewee

from domain.errors import JournalError
from infra.store.engine import JournalBusyError
from infra.store.location import PostgresAddress
from infra.store.postgres.connection import Connection, connect_to_read, one_line

_PAUSE_S = 0.05
_LOST = (peewee.OperationalError, peewee.InterfaceError, peewee.InternalError)


class PostgresDatabase(peewee.PostgresqlDatabase):
    """Reads by a read-only connection of each thread; writes by a lent one.

    A read whose connection was lost is repeated on a new one.
    """

    def __init__(self, address: PostgresAddress, *, patience_ms: int) -> None:
        """Remember the address; nothing is connected yet.

        Args:
            address: of the server and schema.
            patience_ms: how long to try to replace a lost connection.
        """
        self._address = address
        self._patience_ms = patience_ms
        self._lent = threading.local()
        super().__init__(address.url, autoconnect=False, prefer_psycopg3=True)

    @contextmanager
    def lent(self, connection: Connection) -> Iterator[None]:
        """Run this thread's queries inside the block on the given connection."""
        self._lent.connection = connection
        try:
            yield
        finally:
            self._lent.connection = None

    def cursor(self, named_cursor: str | None = None) -> Any:
        """Return a cursor of the lent connection, or else of the thread's own."""
        lent = getattr(self._lent, "connection", None)
        return super().cursor(named_cursor) if lent is None else lent.cursor()  # type: ignore[no-untyped-call]

    def open(self) -> None:
        """Connect this thread unless it is connected; wait for a server that is away.

        Raises:
            JournalError: it does not answer in time.
        """
        if self.is_closed():
            self._reconnect(time.monotonic() + self._patience_ms / 1000)

    def execute_sql(self, sql: str, params: Sequence[object] | None = None) -> Any:
        """Execute a statement; a lost reading connection is replaced.

        Raises:
            JournalError: it cannot be replaced in time.
        """
        given = tuple(map(_storable, params or ()))
        deadline_s = time.monotonic() + self._patience_ms / 1000
        while True:
            try:
                return super().execute_sql(sql, given)  # type: ignore[no-untyped-call]
            except _LOST as error:
                if not self._is_lost():
                    raise
                if time.monotonic() > deadline_s:
                    raise self._unreadable(error) from error
            self._reconnect(deadline_s)

    def _unreadable(self, error: Exception) -> JournalError:
        return JournalBusyError(f"{self._address}: cannot be read: {one_line(error)}")

    def _is_lost(self) -> bool:
        if getattr(self._lent, "connection", None) is not None:
            return False
        if self.is_closed():
            return getattr(self._lent, "is_cut", False)
        return bool(self.connection().closed)  # type: ignore[no-untyped-call]

    def _reconnect(self, deadline_s: float) -> None:
        # Until there is a new one, this thread counts as having lost its connection.
        self._lent.is_cut = True
        while True:
            with suppress(peewee.DatabaseError, peewee.InterfaceError):
                super().close()
            try:
                self.connect()
            except _LOST as error:
                if time.monotonic() > deadline_s:
                    raise self._unreadable(error) from error
                time.sleep(_PAUSE_S)
            else:
                self._lent.is_cut = False
                return

    def close(self) -> bool:
        """Close this thread's connection; return whether there was one."""
        self._lent.is_cut = False
        return bool(super().close())

    def _connect(self) -> Connection:
        return connect_to_read(self._address, name="trading reads")


def _storable(value: object) -> object:
    """Return a value without NUL, the one character that PostgreSQL texts cannot hold."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value
