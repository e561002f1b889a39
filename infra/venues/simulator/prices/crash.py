"""A crash like 10 October 2025: every price halves within one candle, and soon mostly recovers."""

import random
from collections.abc import Mapping
from decimal import Decimal

from domain.market.funding import FundingHistory
from domain.market.instruments import Instrument
from infra.venues.simulator.prices.generator import Plan
from infra.venues.simulator.prices.sources import Mark, Source

_LEAST, _MOST = 0.50, 0.65
"""How far each price falls, as a fraction."""
_CLOSES_AT = Decimal("0.80")
_COMES_BACK_TO = Decimal("0.95")
_RECOVERY = 24
"""Candles until the recovery is complete."""
_BUSY = 20
"""Multiple of the usual volume."""


class CrashSource:
    """Another source's candles, with a crash in one of them."""

    def __init__(
        self, source: Source, instruments: Mapping[str, Instrument], seed: int, number: int
    ) -> None:
        """Crash every price in the candle with a given number."""
        self._source = source
        self._instruments = instruments
        self._seed = seed
        self._number = number
        self.first_open_ms = source.first_open_ms
        self.first_number = source.first_number
        self.funding: Mapping[str, FundingHistory | None] = source.funding

    @property
    def mark(self) -> Mark | None:
        """The newest mark of the other source."""
        return self._source.mark

    def plans(self, number: int) -> Mapping[str, Plan] | None:
        """Return the candles of one open time by symbol; None after the last."""
        plans = self._source.plans(number)
        if plans is None or number < self._number:
            return plans
        return {symbol: self._moved(symbol, plan, number) for symbol, plan in plans.items()}

    def _moved(self, symbol: str, plan: Plan, number: int) -> Plan:
        instrument = self._instruments[symbol]

        def scaled(price: Decimal, factor: Decimal) -> Decimal:
            return max(instrument.tick_size, instrument.round_price_down(price * factor))

        since = number - self._number
        before, after = self._level(since - 1), self._level(since)
        opened, closed = scaled(plan.open, before), scaled(plan.close, after)
        high = max(opened, closed, scaled(plan.high, min(before, after)))
        low = min(opened, closed, scaled(plan.low, max(before, after)))
        if since == 0:
            chance = random.Random(f"{self._seed}/{symbol}/crash")  # noqa: S311 - a market
            depth = Decimal(str(round(chance.uniform(_LEAST, _MOST), 4)))
            low = scaled(opened, 1 - depth)
        volume = plan.volume * (_BUSY if since <= _RECOVERY else 1)
        return Plan(open=opened, high=high, low=low, close=closed, volume=volume)

    @staticmethod
    def _level(since: int) -> Decimal:
        """Return the factor of closing prices a number of candles after the crash."""
        if since < 0:
            return Decimal(1)
        part = Decimal(min(since, _RECOVERY)) / _RECOVERY
        return _CLOSES_AT + (_COMES_BACK_TO - _CLOSES_AT) * part
