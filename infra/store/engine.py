"""What a database must offer, so that the journal can stand on it."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from peewee import Database

from domain.errors import JournalError
from infra.store.location import Location

QUICK_MS, QUICK_TURN_MS = 100, 1_000
"""How long a database, and another thread's turn, are waited for after a refusal."""


class JournalFullError(JournalError):
    """The disk has no room for a start."""


class JournalBusyError(JournalError):
    """Another program holds the database for longer than we wait; it may be free in a while."""


class CommitUnknownError(JournalError):
    """Nobody knows whether the transaction was committed; `Engine.outcome` will say so."""

    def __init__(self, message: str, transaction: str) -> None:
        """Name the transaction."""
        super().__init__(message)
        self.transaction = transaction


class Engine(Protocol):
    """One database; each thread has a connection of its own to read by."""

    @property
    def location(self) -> Location:
        """Where it is, as people are told."""

    @property
    def database(self) -> Database:
        """For queries in a thread that is connected."""

    @property
    def refusals(self) -> tuple[type[Exception], ...]:
        """The exceptions by which it says that it cannot be used."""

    def refusal(self, error: Exception) -> JournalError:
        """Return what one of them means."""

    def cause(self, error: Exception) -> BaseException:
        """Return what failed first."""

    def migrate(self) -> None:
        """Make the tables, or bring them to the newest version, all steps or none.

        Raises:
            ConfigError: it was made by a newer program.
        """

    @property
    def connections(self) -> int:
        """How many threads have a connection."""

    def connect(self) -> None:
        """Give this thread a connection, unless it has one."""

    def close(self) -> None:
        """Let go of this thread's connection; may be called twice."""

    def writing(self, *, is_durable: bool = False) -> AbstractContextManager[Database]:
        """Hold one transaction, in its turn; in a thread that is connected.

        Args:
            is_durable: it is on the disk itself once it is committed.

        Raises:
            JournalError: there is no turn to be had.
            CommitUnknownError: it may have been committed or not.
            FencedError: another process may write, and this one may not any more.
        """

    def outcome(self, transaction: str) -> bool:
        """Tell whether a transaction was committed whose outcome was unknown.

        Raises:
            JournalError: it is still unknown.
        """

    def check_right(self) -> None:
        """Check that this process may write, as far as it can be known without waiting.

        Raises:
            JournalError: it cannot be known.
            FencedError: another process may write, and this one may not any more.
        """

    def renumber(self) -> None:
        """Let new rows be numbered from the highest number on; in a transaction."""

    def release(self) -> None:
        """Let another process write."""

    def check_facts(self) -> None:
        """Refuse facts that cannot be what was stored; in a thread that is connected.

        Raises:
            ConfigError: there are some.
        """


class Holders:
    """The threads that have a connection."""

    def __init__(self) -> None:
        """Nobody has one."""
        self._threads: set[int] = set()

    def add(self) -> None:
        """Note that this thread has one."""
        self._threads.add(threading.get_ident())

    def discard(self) -> None:
        """Note that this thread has none."""
        self._threads.discard(threading.get_ident())

    def __len__(self) -> int:
        """Count them."""
        return len(self._threads)


class Turns:
    """Lets the threads of this process write one after the other.

    A database itself would let them sleep and try again, which costs milliseconds at each close.
    """

    def __init__(self) -> None:
        """Let anybody begin."""
        self._lock = threading.Lock()

    @contextmanager
    def take(self, patience_ms: int) -> Iterator[None]:
        """Wait for the turn.

        Raises:
            JournalError: it did not come.
        """
        if not self._lock.acquire(timeout=patience_ms / 1000):
            raise JournalError(f"another thread has written for more than {patience_ms} ms")
        try:
            yield
        finally:
            self._lock.release()
