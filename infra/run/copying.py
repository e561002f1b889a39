"""Copies the journal of a run while no run uses it."""

from contextlib import ExitStack
from pathlib import Path

from domain.errors import ConfigError
from infra.files import make_folder
from infra.process.locks import RUN_LOCK, FileLock
from infra.store.copying import TableSum, copy_journal, demand_empty
from infra.store.engine import Engine
from infra.store.location import Location
from infra.store.opening import open_engine
from infra.store.reserve import count_waiting
from infra.store.sqlite.driver import key_of

_PATIENCE_MS = 5_000


def copied(source: Location, target: Location) -> list[TableSum]:
    """Copy a journal to a new place, and return the sums of each table on both sides.

    Raises:
        ConfigError: there is no journal, there is one at the target, or a run uses either.
        JournalError: one of the databases cannot be used, or they differ.
    """
    with ExitStack() as held:
        if isinstance(source, Path) and not source.is_file():
            raise ConfigError(f"{source}: no journal there")
        if isinstance(target, Path):
            make_folder(target.parent)
        _hold([source, target], held)
        if isinstance(target, Path) and target.exists():
            raise ConfigError(f"{target}: already exists; copy to a new place")
        _demand_as_secret(source, target)
        _open(source, held)
        engine = _open(target, held)
        demand_empty(target)
        return copy_journal(source, engine)


def _open(location: Location, held: ExitStack) -> Engine:
    """Open a database of the newest version, with no other writers."""
    engine = open_engine(location, busy_timeout_ms=_PATIENCE_MS)
    held.callback(engine.release)
    try:
        engine.connect()
        held.callback(engine.close)
        engine.migrate()
    except engine.refusals as error:
        raise engine.refusal(error) from error
    return engine


def _demand_as_secret(source: Location, target: Location) -> None:
    """Refuse to copy an encrypted file to an unencrypted one; a server handles its own disk."""
    if not isinstance(source, Path) or not isinstance(target, Path):
        return
    if key_of(source) and not key_of(target):
        raise ConfigError(
            f"{target}: the copy would not be encrypted; `bin/keys rekey --run-dir "
            f"{target.parent} --to SOURCE` first"
        )


def _hold(locations: list[Location], held: ExitStack) -> None:
    """Lock the directory of a file against runs; a server keeps others away by itself."""
    files = [location for location in locations if isinstance(location, Path)]
    for folder in {file.parent.resolve() for file in files}:
        lock = FileLock(folder / RUN_LOCK, f"{folder}: a run uses this directory")
        held.callback(lock.release)
    for file in files:
        waiting = count_waiting(file.with_suffix(".reserve"))
        if waiting:
            raise ConfigError(
                f"{file}: {waiting} records wait in the reserve to be stored in it; start the run "
                "once more, with room on the disk"
            )
