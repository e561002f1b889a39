"""Breaks the journal's database for a while, with SQLite's own errors."""

import re
import threading
from dataclasses import dataclass
from enum import StrEnum

from peewee import Database, SqliteDatabase

from domain.errors import ConfigError

_NO_LIMIT = 1_073_741_823
"""Pages; SQLite's own default."""
_WRITE = "INSERT INTO meta (key, value) VALUES ('drill', zeroblob(67108864))"
"""A write that needs more pages than any table of a drill has free."""
_FORM = re.compile(r"(?P<first>[1-9]\d*):(?P<count>[1-9]\d*)")


class Damage(StrEnum):
    """The error that the database fails with."""

    FULL = "full"
    """`database or disk is full`."""
    READ_ONLY = "readonly"
    """`attempt to write a readonly database`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakage:
    """A damage, and the writing transactions that it affects."""

    damage: Damage
    first: int
    """First transaction of the process that fails, counted from 1."""
    count: int


def read_breakage(damage: Damage, text: str) -> Breakage:
    """Return the breakage of a text like `20:5`: five transactions from the twentieth on.

    Raises:
        ConfigError: it is not of this form.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise ConfigError(f"--drill {damage}={text}: expected FIRST:COUNT of writes, like 20:5")
    return Breakage(damage=damage, first=int(found["first"]), count=int(found["count"]))


class BrokenDatabase:
    """Counts all writing transactions of the process, and makes the chosen ones fail."""

    def __init__(self, breakage: Breakage) -> None:
        """Start counting."""
        self._breakage = breakage
        self._writes = 0
        self._lock = threading.Lock()

    def before_write(self, database: Database) -> None:
        """Make the current transaction fail, if it is one of the chosen."""
        with self._lock:
            self._writes += 1
            place = self._writes - self._breakage.first
        if 0 <= place < self._breakage.count:
            refuse(database, self._breakage.damage)


def refuse(database: Database, damage: Damage) -> None:
    """Make SQLite refuse to write, whatever room there is.

    Raises:
        peewee.OperationalError: SQLite's refusal.
        ConfigError: it is another database.
    """
    if not isinstance(database, SqliteDatabase):
        raise ConfigError(f"--drill {damage}: this needs a journal in SQLite")
    # A limit below the current size is treated as the current size.
    name, broken, usual = ("query_only", 1, 0)
    if damage is Damage.FULL:
        name, broken, usual = ("max_page_count", 1, _NO_LIMIT)
    database.pragma(name, broken)
    try:
        database.execute_sql(_WRITE)  # type: ignore[no-untyped-call]
    finally:
        database.pragma(name, usual)
