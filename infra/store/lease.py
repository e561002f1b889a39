"""Who may write under an address: only its newest incarnation, in the database and in the process.

A writer lease is an epoch in the database, checked inside every writing transaction. While nothing
can be written, an incarnation holds its lease in this process only: a successor that takes the
same lease here ends it at once, and the successor's first transaction that can be written takes the
lease in the database, unless another process has taken it since it was read. Only one process at a
time may use a run directory (`infra.run.journals.RunDirectory`), so this leaves no gap.
"""

from collections import Counter

import peewee
from peewee import Database

from domain.errors import FencedError
from infra.store import schema

_LEASE = schema.table("pen")
_EPOCH = schema.Prepared(_LEASE.select(_LEASE.c.holder).where(_LEASE.c.address == schema.GIVEN))


class WriterLease:
    """One incarnation's right to write."""

    def __init__(self, address: str, taken: Counter[str]) -> None:
        """Take the lease in this process.

        Args:
            address: of the actor whose facts are written.
            taken: how often each address has taken its lease in this process; updated here.
        """
        self.address = address
        self._taken = taken
        taken[address] += 1
        self._number = taken[address]
        self._epoch = 0
        """Epoch in the database: this lease's, or the one found there before it is taken."""
        self._is_taken = False
        self._entered = 0
        """Epoch of the newest transaction."""

    def look(self, database: Database) -> None:
        """Note the epoch in the database, before the lease is taken there."""
        self._epoch = self._found(database)

    def enter(self, database: Database) -> None:
        """Check the lease inside a writing transaction, or take it there.

        Raises:
            FencedError: another incarnation has taken it.
        """
        self._check(self._found(database))
        self._entered = self._epoch
        if not self._is_taken:
            self._entered += 1
            row = {"address": self.address, "holder": self._entered}
            schema.replace_row(database, _LEASE, row)

    def note_entered(self) -> None:
        """Note that the transaction that entered last was committed."""
        self._epoch, self._is_taken = self._entered, True

    def check(self, database: Database) -> None:
        """Check the lease while nothing can be written; a failed read proves nothing.

        Raises:
            FencedError: another incarnation has taken it.
        """
        try:
            found = self._found(database)
        except peewee.DatabaseError:
            found = self._epoch
        self._check(found)

    def _check(self, found: int) -> None:
        if self._taken[self.address] != self._number:
            raise FencedError(f"{self.address} was replaced: a later incarnation holds its lease")
        if found != self._epoch:
            raise FencedError(f"{self.address} was replaced: its lease has epoch {found}")

    def _found(self, database: Database) -> int:
        rows = _EPOCH.rows(database, self.address)
        return int(rows[0]["holder"]) if rows else 0
