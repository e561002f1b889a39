"""Whom the venue tells what has changed, and whom it asks what goes wrong."""

from decimal import Decimal
from typing import Protocol

from infra.venues.simulator.records import StopRecord, VenueExecution, VenueOrder


class Sink(Protocol):
    """Whom the venue tells what has changed."""

    def order(self, order: VenueOrder) -> None:
        """Take an order's new state."""

    def remember(self, order: VenueOrder) -> None:
        """Take an order's new state, and tell nobody."""

    def execution(self, execution: VenueExecution) -> None:
        """Take an execution."""

    def position(self, key: str) -> None:
        """Take note that a position was touched."""

    def margin(self, key: str) -> None:
        """Take note that margin was added to a position, or taken back."""

    def stops(self, record: StopRecord) -> None:
        """Take the stops that a position has from now on."""

    def settings(self) -> None:
        """Take note that leverage or a mode has changed."""


class Chances(Protocol):
    """The faults that the venue itself commits."""

    def partial_fill(self, symbol: str) -> Decimal | None:
        """Return the fraction that the next market order fills before it is canceled."""

    def rejects(self, symbol: str) -> str | None:
        """Return why the next order is rejected after its acknowledgement."""
