"""What the public streams say of each symbol, and the ticker of the REST side."""

from collections.abc import Callable, Collection
from decimal import Decimal
from typing import Any

from domain.market.instruments import Side
from domain.rules import FillRules
from infra.venues.simulator.prices.candles import Kline, Tick
from infra.venues.simulator.prices.funding import Funding
from infra.venues.simulator.prices.market import Market
from infra.venues.simulator.shapes.market import kline_push, trade_push
from infra.venues.simulator.shapes.text import Json, text

_DAY, _HOUR = 288, 12
"""In candles."""
_DEPTH = Decimal(20)
"""Size at each level of the book, in smallest orders."""


class Tickers:
    """The market as clients see it."""

    def __init__(
        self,
        market: Market,
        fills: FillRules,
        funding: Funding,
    ) -> None:
        """Look at a market and at what is settled in it."""
        self._market = market
        self._fills = fills
        self._funding = funding
        self._told: dict[str, dict[str, str]] = {}
        self._told_at: dict[str, int] = {}
        self._ticked: dict[str, int] = {}
        self._day: dict[str, tuple[int, Decimal, Decimal, Decimal, Decimal]] = {}
        self._seq = 0

    def pushes(self, tick: Tick) -> dict[str, Callable[[], Json | None]]:
        """Return by topic how to make the message of a tick."""
        symbol, now_ms = tick.symbol, tick.time_ms
        self._seq += 1
        self._ticked[symbol] = self._seq
        seq = self._seq
        live = self._market.live(symbol)
        return {
            f"publicTrade.{symbol}": lambda: self._trade(tick, seq),
            f"tickers.{symbol}": lambda: self._ticker_delta(symbol, now_ms),
            f"orderbook.1.{symbol}": lambda: self._book_push(symbol, now_ms),
            f"kline.5.{symbol}": lambda: self.kline(symbol, live, now_ms, is_closed=False),
        }

    @property
    def symbols(self) -> Collection[str]:
        """Of all that there is to tell of."""
        return self._market.instruments

    def snapshot(self, topic: str, now_ms: int) -> Json | None:
        """Return the first message of a topic; None where it has none."""
        symbol = topic.rpartition(".")[2]
        if topic.startswith("tickers."):
            if self._told_at.get(symbol) != self._ticked.get(symbol, 0):
                self._tell(symbol, self.stream_fields(symbol))  # nobody has listened lately
            fields = self._told[symbol]
            return self._envelope(topic, "snapshot", {"symbol": symbol, **fields}, now_ms)
        if topic.startswith("orderbook."):
            return self._book_push(symbol, now_ms)
        return None

    def kline(self, symbol: str, kline: Kline, now_ms: int, *, is_closed: bool) -> Json:
        """Return the message of a candle."""
        data = kline_push(kline, is_closed=is_closed, now_ms=now_ms)
        return {
            "topic": f"kline.5.{symbol}",
            "data": [data],
            "ts": now_ms,
            "type": "snapshot",
        }

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
        size = self._size(symbol)
        interest = market.instruments[symbol].max_market_order_qty * 100
        interval_ms = self._fills.funding_interval_ms
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

    def book(self, symbol: str, levels: int, now_ms: int) -> Json:
        """Return both sides of the book."""
        tick_size, size = self._market.instruments[symbol].tick_size, self._size(symbol)
        bid, ask = self._market.bid_price(symbol), self._market.ask_price(symbol)
        return {
            "s": symbol,
            "b": [[text(bid - i * tick_size), text(size)] for i in range(levels)],
            "a": [[text(ask + i * tick_size), text(size)] for i in range(levels)],
            "ts": now_ms,
            "u": self._seq + 1,
            "seq": self._seq + 1,
            "cts": now_ms,
        }

    def _book_push(self, symbol: str, now_ms: int) -> Json:
        book = self.book(symbol, 1, now_ms)
        del book["ts"], book["cts"]
        made = self._envelope(f"orderbook.1.{symbol}", "snapshot", book, now_ms)
        del made["cs"]
        return {**made, "cts": now_ms}

    def _trade(self, tick: Tick, seq: int) -> Json:
        side = Side.BUY if tick.last >= tick.open else Side.SELL
        qty = max(tick.qty, self._market.instruments[tick.symbol].qty_step)
        data = trade_push(tick.symbol, side, qty, tick.last, tick.time_ms, seq)
        return {
            "topic": f"publicTrade.{tick.symbol}",
            "type": "snapshot",
            "ts": tick.time_ms,
            "data": [data],
        }

    def _ticker_delta(self, symbol: str, now_ms: int) -> Json | None:
        fields, told = self.stream_fields(symbol), self._told.get(symbol, {})
        changed = {name: value for name, value in fields.items() if told.get(name) != value}
        self._tell(symbol, fields)
        if not changed:
            return None
        data = {"symbol": symbol, **changed}
        return self._envelope(f"tickers.{symbol}", "delta", data, now_ms)

    def _tell(self, symbol: str, fields: dict[str, str]) -> None:
        self._told[symbol] = fields
        self._told_at[symbol] = self._ticked.get(symbol, 0)

    def _envelope(self, topic: str, kind: str, data: Any, now_ms: int) -> Json:
        return {"topic": topic, "type": kind, "data": data, "cs": self._seq, "ts": now_ms}

    def _size(self, symbol: str) -> Decimal:
        return self._market.instruments[symbol].min_order_qty * _DEPTH

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
