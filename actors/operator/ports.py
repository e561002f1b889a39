"""The ports of the operator's commands, besides those of the actors."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from actors.ports import Journals
from domain.trading.decisions import DenialReason
from domain.trading.positions import Trade


class Records(Protocol):
    """Facts for the operator."""

    def trades(self, from_ms: int, until_ms: int) -> Sequence[Trade]:
        """Return the trades closed at or after a time and before another."""

    def denials(self, from_ms: int, until_ms: int) -> Mapping[DenialReason, int]:
        """Return how many signals at these closes were denied, by reason."""

    def approvals(self, from_ms: int, until_ms: int) -> int:
        """Return how many signals at these closes were approved."""

    def balance_at(self, t_ms: int) -> Decimal | None:
        """Return the wallet balance of the newest equity sample up to a time."""


class FactStore(Journals, Protocol):
    """The facts of a run, for parts other than actors."""

    @property
    def is_kept(self) -> bool:
        """Tell whether everything in the reserve is on disk."""

    @property
    def connections(self) -> int:
        """Number of threads with a connection."""

    def connected(self) -> AbstractContextManager[None]:
        """Hold a connection for this thread.

        Raises:
            JournalError: it cannot be used.
        """

    def records(self) -> Records:
        """Return a reader of facts; in a connected thread."""

    def trades(self) -> list[Trade]:
        """Return all trades, in the order in which they were booked."""


class NoticeChannels(Protocol):
    """The channels of notifications."""

    def troubles(self) -> Mapping[str, str]:
        """Return by channel why channels do not work; only those."""

    def start_over(self) -> None:
        """Retry every channel at once."""


class PanicFile(Protocol):
    """The file that requests a panic, and survives every process."""

    path: Path

    def start(self) -> None:
        """Start watching the file."""

    def close(self) -> None:
        """Stop watching."""

    def request(self, operator: str) -> None:
        """Request a panic."""

    def wait_taken(self, timeout_s: float) -> bool:
        """Wait until it is latched; return False on timeout."""


class Poison(Protocol):
    """A message that crashed an actor in an earlier process; the fields are an envelope's."""

    @property
    def message(self) -> Any:
        """The message."""

    @property
    def message_id(self) -> int:
        """Id, unique across all processes."""

    @property
    def parent_id(self) -> int | None:
        """Id of the message that caused it."""

    @property
    def trace_id(self) -> int:
        """Id of the message that began the tree."""

    @property
    def sender(self) -> str:
        """An address, or an outside part."""

    @property
    def sender_generation(self) -> int:
        """0 for senders that are not actors."""

    @property
    def receiver(self) -> str:
        """The actor that it crashed."""

    @property
    def now_ms(self) -> int:
        """When, by the trading clock."""

    @property
    def cause(self) -> str:
        """The exception, as text."""


class PoisonStore(Protocol):
    """Keeps messages that crashed an actor beyond the end of a process."""

    def read_soon(self, take: Callable[[Poison], None]) -> None:
        """Hand over those of earlier processes, oldest first, from a thread of its own."""

    def settle(self, receiver: str, message_id: int) -> None:
        """Stop handing over a message; one that is not kept is ignored."""
