"""Market data in real time: closed candles and prices, by symbol."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from domain.errors import BadDataError
from domain.market.instruments import MINUTE_MS, Candle
from infra.net.callbacks import Message
from infra.net.pool import ConnectionPool, Subscription
from infra.venues.bybit.shapes.market import CandleReader, Ticker, TickerReader, candle_of
from infra.venues.bybit.shapes.messages import Refusals, items_of, pushed_ms_of
from infra.venues.bybit.shapes.row import Row


class PublicStream:
    """Market topics as domain values. Callbacks run in a connection's thread and must only tell."""

    def __init__(self, pool: ConnectionPool, *, candle_minutes: int) -> None:
        """Read the market through a pool, which its owner closes."""
        self._pool = pool
        self._candle_minutes = candle_minutes
        self._candle_ms = candle_minutes * MINUTE_MS
        self._refusals = Refusals()
        self._heard_s: dict[str, float] = {}
        self._newest: dict[str, Any] = {}

    def candles(
        self,
        symbol: str,
        on_candle: Callable[[Candle], None],
        *,
        on_connected: Callable[[float], None] | None = None,
        on_lost: Callable[[str], None] | None = None,
    ) -> Subscription:
        """Call for each candle that closes, once and in order, replacing earlier callbacks.

        Args:
            symbol: such as BTCUSDT.
            on_candle: gets each closed candle. A candle that closes while the connection is down is
                never delivered: it has to be fetched at `on_connected`.
            on_connected: called when candles arrive (again), with the seconds they did not;
                also after a message that could not be read, which may have closed one.
            on_lost: called with the reason when they stop.
        """
        reader = CandleReader(self._candle_minutes * MINUTE_MS)
        otherwise = None if on_connected is None else partial(on_connected, 0.0)

        def read(message: Message) -> None:
            self._heard_s[symbol] = time.monotonic()
            items = self._refusals.attempt("kline", partial(_sent_items, message), otherwise)
            for item, sent_ms in items or ():
                self._newest[symbol] = item
                reading = partial(reader.read, item, sent_ms)
                candle = self._refusals.attempt("kline", reading, otherwise)
                if candle is not None:
                    on_candle(candle)

        topic = f"kline.{self._candle_minutes}.{symbol}"
        return self._pool.subscribe(topic, read, on_connected=on_connected, on_lost=on_lost)

    def tickers(
        self,
        symbol: str,
        on_ticker: Callable[[Ticker], None],
        *,
        on_connected: Callable[[float], None] | None = None,
        on_lost: Callable[[str], None] | None = None,
    ) -> Subscription:
        """Call for each change of a symbol's prices, replacing earlier callbacks.

        Args:
            symbol: such as BTCUSDT.
            on_ticker: gets all prices after each change, up to ten times a second; keep the newest.
            on_connected: called when prices arrive (again), with the seconds they did not.
            on_lost: called with the reason when they stop.
        """
        reader = TickerReader(symbol)

        def read(message: Message) -> None:
            ticker = self._refusals.attempt("tickers", partial(reader.read, message))
            if ticker is not None:
                on_ticker(ticker)

        topic = f"tickers.{symbol}"
        return self._pool.subscribe(topic, read, on_connected=on_connected, on_lost=on_lost)

    def heard_s(self, symbol: str) -> float | None:
        """Return when a symbol's last candle update arrived, closed or not (monotonic)."""
        return self._heard_s.get(symbol)

    def newest_close(self, symbol: str) -> float | None:
        """Return the close of the newest candle received, closed or not.

        None if there was none, or if the last one could not be read.
        """
        item = self._newest.get(symbol)
        try:
            return None if item is None else candle_of(Row("kline", item), self._candle_ms).close
        except BadDataError:
            return None

    def refused(self) -> Mapping[str, int]:
        """Return the number of unreadable messages by kind; from any thread."""
        return self._refusals.counts()


def _sent_items(message: Message) -> list[tuple[Any, int]]:
    sent_ms = pushed_ms_of(message)
    return [(item, sent_ms) for item in items_of(message)]
