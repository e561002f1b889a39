"""Publishes each price move and each closed candle on the public streams."""

from collections.abc import Callable

from infra.venues.simulator.clock import Clock
from infra.venues.simulator.faults.book import FaultBook
from infra.venues.simulator.faults.kinds import Kind
from infra.venues.simulator.prices.bars import BASE, Bars
from infra.venues.simulator.prices.candles import CandleClosed, Kline, Tick
from infra.venues.simulator.prices.market import Market
from infra.venues.simulator.prices.periods import period_end_ms, period_start_ms
from infra.venues.simulator.records import ExecType, VenueExecution
from infra.venues.simulator.shapes.market import (
    adl_push,
    insurance_push,
    kline_push,
    liquidation_push,
    trade_push,
)
from infra.venues.simulator.shapes.text import Json, text
from infra.venues.simulator.streams.books import OrderBooks
from infra.venues.simulator.streams.hub import Hub
from infra.venues.simulator.streams.tickers import Tickers
from infra.venues.simulator.streams.topics import Topic, read_topic
from infra.venues.simulator.trading.ledger import price_limits

_ALERT, _ALERT_EVERY_MS = "adlAlert.USDT", 1_000
_OLD_LIQUIDATION = ("updatedTime", "symbol", "side", "size", "price")
"""Names of the same fields under the topic for older clients."""


