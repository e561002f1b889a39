"""How time goes on: what happens in the market, one event after another."""

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
    """Lets each event of the market reach orders, clients and memory, in this order."""

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
        """Stand where the market stands."""
        self._clock = clock
        self._market = market
        self._funding = funding
        self._venue = venue
        self._tape = tape
        self._chronicle = chronicle
        self._acts = acts
        self._funded_ms = -1

    # A clock that runs.

    def skip_to(self, time_ms: int) -> None:
        """Go once more, without anybody noticing, through what was done with before."""
        while not self._clock.is_lockstep and self._market.next_ms() <= time_ms:
            for _ in self._market.next_events():
                pass

    def begin(self) -> None:
        """Take the funding of the candle under way as settled, where the clock runs."""
        if not self._clock.is_lockstep:
            self._funded_ms = self._market.open_time_ms

    def catch_up(self) -> None:
        """Let happen what a running clock says has happened."""
        now_ms = self._clock.now_ms()
        while not self._clock.is_lockstep and self._market.next_ms() <= now_ms:
            self._happen()

    async def run(self) -> None:
        """Let events happen when they are due, for ever."""
        while True:
            await asyncio.sleep(self._clock.real_s_until(self._market.next_ms()))
            now_ms = self._clock.now_ms()
            while self._market.next_ms() <= now_ms:
                self._happen()
                # Clients are served between two events even where time has run ahead.
                await asyncio.sleep(0)

    # A clock that is told to jump.

    def advance(self) -> bool:
        """Let a lock-step clock jump to the next candle's close.

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
        """Let a lock-step clock go to the next event that touches the account, or closes candles.

        Each price of a symbol that is walked is such an event while a position is open there.

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
        """Tell whether somebody may move a stop behind the price that has just been met."""
        account = self._venue.account
        return any(
            key in account.engine.positions
            for symbol in self._market.walked
            for key in account.keys(symbol)
        )

    # One event.

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
        """Settle funding at the open of the candle under way, where it is due."""
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
