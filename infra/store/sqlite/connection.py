"""A read-only connection to a journal, which does not disturb its writer."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from domain.errors import JournalError
from infra.store.location import NoJournalError
from infra.store.sqlite import driver


class SqliteReading:
    """Rows of one journal, of a running or finished run. See `infra.store.reading.Reading`."""

    def __init__(self, file: Path) -> None:
        """Open the file; for use in this thread only.

        Raises:
            ConfigError: there is none, or it is encrypted and cannot be opened.
        """
        if not file.is_file():
            raise NoJournalError(f"{file}: no journal there; name the run with --run-dir or --mode")
        self.location = file
        self._connection = driver.connect(file, is_read_only=True)
        driver.name_columns(self._connection)

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._connection.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all queries inside see the facts of one moment."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK")

    def doubt(self) -> str:
        """Return an empty text: a file is on this machine's disk."""
        return ""

    def rows(self, query: str, *given: object) -> list[dict[str, Any]]:
        """Return the rows of a query, columns by name.

        Raises:
            JournalError: the journal cannot be read by this program.
            NoJournalError: the process that created the file died before it created the tables.
        """
        try:
            return [dict(row) for row in self._connection.execute(query.replace("%s", "?"), given)]
        except driver.errors() as error:
            if self._is_empty():
                raise NoJournalError(f"{self.location}: nothing was stored there yet") from error
            raise JournalError(
                f"{self.location}: cannot be read by this program: {error}"
            ) from error

    def _is_empty(self) -> bool:
        try:
            return self._connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None
        except driver.errors():
            return False