class MarketPublisher:
    """Publishes to subscribers; builds no message in vain."""

    def __init__(
        self,
        market: Market,
        bars: Bars,
        books: OrderBooks,
        tickers: Tickers,
        hub: Hub,
        clock: Clock,
        faults: FaultBook,
    ) -> None:
        self._market = market
        self._bars = bars
        self._books = books
        self._tickers = tickers
        self._hub = hub
        self._clock = clock
        self._faults = faults
        self._topics: dict[str, Topic] = {}
        self._told: dict[str, Kline] = {}
        """By topic the candle that was published last, except for five-minute candles."""
        self._makers: dict[str, Callable[[Topic, Tick], Json | None]] = {
            "publicTrade": self._trade,
            "tickers": lambda topic, tick: self._tickers.delta(topic.symbol, tick.time_ms),
            "orderbook": lambda topic, tick: self._book(topic, tick.time_ms),
            "priceLimit": lambda topic, tick: self._limits(topic.symbol, tick.time_ms),
        }
        self._pools: dict[str, Callable[[int], list[Json]]] = {
            "insurance.USDT": lambda now_ms: [insurance_push(market.instruments, now_ms)],
            _ALERT: lambda _: [adl_push(symbol) for symbol in market.instruments],
        }
        self._alerted_ms = 0

    # New clients.

    def topic(self, name: str) -> Topic | None:
        """Return the parts of a public topic; None where there is no such topic."""
        if name not in self._topics:
            found = read_topic(name, self._market.instruments)
            if found is None:
                return None
            self._topics[name] = found
        return self._topics[name]

    def first(self, name: str, now_ms: int) -> Json | None:
        """Return the first message of a topic for a new client; None if it has none."""
        topic = self.topic(name)
        if topic is None:
            return None
        if topic.kind == "tickers":
            return self._tickers.snapshot(topic.symbol, now_ms)
        if topic.kind == "orderbook":
            is_watched = self._hub.has_listeners(name)
            depth = int(topic.detail)
            book = self._books.snapshot(topic.symbol, depth, is_watched=is_watched)
            return _book_message(name, "snapshot", book, now_ms)
        if topic.kind == "kline":
            self._bars.begin(topic.symbol, topic.detail)
        return self._pool(name, now_ms) if name in self._pools else None

    # Events.

    def tick(self, tick: Tick) -> None:
        """Publish a price move."""
        self._tickers.ticked(tick.symbol)
        for name in self._hub.heard(tick.symbol):
            topic = self.topic(name)
            if topic is None:
                continue
            if topic.kind == "kline":
                self._candle(name, topic, tick)
            elif topic.kind in self._makers:
                message = self._makers[topic.kind](topic, tick)
                if message is not None:
                    self._hub.publish(name, message, tick.symbol)
        if tick.time_ms - self._alerted_ms >= _ALERT_EVERY_MS:
            self._alert(tick.time_ms)

    def closed(self, closed: CandleClosed) -> None:
        for symbol, kline in closed.klines.items():
            for name in self._hub.heard(symbol):
                topic = self.topic(name)
                if topic is not None and topic.kind == "kline":
                    self._end(name, topic, kline, closed.time_ms)

    def execution(self, execution: VenueExecution) -> None:
        """Publish the liquidation of a position, under the current topic and the old one."""
        if execution.exec_type is not ExecType.BUST:
            return
        symbol, row = execution.symbol, liquidation_push(execution)
        old = dict(zip(_OLD_LIQUIDATION, row.values(), strict=True))
        for name, data in ((f"allLiquidation.{symbol}", [row]), (f"liquidation.{symbol}", old)):
            message = {"topic": name, "type": "snapshot", "ts": self._clock.told_ms()}
            self._hub.publish(name, {**message, "data": data}, symbol)

    # Messages.

    def _trade(self, topic: Topic, tick: Tick) -> Json:
        trade = self._market.trades(topic.symbol)[-1]
        return {
            "topic": f"publicTrade.{topic.symbol}",
            "type": "snapshot",
            "ts": tick.time_ms,
            "data": [trade_push(topic.symbol, trade)],
        }

    def _book(self, topic: Topic, now_ms: int) -> Json | None:
        depth, name = int(topic.detail), f"orderbook.{topic.detail}.{topic.symbol}"
        changes = self._books.changes(topic.symbol, depth)
        if depth > 1:
            return None if changes is None else _book_message(name, "delta", changes, now_ms)
        book = self._books.snapshot(topic.symbol, depth, is_watched=True)
        return _book_message(name, "snapshot", book, now_ms)

    def _limits(self, symbol: str, now_ms: int) -> Json:
        highest, lowest = price_limits(self._market, symbol)
        data = {"symbol": symbol, "buyLmt": text(highest), "sellLmt": text(lowest)}
        return {"topic": f"priceLimit.{symbol}", "data": data, "ts": now_ms}

    def _candle(self, name: str, topic: Topic, tick: Tick) -> None:
        if self._clock.is_lockstep:
            return  # the candle closes at the same time
        bar = self._bars.live(topic.symbol, topic.detail)
        told = self._told.get(name)
        if told is not None and told.open_time_ms < bar.open_time_ms:
            self._tell_candle(name, topic, told, bar.open_time_ms, is_closed=True)
        if topic.detail != BASE:
            self._told[name] = bar
        self._tell_candle(name, topic, bar, tick.time_ms, is_closed=False)

    def _end(self, name: str, topic: Topic, kline: Kline, now_ms: int) -> None:
        """Publish the candle that ends together with a five-minute candle."""
        self._told.pop(name, None)
        if topic.detail == BASE:
            bar = kline
        elif period_end_ms(topic.detail, period_start_ms(topic.detail, now_ms - 1)) == now_ms:
            found = self._bars.window(topic.symbol, topic.detail, None, now_ms - 1, 1)
            bar = [*found.bars[found.first : found.last], *found.live][-1]
        else:
            return
        self._tell_candle(name, topic, bar, now_ms, is_closed=True)

    def _tell_candle(
        self, name: str, topic: Topic, bar: Kline, now_ms: int, *, is_closed: bool
    ) -> None:
        symbol = topic.symbol
        if is_closed and self._faults.take(Kind.LOSE_CONFIRM, symbol=symbol, topic=name):
            return
        data = kline_push(bar, topic.detail, is_closed=is_closed, now_ms=now_ms)
        message = {"topic": name, "data": [data], "ts": now_ms, "type": "snapshot"}
        self._hub.publish(name, message, symbol)

    def _alert(self, now_ms: int) -> None:
        self._alerted_ms = now_ms
        if self._hub.has_listeners(_ALERT):
            self._hub.publish(_ALERT, self._pool(_ALERT, now_ms))

    def _pool(self, name: str, now_ms: int) -> Json:
        data = self._pools[name](now_ms)
        return {"topic": name, "type": "snapshot", "ts": now_ms, "data": data}


def _book_message(name: str, kind: str, data: Json, now_ms: int) -> Json:
    return {"topic": name, "type": kind, "ts": now_ms, "data": data, "cts": now_ms}
