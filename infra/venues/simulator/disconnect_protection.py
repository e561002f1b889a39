"""Cancels orders when a client stays disconnected: disconnected-cancel-all."""

import asyncio

from infra.venues.simulator.memory.event_log import EventLog
from infra.venues.simulator.streams.hub import Hub
from infra.venues.simulator.tasks import Tasks
from infra.venues.simulator.trading.venue import Venue

TOPICS = frozenset({"dcp.future"})


class DisconnectProtection:
    """Watches the private streams that subscribe to it.

    Once the last of them has been gone for longer than the window, all client orders are canceled;
    the stops of positions stay.
    """

    def __init__(self, hub: Hub, venue: Venue, chronicle: EventLog, tasks: Tasks) -> None:
        """Start disabled, until a window is set."""
        self.window_s: int | None = None
        self._hub = hub
        self._venue = venue
        self._chronicle = chronicle
        self._tasks = tasks
        self._absences = 0
        hub.on_leave = self._left

    def set_window(self, seconds: int) -> None:
        """Enable the protection, with a window in real seconds."""
        self.window_s = seconds

    def _left(self, topics: set[str]) -> None:
        if self.window_s is not None and topics & TOPICS and not self._is_watched():
            self._absences += 1
            self._tasks.spawn(self._cancel_later(self._absences, self.window_s))

    async def _cancel_later(self, absence: int, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if self._is_watched() or absence != self._absences:
            return
        for order in self._venue.ledger.open_orders():
            self._venue.matching.process(order)
            if order.is_open and not order.is_stop_of_position:
                self._venue.cancel(order, "CancelByDCP")
        self._chronicle.commit()

    def _is_watched(self) -> bool:
        return any(stream.topics & TOPICS for stream in self._hub.streams)
