"""A journal with facts of all kinds, and what was published of it."""

import lzma
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from infra.operator.events.event import Event
from infra.store.journal import JournalStore
from infra.store.opening import open_store
from infra.store.reading import open_reading

RECORDED = Path(__file__).resolve().parents[2] / "compatibility" / "recorded"
T_MS = 1_764_417_600_123


def recorded_journal(folder: Path) -> JournalStore:
    """Return the journal of a run that was recorded, brought up to date."""
    file = folder / "journal.sqlite"
    file.write_bytes(lzma.decompress((RECORDED / "sim.sqlite.xz").read_bytes()))
    return open_store(file, lambda: T_MS, busy_timeout_ms=5000)


def fact_ids(file: Path) -> list[int]:
    with closing(open_reading(file)) as journal:
        return [row["id"] for row in journal.rows("SELECT id FROM fact ORDER BY id")]


class Remembers:
    """A target that takes everything, once what it is to fail with is over."""

    most = 100

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.failures: list[Exception] = []
        self._changed = threading.Condition()

    def send(self, events: Sequence[Event]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        with self._changed:
            self.events.extend(events)
            self._changed.notify_all()

    def close(self) -> None: ...

    def wait_for(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.events) >= count, 30)
