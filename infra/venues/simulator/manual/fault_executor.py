"""Performs faults that are acts: when they are due, and on which symbols."""

import asyncio

from domain.errors import ConfigError
from infra.venues.simulator.faults.book import Fault, FaultBook
from infra.venues.simulator.faults.kinds import ACTS, Kind
from infra.venues.simulator.faults.spec import FaultSpec
from infra.venues.simulator.manual.actions import ManualActions
from infra.venues.simulator.memory.event_log import EventLog
from infra.venues.simulator.prices.market import Market
from infra.venues.simulator.streams.hub import Hub
from infra.venues.simulator.tasks import Tasks
from infra.venues.simulator.wire import Wire

_ANSWER_S = 0.05
"""Delay before a connection is dropped, so that the requester still gets the answer."""
_AGAIN_S = 0.05
"""Delay before a retry, if there was no position, stop or stream to act on."""
_OUTAGES = frozenset({Kind.DOWN, Kind.REFUSE})


class FaultExecutor:
    """Performs acts, once or repeatedly."""

    def __init__(
        self,
        faults: FaultBook,
        hand: ManualActions,
        market: Market,
        hub: Hub,
        wire: Wire,
        chronicle: EventLog,
        tasks: Tasks,
    ) -> None:
        self._faults = faults
        self._hand = hand
        self._symbols = tuple(market.instruments)
        self._hub = hub
        self._wire = wire
        self._chronicle = chronicle
        self._tasks = tasks

    def check(self, spec: FaultSpec) -> None:
        """Refuse a fault that can never apply here.

        Raises:
            ConfigError: its symbol is not traded here.
        """
        if spec.symbol and spec.symbol not in self._symbols:
            expected = ", ".join(self._symbols)
            raise ConfigError(f"{spec.kind}: symbol: found {spec.symbol}, expected of {expected}")

    def add(self, spec: FaultSpec) -> Fault:
        """Add a fault; an act is performed when it is due.

        Raises:
            ConfigError: its symbol is not traded here.
        """
        self.check(spec)
        fault = self._faults.add(spec)
        if spec.kind in ACTS and not spec.recurs:
            least_s = _ANSWER_S if spec.kind in _OUTAGES else 0.0
            self._tasks.spawn(self._act_later(fault, max(spec.after_s, least_s)))
        return fault

    def recur(self) -> None:
        """Perform the recurring acts at the close of a candle."""
        for fault in self._faults.recurring_acts():
            if self._faults.is_tossed(fault) and self.act(fault.spec):
                fault.happen()

    def act(self, spec: FaultSpec) -> bool:
        """Perform a fault, on every symbol unless it names one.

        Returns:
            Whether it had anything to act on: a position, a stop or a stream.

        Raises:
            ConfigError: its symbol is not traded here.
        """
        self.check(spec)
        if spec.kind in _OUTAGES:
            self._tasks.spawn(self._out_of_order(spec))
            has_met = True
        elif spec.kind is Kind.CUT:
            has_met = self._hub.cut(spec.path)
        elif spec.kind is Kind.HALF_OPEN:
            has_met = self._hub.freeze(spec.path)
        else:
            symbols = [spec.symbol] if spec.symbol else self._symbols
            has_met = sum(self._hand.act(symbol, spec) for symbol in symbols) > 0
        self._chronicle.commit()
        return has_met

    async def _act_later(self, fault: Fault, delay_s: float) -> None:
        """Perform it as often as requested; if there was nothing to act on, retry."""
        wanted = fault.spec.times or 1
        while wanted:
            await asyncio.sleep(delay_s)
            if fault.left == 0 or not self._faults.knows(fault):
                return
            if self.act(fault.spec):
                fault.happen()
                wanted -= 1
            delay_s = max(fault.spec.after_s, _AGAIN_S)

    async def _out_of_order(self, spec: FaultSpec) -> None:
        await self._wire.refuse()
        streams = {stream.peer for stream in self._hub.streams}
        self._wire.drop_all(streams if spec.kind is Kind.REFUSE else set())
        await asyncio.sleep(spec.outage_s)
        await self._wire.listen_again()
