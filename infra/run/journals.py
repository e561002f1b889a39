"""The journal of a run: fresh for candle files, otherwise its mode's own, permanently."""

from collections.abc import Callable, Iterable
from pathlib import Path

from loguru import logger

from domain.errors import ConfigError, JournalError
from domain.rules import TradingRules
from infra.operator.panic_file import FILE as PANIC_FILE
from infra.secrets.cipher import cipher_of
from infra.settings import Settings
from infra.store.engine import JournalBusyError, JournalFullError
from infra.store.journal import JournalStore
from infra.store.location import Location, journal_file, note_journal
from infra.store.opening import open_store
from infra.store.reserve import RESERVE, Reserve
from infra.store.settings_record import SettingsRecord
from infra.store.sqlite.engine import remove_file
from infra.trace.recording import forget_traces


def open_fresh_journals(
    settings: Settings, directory: Path, mode: str, now_ms: Callable[[], int]
) -> JournalStore:
    """Open a fresh journal for a run over candle files, replacing that of an earlier run.

    It is a file whatever the settings say: the candles are the facts, and it can be made again.

    Raises:
        ConfigError: the journal there is not of this mode, and would be lost.
    """
    file = journal_file(directory, settings.database)
    note_journal(directory, file)
    busy_timeout_ms = settings.database.busy_timeout_ms
    if file.exists():
        old = open_store(file, now_ms, busy_timeout_ms=busy_timeout_ms)
        with old.connected():
            found = old.read_meta("mode")
        if found != mode:
            raise ConfigError(
                f"{file}: holds the facts of mode {found or 'unknown'}, which mode {mode} would "
                "replace; choose another --run-dir"
            )
        remove_file(file)
    forget_traces(directory)
    journals = open_store(file, now_ms, busy_timeout_ms=busy_timeout_ms)
    with journals.connected():
        journals.write_meta("mode", mode)
        record_assets(journals, settings.trading_rules())
    SettingsRecord(journals).note(settings, "at the start", now_ms(), lambda: None)
    return journals


def record_assets(journals: JournalStore, rules: TradingRules) -> None:
    """Store shares and instruments if they differ from those stored; requires a connection."""
    runtime = journals.open("runtime", lambda: None)
    for asset in rules.assets:
        runtime.record_asset(asset)


def claim_journals(journals: JournalStore, location: Location, mode: str) -> str | None:
    """Claim a journal for a mode, permanently; requires a connection.

    Returns:
        Why nothing more can be stored in one that the mode owns already; None: it can.
    """
    known = journals.read_meta("mode")
    if known not in (None, mode):
        raise ConfigError(
            f"{location}: holds the facts of mode {known}, not of {mode}; choose another --run-dir"
        )
    try:
        journals.write_meta("mode", mode)
    except JournalBusyError:
        raise
    except JournalError as error:
        if known is None:
            raise
        return str(error.__cause__ or error)
    return None


def reserve_of(settings: Settings, directory: Path) -> Reserve:
    """Return the reserve of a run's journal; one process at a time may use it."""
    file = journal_file(directory, settings.database).with_suffix(".reserve")
    return Reserve(file, cipher=cipher_of(directory, RESERVE))


def make_room(settings: Settings, directory: Path) -> None:
    """Give up the reserve's ballast if a full disk has no room for reading the journal."""
    reserve = reserve_of(settings, directory)
    reserve.make_room()
    reserve.close()


def demand_room(journals: JournalStore, directory: Path, why: str, held: Iterable[str]) -> None:
    """Let a start on a full disk continue only if there is something to protect.

    It opens nothing then: no approval and no entry can be stored, and none is allowed while the
    reserve lacks its space.

    Args:
        journals: of the run.
        directory: of the run.
        why: the disk has no room.
        held: open positions at the exchange.

    Raises:
        JournalFullError: there is nothing to protect.
    """
    protects = [
        *(["records in the reserve"] if journals.reserve.records() else []),
        *([PANIC_FILE] if (directory / PANIC_FILE).exists() else []),
        *held,
    ]
    if not protects:
        raise JournalFullError(
            f"{directory}: the disk has no room ({why}), and nothing is open; "
            "make room, start again"
        )
    logger.warning("no room on the disk ({}): opens nothing, protects {}", why, protects)
