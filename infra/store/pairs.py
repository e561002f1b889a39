"""The changes of pairs that a run has stored, for those who come before or after it."""

import sqlite3
from contextlib import closing
from pathlib import Path

from domain.errors import ConfigError, JournalError
from domain.operator.commands import pair_changes
from domain.operator.pairs import PairChange, read_change
from infra.store.location import Location, NoJournalError
from infra.store.reader import FactReader

_TABLES = "SELECT 1 FROM sqlite_master WHERE name = 'operator_command'"
_QUERY = (
    "SELECT arguments FROM operator_command WHERE command = 'pairs' AND is_done ORDER BY fact_id"
)


def stored_changes(journal: Location) -> list[PairChange]:
    """Return the changes of pairs that a run has stored, oldest first; none without a journal.

    Raises:
        ConfigError: the journal cannot be read.
    """
    try:
        with closing(FactReader(journal)) as facts:
            return pair_changes(facts.commands())
    except NoJournalError:
        return []
    except (JournalError, ConfigError) as error:
        if not isinstance(journal, Path):
            raise ConfigError(str(error)) from error
        return _read_as_it_lies(journal, error)


def _read_as_it_lies(file: Path, why: Exception) -> list[PairChange]:
    """Read a file for which there is no room to be opened; what its log has beside is not seen."""
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?immutable=1", uri=True)) as found:
            is_new = not found.execute(_TABLES).fetchall()
            rows = [] if is_new else found.execute(_QUERY).fetchall()
    except sqlite3.Error as error:
        raise ConfigError(f"{why} ({error})") from why
    changes = [read_change(arguments) for (arguments,) in rows]
    return [change for change in changes if change is not None]
