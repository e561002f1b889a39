"""Restores the journal of a run from a backup."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from domain.errors import ConfigError
from infra.files import make_folder
from infra.process.locks import RUN_LOCK, FileLock
from infra.store.backup.chain import Chain, find_chains, segments
from infra.store.backup.places import BackupPlace
from infra.store.backup.restore import ALL, Restored, Until, restore
from infra.store.backup.state_files import STATE_FILES
from infra.store.copying import demand_empty
from infra.store.location import Location, note_journal
from infra.store.opening import open_engine
from infra.store.sqlite.engine import remove_file

_PATIENCE_MS = 5_000


def restored(
    place: BackupPlace,
    key: bytes,
    chain: Chain,
    directory: Path,
    target: Location,
    until: Until = ALL,
) -> Restored:
    """Create the journal of a run directory from a chain; no run may use it meanwhile.

    Args:
        place: of the chain.
        key: 32 bytes.
        chain: to restore.
        directory: of the run that will continue; created if missing.
        target: location of its journal.
        until: which facts to restore.

    Raises:
        BadDataError: the chain is damaged; nothing is left at the target.
        ConfigError: there is a journal already, or no such fact, or the journal differs.
        JournalError: the place or the database cannot be reached.
    """
    with ExitStack() as held:
        make_folder(directory)
        lock = FileLock(directory / RUN_LOCK, f"{directory}: a run uses this directory")
        held.callback(lock.release)
        _demand_none(directory, target)
        try:
            found = _restored(place, key, chain, directory, target, until)
        except BaseException:
            if isinstance(target, Path):
                remove_file(target)
            for name in STATE_FILES:
                (directory / name).unlink(missing_ok=True)
            raise
        note_journal(directory, target)
        return found


def _demand_none(directory: Path, target: Location) -> None:
    journal = target if isinstance(target, Path) else directory / "journal.reserve"
    for found in (journal, *(directory / name for name in STATE_FILES)):
        if found.exists():
            raise ConfigError(f"{found}: already exists; restore to a new place")


def _restored(
    place: BackupPlace,
    key: bytes,
    chain: Chain,
    directory: Path,
    target: Location,
    until: Until,
) -> Restored:
    engine = open_engine(target, busy_timeout_ms=_PATIENCE_MS)
    try:
        engine.connect()
        engine.migrate()
        demand_empty(target)
        return restore(segments(place, chain, key), engine, directory, until)
    except engine.refusals as error:
        raise engine.refusal(error) from error
    finally:
        engine.close()
        engine.release()


def choose_chain(place: BackupPlace, name: str | None = None) -> Chain:
    """Return the newest finished chain, or a named one.

    Raises:
        ConfigError: there is none.
        JournalError: the place cannot be reached.
    """
    chains: Sequence[Chain] = [chain for chain in find_chains(place) if chain.has_end]
    if name is not None:
        chains = [chain for chain in chains if chain.name == name]
    if not chains:
        raise ConfigError(f"{place}: holds no backup{f' {name}' if name else ''} that is whole")
    return chains[-1]
