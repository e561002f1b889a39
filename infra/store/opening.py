"""Opens the journal of a run, wherever it is stored."""

from collections.abc import Callable
from pathlib import Path

from domain.errors import ConfigError
from infra.store.engine import Engine
from infra.store.inspection import Inspection
from infra.store.journal import JournalStore
from infra.store.location import Location, PostgresAddress
from infra.store.reading import PACKAGES
from infra.store.reserve import Reserve
from infra.store.sqlite.engine import SqliteEngine
from infra.store.sqlite.inspection import inspect_file


def open_store(
    location: Location,
    now_ms: Callable[[], int],
    *,
    busy_timeout_ms: int,
    reserve: Reserve | None = None,
) -> JournalStore:
    """Open a journal, creating or migrating it.

    Args:
        location: the database.
        now_ms: the trading clock.
        busy_timeout_ms: how long to wait for a database held by others.
        reserve: keeps what cannot wait for the database; None: memory only.

    Raises:
        JournalBusyError: another program holds it.
        JournalFullError: the disk has no room to open it.
        ConfigError: it cannot be used, or was made by a newer version.
    """
    is_short_of_room = reserve is not None and not reserve.is_allocated
    engine = open_engine(
        location, busy_timeout_ms=busy_timeout_ms, is_short_of_room=is_short_of_room
    )
    return JournalStore(engine, now_ms, reserve)


def open_engine(
    location: Location, *, busy_timeout_ms: int, is_short_of_room: bool = False
) -> Engine:
    """Return the engine of a location; nothing is opened yet.

    Args:
        location: the database.
        busy_timeout_ms: how long to wait for it.
        is_short_of_room: whether the disk of its file is full.

    Raises:
        ConfigError: the packages for it are not installed.
    """
    if isinstance(location, Path):
        return SqliteEngine(
            location, busy_timeout_ms=busy_timeout_ms, is_short_of_room=is_short_of_room
        )
    return _postgres(location, busy_timeout_ms)


def _postgres(address: PostgresAddress, patience_ms: int) -> Engine:
    try:
        from infra.store.postgres.engine import postgres_engine  # noqa: PLC0415 (optional)
    except ImportError as error:
        raise ConfigError(f"{address}: {PACKAGES}") from error
    return postgres_engine(address, patience_ms)


def inspect_journal(location: Location) -> Inspection | None:
    """Return what is known about a journal, without disturbing a run that writes to it.

    Returns:
        None if there is none yet.

    Raises:
        ConfigError: it is damaged, not a journal, or was made by a newer version.
    """
    if isinstance(location, Path):
        return inspect_file(location) if location.exists() else None
    try:
        from infra.store.postgres.inspection import inspect_schema  # noqa: PLC0415 (optional)
    except ImportError as error:
        raise ConfigError(f"{location}: {PACKAGES}") from error
    return inspect_schema(location)


def inspect_server(location: Location) -> str:
    """Return why the journal's server may lose facts in a failover; empty if it does not.

    Raises:
        ConfigError: the server may lose facts when it is killed, or does not exist.
    """
    if isinstance(location, Path):
        return ""
    from infra.store.postgres import inspection  # noqa: PLC0415 (optional)

    return inspection.inspect_server(location)
