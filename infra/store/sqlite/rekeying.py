"""Rewrites an SQLite file with another key; nothing else may use it meanwhile."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from domain.errors import ConfigError
from infra.files import sync_folder
from infra.store.sqlite import driver


def rekey_file(file: Path, old: bytes | None, new: bytes | None) -> None:
    """Re-encrypt a database with another key, unless it has that key already; None: not encrypted.

    A database that is not encrypted is accepted whatever the old key is.

    Raises:
        ConfigError: it has neither key, another program uses it, or the disk is full.
    """
    if _is_under(file, new):
        return
    old = None if driver.is_plain(file) else old
    part = file.with_name(f"{file.name}.part")
    part.unlink(missing_ok=True)
    try:
        with closing(driver.connect_under(file, old)) as database:
            # Everything goes into the file itself: a log beside it would not match the new file.
            (mode,) = database.execute("PRAGMA journal_mode = DELETE").fetchone()
            if mode != "delete":
                raise ConfigError(f"{file}: another program uses it; end that first")
            _export(database, part, new)
        with part.open("rb+") as made:
            os.fchmod(made.fileno(), file.stat().st_mode & 0o777)
            os.fsync(made.fileno())
        part.replace(file)
        sync_folder(file.parent)
    except driver.errors("Error", OSError) as error:
        raise ConfigError(f"{file}: cannot be rewritten: {error}") from error
    finally:
        part.unlink(missing_ok=True)


def _export(database: sqlite3.Connection, part: Path, new: bytes | None) -> None:
    name = str(part).replace("'", "''")
    database.execute(f"ATTACH '{name}' AS made KEY {driver.sql_key(new)}")
    database.execute("SELECT sqlcipher_export('made')").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    database.execute(f"PRAGMA made.user_version = {version}")
    names = "SELECT name FROM sqlite_master WHERE type = 'table'"
    for (table,) in database.execute(names).fetchall():
        _compare(database, table)


def _compare(database: sqlite3.Connection, table: str) -> None:
    """Refuse a copy that differs."""
    for one, other in (("main", "made"), ("made", "main")):
        query = f'SELECT * FROM {one}."{table}" EXCEPT SELECT * FROM {other}."{table}" LIMIT 1'  # noqa: S608 (our own names)
        if database.execute(query).fetchone() is not None:
            raise ConfigError(f"table {table}: was not copied as it is; nothing was changed")


def _is_under(file: Path, key: bytes | None) -> bool:
    if key is None or driver.is_plain(file):
        return key is None and driver.is_plain(file)
    try:
        driver.connect_under(file, key).close()
    except ConfigError:
        return False
    return True
