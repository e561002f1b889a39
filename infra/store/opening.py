"""Opens the journal of a run, wherever it lies."""

from collections.abc import Callable
from pathlib import Path

from infra.store.journal import JournalStore
from infra.store.reserve import Reserve
from infra.store.sqlite.engine import SqliteEngine


def open_store(
    location: Path,
    now_ms: Callable[[], int],
    *,
    busy_timeout_ms: int,
    reserve: Reserve | None = None,
) -> JournalStore:
    """Open a journal, making or migrating it.

    Args:
        location: the database.
        now_ms: the trading clock.
        busy_timeout_ms: how long a database that others hold is waited for.
        reserve: keeps what cannot wait for the database; None: in memory alone.

    Raises:
        JournalBusyError: another program holds it.
        JournalFullError: the disk has no room for what opening it needs.
        ConfigError: it cannot be used, or a newer program made it.
    """
    is_short_of_room = reserve is not None and not reserve.is_allocated
    engine = SqliteEngine(
        location, busy_timeout_ms=busy_timeout_ms, is_short_of_room=is_short_of_room
    )
    return JournalStore(engine, now_ms, reserve)
