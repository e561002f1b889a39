"""Who may write under an address: its newest incarnation alone, in the database and in the process.

A pen is a number in the database, checked inside every writing transaction. Where nothing can be
written, an incarnation holds its pen in this process alone: whoever takes the same pen here after
it ends its right at once, and its first transaction that can be written takes the pen in the
database, unless another process has taken it since it was read. One process at a time may use a
run directory (`infra.run.journals.RunDirectory`), so that this leaves no gap.
"""

from collections import Counter

import peewee
from peewee import Database

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
        self._entered = 0
        """Number of the pen in the newest transaction."""

    def look(self, database: Database) -> None:
        """Note who holds the pen in the database, before it is taken there."""
        self._holder = self._found(database)

    def enter(self, database: Database) -> None:
        """Check the pen inside a writing transaction, or take it there.

        Raises:
            FencedError: another incarnation has taken it.
        """
        self._check(self._found(database))
        self._entered = self._holder
        if not self._is_taken:
            self._entered += 1
            row = {"address": self.address, "holder": self._entered}
            schema.replace_row(database, _PEN, row)

    def note_entered(self) -> None:
        """Note that the transaction was committed which has entered last."""
        self._holder, self._is_taken = self._entered, True

    def check(self, database: Database) -> None:
        """Check the pen where nothing can be written; what cannot even be read proves nothing.

        Raises:
            FencedError: another incarnation has taken it.
        """
        try:
            found = self._found(database)
        except peewee.DatabaseError:
            found = self._holder
        self._check(found)

    def _check(self, found: int) -> None:
        if self._lives[self.address] != self._life:
            raise FencedError(f"{self.address} was replaced: a later life holds its pen")
        if found != self._holder:
            raise FencedError(f"{self.address} was replaced: its pen is held by life {found}")

    def _found(self, database: Database) -> int:
        rows = _HOLDER.rows(database, self.address)
        return int(rows[0]["holder"]) if rows else 0
