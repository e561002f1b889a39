"""Connections to a PostgreSQL server, and their settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg import errors
from psycopg.abc import PQGen

from infra.store.location import PostgresAddress

_CONNECT_S = 3
_LOOK_S = 0.1
_Result = TypeVar("_Result")
_READ_MS = 60_000
"""Reading a year of candles may take a while."""

_HOURS_S = 6 * 3600.0
_SLACK_S = 2.0
"""Added to the server's own limit: a server that keeps to its limit answers before."""


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """Waits no longer for an answer than the server may take: a hung server ends no statement."""

    limit_s = _READ_MS / 1000 + _SLACK_S

    def wait(
        self,
        gen: PQGen[_Result],
        interval: float = _LOOK_S,
        timeout: float | None = None,
    ) -> _Result:
        """Wait for the result of a statement.

        Raises:
            psycopg.OperationalError: nothing came in time; the connection is closed.
        """
        try:
            return super().wait(gen, interval, timeout or self.limit_s)
        except errors._WaitTimeout as error:  # noqa: SLF001 (what `wait` raises has no other name)
            self.close()
            text = f"the server has not answered for {self.limit_s:.0f} s"
            raise psycopg.OperationalError(text) from error


def connect(address: PostgresAddress, *, name: str, statement_ms: int = _READ_MS) -> Connection:
    """Return a connection in which each statement is a transaction of its own.

    Args:
        address: of the server and schema.
        name: shown to the server's administrator.
        statement_ms: time after which the server cancels a statement, or a wait for a lock.

    Raises:
        psycopg.OperationalError: it cannot connect.
    """
    connection = Connection.connect(
        address.url,
        password=address.password,
        autocommit=True,
        application_name=name,
        connect_timeout=_CONNECT_S,
        # A server that vanished is noticed within some ten seconds, even while only waiting for it.
        keepalives=1,
        keepalives_idle=4,
        keepalives_interval=2,
        keepalives_count=3,
        tcp_user_timeout=10_000,
    )
    connection.limit_s = statement_ms / 1000 + _SLACK_S
    with closed_on_error(connection):
        execute(
            connection,
            f"SET search_path = {address.schema}; SET synchronous_commit = on; "
            f"SET statement_timeout = {statement_ms}; SET lock_timeout = {statement_ms}; "
            "SET idle_in_transaction_session_timeout = 60000; SET timezone = 'UTC'",
        )
    return connection


def connect_to_read(address: PostgresAddress, *, name: str) -> Connection:
    """Return a connection that cannot write. See `connect`."""
    connection = connect(address, name=name)
    with closed_on_error(connection):
        execute(connection, "SET default_transaction_read_only = on")
    return connection


@contextmanager
def closed_on_error(connection: Connection) -> Iterator[None]:
    """Close a connection if the body fails."""
    try:
        yield
    except BaseException:
        connection.close()
        raise


@contextmanager
def patient(connection: Connection) -> Iterator[None]:
    """Hold one transaction whose statements may take hours; the wait for locks stays limited."""
    usual_s, connection.limit_s = connection.limit_s, _HOURS_S
    try:
        with connection.transaction():
            execute(connection, "SET LOCAL statement_timeout = 0")
            yield
    finally:
        connection.limit_s = usual_s


def execute(connection: Connection, query: str, *given: object) -> psycopg.Cursor[tuple[Any, ...]]:
    """Execute a query; the text may hold several statements if no values are given."""
    return connection.execute(query, given or None)


def rows_of(cursor: psycopg.Cursor[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Return the rows, columns by name; of two with the same name the first, as in SQLite."""
    indices: dict[str, int] = {}
    for index, column in enumerate(cursor.description or ()):
        indices.setdefault(column.name, index)
    return [{name: row[index] for name, index in indices.items()} for row in cursor]


def one_line(error: BaseException) -> str:
    """Return the first line of an error of the server or client, without its explanations."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
