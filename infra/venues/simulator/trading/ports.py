"""The venue's ports: the receiver of changes, and the source of faults."""

from decimal import Decimal
from typing import Protocol

from infra.venues.simulator.records import StopRecord, VenueExecution, VenueOrder


class Sink(Protocol):
    """Receives the venue's changes."""

    def order(self, order: VenueOrder) -> None:
        """Take an order's new state."""

    def remember(self, order: VenueOrder) -> None:
        """Take an order's new state without reporting it."""

    def execution(self, execution: VenueExecution) -> None:
        """Take an execution."""

    def position(self, key: str) -> None:
        """Learn that a position was touched."""

    def margin(self, key: str) -> None:
        """Learn that margin was added to a position, or removed."""

    def stops(self, record: StopRecord) -> None:
        """Take the new stops of a position."""

    def settings(self) -> None:
        """Learn that leverage or a mode has changed."""


class Chances(Protocol):
    """The faults that the venue itself commits."""

    def partial_fill(self, symbol: str) -> Decimal | None:
        """Return the fraction of the next market order that fills before it is canceled."""

    def rejects(self, symbol: str) -> str | None:
        """Return why the next order is rejected after its acknowledgement."""
