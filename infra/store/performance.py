"""The performance of each asset, updated by what was stored since the last reading."""

from typing import Any

from domain.portfolio.performance import Performances
from infra.store.location import Location
from infra.store.performance_facts import PerformanceFacts
from infra.store.reading import Reading, open_reading


class PerformanceReader:
    """Reads on a read-only connection, from one thread only."""

    def __init__(self, file: Location, candle_ms: int) -> None:
        """Remember the journal; nothing is read yet.

        Args:
            file: the journal.
            candle_ms: candle length of the run.
        """
        self._file = file
        self._journal: Reading | None = None
        self._facts = PerformanceFacts(self._rows, candle_ms)

    def read(self) -> Performances:
        """Return the performance figures over all facts.

        Raises:
            JournalError: the journal cannot be read.
        """
        return self._facts.read()

    def close(self) -> None:
        """Close the journal; the next reading opens it again."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _rows(self, query: str, *given: object) -> list[dict[str, Any]]:
        if self._journal is None:
            self._journal = open_reading(self._file)
        return self._journal.rows(query, *given)
