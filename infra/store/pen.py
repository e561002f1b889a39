"""Who may write under an address: its newest incarnation alone, in the database and in the process.

A pen is a number in the database, checked inside every writing transaction. Where nothing can be
written, an incarnation holds its pen in this process alone: whoever takes the same pen here after
it ends its right at once, and its first transaction that can be written takes the pen in the
database, unless another process has taken it since it was read. One process at a time may use a
run directory (`bin.bootstrap.run_files.RunDirectory`), so that this leaves no gap.
"""

import sqlite3
from collections import Counter

import peewee
from peewee import SqliteDatabase

from domain.errors import FencedError
from infra.store import schema

_PEN = schema.table("pen")
_HOLDER = schema.Prepared(_PEN.select(_PEN.c.holder).where(_PEN.c.address == schema.GIVEN))


class Pen:
    """One incarnation's right to write."""

    def __init__(self, address: str, lives: Counter[str]) -> None:
        """Take it in this process.

        Args:
            address: whose facts are written.
            lives: how often each address has taken its pen in this process; this one is counted.
        """
        self.address = address
        self._lives = lives
        lives[address] += 1
        self._life = lives[address]
        self._holder = 0
        """In the database: this pen's, or whose was found there where it is not taken yet."""
        self._is_taken = False

    def look(self, database: SqliteDatabase) -> None:
        """Note who holds the pen in the database, before it is taken there."""
        self._holder = self._found(database)

    def enter(self, database: SqliteDatabase) -> int:
        """Check the pen inside a writing transaction, or take it there; returns its number.

        Raises:
            FencedError: another incarnation has taken it.
        """
        self._check(self._found(database))
        if self._is_taken:
            return self._holder
        row = {"address": self.address, "holder": self._holder + 1}
        schema.insert(_PEN, row).on_conflict_replace().execute(database)
        return self._holder + 1

    def note_entered(self, holder: int) -> None:
        """Note that the transaction was committed in which the pen had this number."""
        self._holder, self._is_taken = holder, True

    def check(self, database: SqliteDatabase) -> None:
        """Check the pen where nothing can be written; what cannot even be read proves nothing.

        Raises:
            FencedError: another incarnation has taken it.
        """
        try:
            found = self._found(database)
        except (peewee.DatabaseError, sqlite3.DatabaseError):
            found = self._holder
        self._check(found)

    def _check(self, found: int) -> None:
        if self._lives[self.address] != self._life:
            raise FencedError(f"{self.address} was replaced: a later life holds its pen")
        if found != self._holder:
            raise FencedError(f"{self.address} was replaced: its pen is held by life {found}")

    def _found(self, database: SqliteDatabase) -> int:
        rows = _HOLDER.rows(database, self.address)
        return int(rows[0]["holder"]) if rows else 0
