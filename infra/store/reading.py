"""A read-only connection to a journal, which does not disturb its writer."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from domain.errors import ConfigError
from infra.store.location import Location
from infra.store.sqlite.connection import SqliteReading

PACKAGES = (
    "PostgreSQL needs packages that are not installed; install them: "
    ".venv/bin/python -m pip install -r requirements-postgres.txt"
)


class Reading(Protocol):
    """Rows of one journal, of a running or finished run; in one thread."""

    def close(self) -> None:
        """Close the journal; may be called twice."""

    def snapshot(self) -> AbstractContextManager[None]:
        """Let all queries inside see the facts of one moment."""

    def doubt(self) -> str:
        """Return why the database may lose facts; empty if no reason is known.

        Raises:
            JournalError: it cannot be queried.
        """

    def rows(self, query: str, *given: object) -> list[dict[str, Any]]:
        """Return the rows of a query, columns by name.

        Args:
            query: with `%s` for each value.
            given: the values.

        Raises:
            JournalError: the journal cannot be read by this program.
        """


def open_reading(location: Location) -> Reading:
    """Open a journal for reading.

    Raises:
        ConfigError: there is none.
    """
    if isinstance(location, Path):
        return SqliteReading(location)
    try:
        from infra.store.postgres.reading import PostgresReading  # noqa: PLC0415 (optional)
    except ImportError as error:
        raise ConfigError(f"{location}: {PACKAGES}") from error
    return PostgresReading(location)
