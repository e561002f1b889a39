"""Connections to SQLite files, by SQLCipher if their run directory is encrypted."""

import sqlite3
import sys
from contextlib import closing
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final, cast

from domain.errors import ConfigError
from infra.secrets.sealing import PACKAGES
from infra.secrets.vault import FILE, vault_of

JOURNAL: Final = "journal"
"""Purpose of the key of SQLCipher files."""
_SQLCIPHER: Final = "sqlcipher3.dbapi2"
_PLAIN: Final = b"SQLite format 3\0"


def key_of(file: Path) -> bytes | None:
    """Return the key of a database; None: it is, or will be, an ordinary one.

    Raises:
        ConfigError: the key is not available.
    """
    vault = vault_of(file.parent)
    return None if vault is None else vault.key(JOURNAL)


def connect(
    file: Path, *, is_read_only: bool = False, check_same_thread: bool = True
) -> sqlite3.Connection:
    """Return a connection in autocommit mode; SQLCipher's behaves like sqlite3's.

    Raises:
        ConfigError: the database is encrypted and cannot be opened, or is not and should be.
        sqlite3.Error: it cannot be opened.
    """
    name = f"{file.resolve().as_uri()}?mode=ro" if is_read_only else str(file)
    options: dict[str, Any] = {
        "uri": is_read_only,
        "isolation_level": None,
        "check_same_thread": check_same_thread,
    }
    key = key_of(file)
    if key is None:
        return cast("sqlite3.Connection", sqlite3.connect(name, **options))
    if is_plain(file):
        raise ConfigError(
            f"{file}: is not encrypted, while {FILE} beside it says so; `bin/keys rekey` does it"
        )
    connection = cast("sqlite3.Connection", _sqlcipher().connect(name, **options))
    try:
        unlock(connection, key, file)
    except BaseException:
        connection.close()
        raise
    return connection


def name_columns(connection: sqlite3.Connection) -> None:
    """Make the rows of a connection readable by column name."""
    connection.row_factory = sys.modules[type(connection).__module__].Row


def errors(name: str = "Error", *more: type[Exception]) -> tuple[type[Exception], ...]:
    """Return `more` and the exception classes of a name: sqlite3's, SQLCipher's if it is loaded."""
    modules = (sqlite3, sys.modules.get(_SQLCIPHER))
    return (*more, *(getattr(module, name) for module in modules if module is not None))


def demand_sqlcipher() -> None:
    """Check that SQLCipher can be loaded and really encrypts.

    Raises:
        ConfigError: it is not.
    """
    with closing(_sqlcipher().connect(":memory:")) as connection:
        _demand_version(connection, "storage.encryption")


def _sqlcipher() -> ModuleType:
    """Return SQLCipher's module, loaded late: that takes a while, and most runs do not need it.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        return import_module(_SQLCIPHER)
    except ImportError as error:
        raise ConfigError(PACKAGES) from error


def connect_under(file: Path, key: bytes | None) -> sqlite3.Connection:
    """Return a connection to a database with a given key; None: to an ordinary database.

    Raises:
        ConfigError: it has another key, or SQLCipher is not installed.
        sqlite3.Error: it cannot be opened.
    """
    connection = cast(
        "sqlite3.Connection", _sqlcipher().connect(str(file), isolation_level=None, timeout=1)
    )
    try:
        if key is not None:
            unlock(connection, key, file)
    except BaseException:
        connection.close()
        raise
    return connection


def sql_key(key: bytes | None) -> str:
    """Return a key in the syntax of SQLCipher's statements: raw, without key derivation."""
    return "''" if key is None else f"\"x'{key.hex()}'\""


def unlock(connection: sqlite3.Connection, key: bytes, file: Path) -> None:
    """Give a new connection its key.

    Raises:
        ConfigError: the connection is not SQLCipher's, or the database has another key.
    """
    connection.execute("PRAGMA cipher_log_level = NONE")  # it writes to the terminal otherwise
    connection.execute(f"PRAGMA key = {sql_key(key)}")
    _demand_version(connection, file)
    connection.execute("PRAGMA temp_store = MEMORY")
    try:
        connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    except errors("DatabaseError") as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            raise ConfigError(
                f"{file}: is encrypted under another key than {file.parent / FILE} has, or damaged"
            ) from error
        raise


def _demand_version(connection: sqlite3.Connection, what: object) -> None:
    found = connection.execute("PRAGMA cipher_version").fetchone()
    if not found or not found[0]:
        raise ConfigError(f"{what}: the SQLite here is an ordinary one, which encrypts nothing")


def is_plain(file: Path) -> bool:
    """Tell whether a file is an ordinary database of SQLite."""
    try:
        with file.open("rb") as opened:
            return opened.read(len(_PLAIN)) == _PLAIN
    except OSError:
        return False
