"""Order entry: an order is acknowledged and visible at once, and matched a moment later."""

import asyncio
import random

from infra.venues.simulator import refusals
from infra.venues.simulator.clock import Clock
from infra.venues.simulator.faults.book import FaultBook
from infra.venues.simulator.faults.kinds import Kind
from infra.venues.simulator.memory.event_log import EventLog
from infra.venues.simulator.records import VenueOrder
from infra.venues.simulator.tasks import Tasks
from infra.venues.simulator.trading.requests import NewOrder
from infra.venues.simulator.trading.venue import Venue

_SOONEST_S, _LATEST_S = 0.005, 0.020


class OrderEntry:
    """Passes orders to the venue."""

    def __init__(
        self,
        venue: Venue,
        clock: Clock,
        faults: FaultBook,
        chronicle: EventLog,
        tasks: Tasks,
        seed: int,
    ) -> None:
        """Pass orders to one venue; the seed is for the delays."""
        self._venue = venue
        self._clock = clock
        self._faults = faults
        self._chronicle = chronicle
        self._tasks = tasks
        self._chance = random.Random(f"{seed}/entry")  # noqa: S311 - delays, not secrets

    def submit(self, wanted: NewOrder) -> VenueOrder:
        """Accept an order, and match it a moment later.

        Raises:
            RefusedError: nothing was accepted.
        """
        is_delisted = self._faults.take(Kind.DELISTED, symbol=wanted.symbol) is not None
        if is_delisted and not wanted.reduce_only:
            raise refusals.not_live()
        order = self._venue.create(wanted)
        slow = self._faults.take(Kind.SLOW_MATCHING, symbol=order.symbol)
        order.is_shown = slow is None
        if slow is not None:
            self._tasks.spawn(self._process_later(order, slow.seconds))
        elif self._clock.is_lockstep or self._faults.take(Kind.INSTANT):
            self._venue.matching.process(order)
        else:
            delay_s = self._chance.uniform(_SOONEST_S, _LATEST_S)
            self._tasks.spawn(self._process_later(order, delay_s))
        self._chronicle.commit()
        return order

    async def _process_later(self, order: VenueOrder, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        self._venue.matching.process(order)
        self._chronicle.commit()
