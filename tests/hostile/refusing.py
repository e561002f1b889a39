"""Journals that refuse to store, with SQLite's own errors."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from infra.drills.broken_database import Damage, refuse
from infra.store.journal import JournalStore

REFUSALS = ("full", "readonly", "locked")


@contextmanager
def refusing(journals: JournalStore, file: Path, how: str) -> Iterator[None]:
    """Have a journal refuse every writing transaction.

    Args:
        journals: of the run.
        file: its database.
        how: one of REFUSALS.
    """
    if how == "locked":
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")
        return
    usual, journals.before_write = journals.before_write, partial(refuse, damage=Damage(how))
    try:
        yield
    finally:
        journals.before_write = usual
