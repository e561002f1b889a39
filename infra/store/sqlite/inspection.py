"""Inspects an SQLite file from outside, without changing it."""

from contextlib import closing
from pathlib import Path

from domain.errors import ConfigError
from infra.store.inspection import Inspection
from infra.store.schema import MIGRATIONS
from infra.store.sqlite import driver
from infra.store.sqlite.soundness import check_facts


def inspect_file(file: Path) -> Inspection:
    """Return what is known about a journal, without disturbing a run that writes to it.

    Raises:
        ConfigError: it is damaged, not a journal, or was made by a newer version.
    """
    try:
        with closing(driver.connect(file, is_read_only=True)) as database:
            version = database.execute("PRAGMA user_version").fetchone()[0]
            query = "SELECT value FROM meta WHERE key = 'mode'"
            row = database.execute(query).fetchone()
            if version > len(MIGRATIONS):
                raise ConfigError(
                    f"{file}: is of version {version}, this program knows up to {len(MIGRATIONS)}"
                )
            check_facts(database, file)
    except driver.errors() as error:
        raise ConfigError(f"{file}: {error}") from error
    return Inspection(mode=None if row is None else row[0], size_bytes=file.stat().st_size)
