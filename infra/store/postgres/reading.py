"""A journal in PostgreSQL, read-only."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from domain.errors import ConfigError, JournalError
from infra.store.location import NoJournalError, PostgresAddress
from infra.store.postgres.connection import (
    closed_on_error,
    connect_to_read,
    execute,
    one_line,
    rows_of,
)
from infra.store.postgres.server import DOUBT


class PostgresReading:
    """Rows of one journal, of a running or finished run. See `infra.store.reading.Reading`."""

    def __init__(self, address: PostgresAddress) -> None:
        """Connect; for use in this thread only.

        Raises:
            ConfigError: there is no journal, or no server.
        """
        self.location = address
        try:
            self._connection = connect_to_read(address, name="trading reader")
            with closed_on_error(self._connection):
                self._demand_facts()
        except psycopg.Error as error:
            raise ConfigError(f"{address}: cannot be read: {one_line(error)}") from error

    def _demand_facts(self) -> None:
        name = f"{self.location.schema}.fact"
        found = execute(self._connection, "SELECT to_regclass(%s)", name).fetchone()
        if found is None or found[0] is None:
            raise NoJournalError(
                f"{self.location}: no journal there; name the run with --run-dir or --mode"
            )

    def close(self) -> None:
        """Close the connection; may be called twice."""
        self._connection.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all queries inside see the facts of one moment."""
        execute(self._connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            yield
        finally:
            execute(self._connection, "ROLLBACK")

    def doubt(self) -> str:
        """Return why a failover may lose facts; empty if it does not."""
        return str(self.rows(DOUBT)[0]["doubt"])

    def rows(self, query: str, *given: object) -> list[dict[str, Any]]:
        """Return the rows of a query, columns by name.

        Raises:
            JournalError: the journal cannot be read by this program.
        """
        try:
            return rows_of(execute(self._connection, query, *given))
        except psycopg.Error as error:
            message = f"{self.location}: cannot be read by this program: {one_line(error)}"
            raise JournalError(message) from error
