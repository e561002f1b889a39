"""What the operator's commands need of the outer world, besides what the actors need."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from actors.ports import Journals
from domain.trading.decisions import DenialReason
from domain.trading.positions import Trade


class Records(Protocol):
    """Facts as the operator is told of them."""

    def trades(self, from_ms: int, until_ms: int) -> Sequence[Trade]:
        """Return the trades that were closed at or after a time and before another."""

    def denials(self, from_ms: int, until_ms: int) -> Mapping[DenialReason, int]:
        """Return how many signals of these closes were denied, by reason."""

    def approvals(self, from_ms: int, until_ms: int) -> int:
        """Return how many signals of these closes were approved."""

    def balance_at(self, t_ms: int) -> Decimal | None:
        """Return the wallet balance of the newest equity sample that is not later."""


class FactStore(Journals, Protocol):
    """The facts of a run, for whoever is no actor."""

    @property
    def is_kept(self) -> bool:
        """Tell whether what was kept in the reserve is on the disk."""

    @property
    def connections(self) -> int:
        """How many threads have a connection."""

    def connected(self) -> AbstractContextManager[None]:
        """Hold a connection for this thread.

        Raises:
            JournalError: it cannot be used.
        """

    def records(self) -> Records:
        """Return what reads facts; in a thread that is connected."""

    def trades(self) -> list[Trade]:
        """Return all trades, in the order in which they were booked."""


class NoticeChannels(Protocol):
    """The ways on which notifications leave."""

    def troubles(self) -> Mapping[str, str]:
        """Return why each channel does not work that does not."""

    def start_over(self) -> None:
        """Try every channel again at once."""


class PanicFile(Protocol):
    """The file that asks for a panic, and outlives everybody."""

    path: Path

    def start(self) -> None:
        """Begin to watch the file."""

    def close(self) -> None:
        """Watch it no more."""

    def request(self, operator: str) -> None:
        """Ask for a panic."""

    def wait_taken(self, timeout_s: float) -> bool:
        """Wait until it is latched; False where that takes longer."""


class Poison(Protocol):
    """A message that crashed an actor in an earlier process; the fields are an envelope's."""

    @property
    def message(self) -> Any:
        """What was told."""

    @property
    def message_id(self) -> int:
        """No other message has it, of whichever process."""

    @property
    def parent_id(self) -> int | None:
        """What caused it."""

    @property
    def trace_id(self) -> int:
        """With what all began."""

    @property
    def sender(self) -> str:
        """An address, or an outer part."""

    @property
    def sender_generation(self) -> int:
        """0 for senders that are no actors."""

    @property
    def receiver(self) -> str:
        """The actor that it crashed."""

    @property
    def now_ms(self) -> int:
        """When, on the trading clock."""

    @property
    def cause(self) -> str:
        """What was raised."""


class PoisonStore(Protocol):
    """What keeps the messages that crashed an actor over the end of a process."""

    def read_soon(self, take: Callable[[Poison], None]) -> None:
        """Hand over those of earlier processes, oldest first, from a thread of its own."""

    def settle(self, receiver: str, message_id: int) -> None:
        """Hand over a message no more; one that is not kept is let be."""
