"""Runs the market's events one after another as time passes."""

import asyncio

from infra.venues.simulator.clock import Clock
from infra.venues.simulator.manual.fault_executor import FaultExecutor
from infra.venues.simulator.memory.event_log import EventLog
from infra.venues.simulator.prices.candles import CandleClosed, Tick
from infra.venues.simulator.prices.funding import Funding
from infra.venues.simulator.prices.market import Market
from infra.venues.simulator.streams.market_publisher import MarketPublisher
from infra.venues.simulator.trading.venue import Venue


class Timeline:
    """Passes each market event to orders, clients and memory, in this order."""

    def __init__(
        self,
        clock: Clock,
        market: Market,
        funding: Funding,
        venue: Venue,
        tape: MarketPublisher,
        chronicle: EventLog,
        acts: FaultExecutor,
    ) -> None:
        """Start at the market's current time."""
        self._clock = clock
        self._market = market
        self._funding = funding
        self._venue = venue
        self._tape = tape
        self._chronicle = chronicle
        self._acts = acts
        self._funded_ms = -1

    # With a running clock.

    def skip_to(self, time_ms: int) -> None:
        """Replay, without side effects, what was processed before."""
        while not self._clock.is_lockstep and self._market.next_ms() <= time_ms:
            for _ in self._market.next_events():
                pass

    def begin(self) -> None:
        """Treat the funding of the candle under way as settled, if the clock runs."""
        if not self._clock.is_lockstep:
            self._funded_ms = self._market.open_time_ms

    def catch_up(self) -> None:
        """Process everything due by a running clock."""
        now_ms = self._clock.now_ms()
        while not self._clock.is_lockstep and self._market.next_ms() <= now_ms:
            self._happen()

    async def run(self) -> None:
        """Process events when they are due, forever."""
        while True:
            await asyncio.sleep(self._clock.real_s_until(self._market.next_ms()))
            now_ms = self._clock.now_ms()
            while self._market.next_ms() <= now_ms:
                self._happen()
                # Clients are served between two events even if time has run ahead.
                await asyncio.sleep(0)

    # With a lock-step clock.

    def advance(self) -> bool:
        """Move a lock-step clock to the next candle's close.

        Returns:
            Whether there was one.
        """
        moved = False
        while self.step():
            moved = True
            if self._market.is_at_open:
                break
        return moved

    def step(self) -> bool:
        """Move a lock-step clock to the next event that touches the account or closes candles.

        While a position is open, each price of a walked symbol is such an event.

        Returns:
            Whether there was one.
        """
        if self._market.is_over:
            return False
        before = len(self._venue.account.transactions)
        if self._market.is_at_open:
            self._fund()
        self._clock.jump_to(self._market.next_ms())
        self._happen()
        while (
            not self._market.is_at_open
            and len(self._venue.account.transactions) == before
            and not self._is_followed()
        ):
            self._happen()
        return True

    def _is_followed(self) -> bool:
        """Tell whether a client may move a stop in response to the price just reached."""
        account = self._venue.account
        return any(
            key in account.engine.positions
            for symbol in self._market.walked
            for key in account.keys(symbol)
        )

    # Single events.

    def _happen(self) -> None:
        self._chronicle.done_ms = self._market.next_ms()
        for event in self._market.next_events():
            if isinstance(event, Tick):
                self._venue.triggers.move(event)
                self._tape.tick(event)
            else:
                self._close_candle(event)
        self._chronicle.commit()

    def _close_candle(self, closed: CandleClosed) -> None:
        self._tape.closed(closed)
        self._chronicle.candles(closed)
        self._chronicle.done_until(self._chronicle.done_ms)
        if not self._clock.is_lockstep:
            self._fund()
        self._acts.recur()

    def _fund(self) -> None:
        """Settle funding at the open of the candle under way, if it is due."""
        open_ms = self._market.open_time_ms
        if open_ms == self._funded_ms:
            return
        self._funded_ms = open_ms
        for symbol in self._market.instruments:
            rate = self._funding.rate(symbol, open_ms)
            if rate is not None:
                opened = self._market.mark_of(symbol, self._market.live(symbol).open)
                for key in self._venue.account.keys(symbol):
                    self._venue.bookings.settle_funding(key, opened, rate, open_ms)
