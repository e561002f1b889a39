"""A database of PostgreSQL, as peewee asks it."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import peewee

from infra.store.location import PostgresAddress
from infra.store.postgres.connection import Connection, connect, execute

_PAUSE_S = 0.05
_LOST = (peewee.OperationalError, peewee.InterfaceError, peewee.InternalError)


class PostgresDatabase(peewee.PostgresqlDatabase):
    """Reads by a connection of the thread's own, which cannot write; writes by one that is lent.

    A read whose connection was lost is asked again by a new one.
    """

    def __init__(self, address: PostgresAddress, *, patience_ms: int) -> None:
        """Connect nowhere yet.

        Args:
            address: where to.
            patience_ms: how long a lost connection is tried to be made anew.
        """
        self._address = address
        self._patience_ms = patience_ms
        self._lent = threading.local()
        super().__init__(address.url, autoconnect=False, prefer_psycopg3=True)

    @contextmanager
    def lent(self, connection: Connection) -> Iterator[None]:
        """Let what this thread asks for inside go through a connection."""
        self._lent.connection = connection
        try:
            yield
        finally:
            self._lent.connection = None

    def cursor(self, named_cursor: str | None = None) -> Any:
        """Return a cursor of the lent connection, or else of the thread's own."""
        lent = getattr(self._lent, "connection", None)
        return super().cursor(named_cursor) if lent is None else lent.cursor()  # type: ignore[no-untyped-call]

    def execute_sql(self, sql: str, params: Sequence[object] | None = None) -> Any:
        """Execute; a lost connection for reading is made anew."""
        given = tuple(map(_storable, params or ()))
        deadline_s = time.monotonic() + self._patience_ms / 1000
        while True:
            try:
                return super().execute_sql(sql, given)  # type: ignore[no-untyped-call]
            except _LOST:
                if not self._is_lost() or time.monotonic() > deadline_s:
                    raise
            self._reconnect(deadline_s)

    def _is_lost(self) -> bool:
        if getattr(self._lent, "connection", None) is not None or self.is_closed():
            return False
        return bool(self.connection().closed)  # type: ignore[no-untyped-call]

    def _reconnect(self, deadline_s: float) -> None:
        while True:
            with suppress(peewee.DatabaseError, peewee.InterfaceError):
                self.close()
            try:
                self.connect()
            except _LOST:
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(_PAUSE_S)
            else:
                return

    def _connect(self) -> Connection:
        connection = connect(self._address, name="trading reads")
        execute(connection, "SET default_transaction_read_only = on")
        return connection


def _storable(value: object) -> object:
    """Return a value without the one character that texts of PostgreSQL cannot hold."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value
