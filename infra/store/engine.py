"""The interface that a database must offer to hold the journal."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from peewee import Database

from domain.errors import JournalError
from infra.store.location import Location

QUICK_MS, QUICK_TURN_MS = 100, 1_000
"""How long to wait for the database, or for another thread's turn, after a failure."""


class JournalFullError(JournalError):
    """The disk has no room for a start."""


class JournalBusyError(JournalError):
    """Another program has held the database for longer than we wait; it may be free later."""


class CommitUnknownError(JournalError):
    """It is unknown whether the transaction was committed; `Engine.outcome` will tell."""

    def __init__(self, message: str, transaction: str) -> None:
        super().__init__(message)
        self.transaction = transaction


class Engine(Protocol):
    """One database; each thread has a connection of its own for reading."""

    @property
    def location(self) -> Location:
        """Where it is, as shown to the user."""

    @property
    def database(self) -> Database:
        """For queries in a connected thread."""

    @property
    def refusals(self) -> tuple[type[Exception], ...]:
        """The exceptions it raises when it cannot be used."""

    def refusal(self, error: Exception) -> JournalError:
        """Return the error that such an exception stands for."""

    def cause(self, error: Exception) -> BaseException:
        """Return the first failure that led to an exception."""

    def migrate(self) -> None:
        """Create the tables, or migrate them to the newest version, all steps or none.

        Raises:
            ConfigError: it was made by a newer version.
        """

    @property
    def connections(self) -> int:
        """How many threads have a connection."""

    def connect(self) -> None:
        """Give this thread a connection, unless it has one."""

    def close(self) -> None:
        """Close this thread's connection; may be called twice."""

    def writing(self, *, is_durable: bool = False) -> AbstractContextManager[Database]:
        """Hold one transaction when its turn comes; in a connected thread.

        Args:
            is_durable: whether it must be synced to disk when it is committed.

        Raises:
            JournalError: its turn did not come in time.
            CommitUnknownError: it may have been committed or not.
            FencedError: another process may write now, and this one may not any more.
        """

    def outcome(self, transaction: str) -> bool:
        """Tell whether a transaction of unknown outcome was committed.

        Raises:
            JournalError: it is still unknown.
        """

    def check_right(self) -> None:
        """Check that this process may write, as far as this is known without waiting.

        Raises:
            JournalError: it cannot be known.
            FencedError: another process may write, and this one may not any more.
        """

    def renumber(self) -> None:
        """Number new rows from the highest number on; in a transaction."""

    def release(self) -> None:
        """Let another process write."""

    def check_facts(self) -> None:
        """Check that the facts are undamaged; in a connected thread.

        Raises:
            ConfigError: some are damaged.
        """


class Holders:
    """The threads that have a connection."""

    def __init__(self) -> None:
        self._threads: set[int] = set()

    def add(self) -> None:
        """Note that this thread has a connection."""
        self._threads.add(threading.get_ident())

    def discard(self) -> None:
        """Note that this thread has no connection."""
        self._threads.discard(threading.get_ident())

    def __len__(self) -> int:
        """Count them."""
        return len(self._threads)


class Turns:
    """Lets the threads of this process write one after another.

    The database itself would make them sleep and retry, which costs milliseconds at each close.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()

    @contextmanager
    def take(self, patience_ms: int) -> Iterator[None]:
        """Wait for the turn.

        Raises:
            JournalError: it did not come in time.
        """
        if not self._lock.acquire(timeout=patience_ms / 1000):
            raise JournalError(f"another thread has written for more than {patience_ms} ms")
        try:
            yield
        finally:
            self._lock.release()
