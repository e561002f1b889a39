"""The ticker of each symbol: complete for REST and new clients, then changes only."""

from decimal import Decimal

from domain.rules import FillRules
from infra.venues.simulator.prices.funding import Funding
from infra.venues.simulator.prices.market import Market
from infra.venues.simulator.shapes.text import Json, text
from infra.venues.simulator.streams.books import OrderBooks

_DAY, _HOUR = 288, 12
"""Lengths in candles."""


class Tickers:
    """The tickers of all symbols."""

    def __init__(
        self,
        market: Market,
        books: OrderBooks,
        fills: FillRules,
        funding: Funding,
    ) -> None:
        """Read a market and its funding."""
        self._market = market
        self._books = books
        self._fills = fills
        self._funding = funding
        self._told: dict[str, dict[str, str]] = {}
        self._told_at: dict[str, int] = {}
        self._ticked: dict[str, int] = {}
        self._day: dict[str, tuple[int, Decimal, Decimal, Decimal, Decimal]] = {}
        self._seq = 0

    def ticked(self, symbol: str) -> None:
        """Record a price move."""
        self._seq += 1
        self._ticked[symbol] = self._seq

    def snapshot(self, symbol: str, now_ms: int) -> Json:
        """Return the first message for a client."""
        if self._told_at.get(symbol) != self._ticked.get(symbol, 0):
            self._tell(symbol, self.stream_fields(symbol))  # there were no subscribers lately
        fields = self._told[symbol]
        return self._envelope(symbol, "snapshot", {"symbol": symbol, **fields}, now_ms)

    def delta(self, symbol: str, now_ms: int) -> Json | None:
        """Return the message of what has changed; None if nothing has."""
        fields, told = self.stream_fields(symbol), self._told.get(symbol, {})
        changed = {name: value for name, value in fields.items() if told.get(name) != value}
        self._tell(symbol, fields)
        if not changed:
            return None
        return self._envelope(symbol, "delta", {"symbol": symbol, **changed}, now_ms)

    def open_interest(self, symbol: str) -> Decimal:
        """Return the open interest, base units; constant."""
        return self._market.instruments[symbol].max_market_order_qty * 100

    def rest_fields(self, symbol: str) -> Json:
        """Return a row of the REST tickers."""
        fields: Json = self.stream_fields(symbol)
        del fields["tickDirection"]
        absent = (
            "predictedDeliveryPrice",
            "basisRate",
            "deliveryFeeRate",
            "basis",
            "basisRateYear",
        )
        return {"symbol": symbol, **fields, **dict.fromkeys(absent, ""), "deliveryTime": "0"}

    def stream_fields(self, symbol: str) -> dict[str, str]:
        """Return a ticker without its symbol."""
        market = self._market
        last, mark = market.last_price(symbol), market.mark_price(symbol)
        day_ago, hour_ago = self._close_ago(symbol, _DAY), self._close_ago(symbol, _HOUR)
        high, low, volume, turnover = self._over_a_day(symbol)
        size = self._books.size(symbol)
        interest = self.open_interest(symbol)
        interval_ms = self._fills.funding.interval_ms
        next_funding_ms = (market.open_time_ms // interval_ms + 1) * interval_ms
        return {
            "tickDirection": "PlusTick",
            "price24hPcnt": text(round(last / day_ago - 1, 6)),
            "lastPrice": text(last),
            "prevPrice24h": text(day_ago),
            "highPrice24h": text(high),
            "lowPrice24h": text(low),
            "prevPrice1h": text(hour_ago),
            "markPrice": text(mark),
            "indexPrice": text(mark),
            "openInterest": text(interest),
            "openInterestValue": text(round(interest * mark, 2)),
            "singleOpenInterest": text(interest / 2),
            "singleOpenInterestValue": text(round(interest * mark / 2, 2)),
            "turnover24h": text(round(turnover, 4)),
            "volume24h": text(volume),
            "fundingIntervalHour": str(interval_ms // 3_600_000),
            "fundingCap": "0.005",
            "nextFundingTime": str(next_funding_ms),
            "fundingRate": text(self._funding.rate(symbol, next_funding_ms) or Decimal(0)),
            "bid1Price": text(market.bid_price(symbol)),
            "bid1Size": text(size),
            "ask1Price": text(market.ask_price(symbol)),
            "ask1Size": text(size),
            "preOpenPrice": "",
            "preQty": "",
            "curPreListingPhase": "",
        }

    def _tell(self, symbol: str, fields: dict[str, str]) -> None:
        self._told[symbol] = fields
        self._told_at[symbol] = self._ticked.get(symbol, 0)

    def _envelope(self, symbol: str, kind: str, data: Json, now_ms: int) -> Json:
        return {
            "topic": f"tickers.{symbol}",
            "type": kind,
            "data": data,
            "cs": self._seq,
            "ts": now_ms,
        }

    def _close_ago(self, symbol: str, candles: int) -> Decimal:
        closed = self._market.closed(symbol)
        if not closed:
            return self._market.live(symbol).open
        return closed[max(0, len(closed) - candles)].open

    def _over_a_day(self, symbol: str) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        live = self._market.live(symbol)
        known = self._day.get(symbol)
        if known is None or known[0] != live.open_time_ms:
            day = [*self._market.closed(symbol)[-_DAY + 1 :], live]
            known = (
                live.open_time_ms,
                max(kline.high for kline in day),
                min(kline.low for kline in day),
                sum((kline.volume for kline in day[:-1]), Decimal(0)),
                sum((kline.turnover for kline in day[:-1]), Decimal(0)),
            )
            self._day[symbol] = known
        _, high, low, volume, turnover = known
        return (
            max(high, live.high),
            min(low, live.low),
            volume + live.volume,
            turnover + live.turnover,
        )
