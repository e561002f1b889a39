"""Closed candles of Bybit: stored ones first, missing ones by REST, new ones by the stream."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
from loguru import logger
from numpy.typing import NDArray

from domain.errors import JournalError
from domain.facts import ClosedCandle, Fact
from domain.market.candles import CandleSeries, carry_forward
from domain.market.instruments import Candle
from domain.market.order_book import OrderBook
from infra.net.pool import Subscription
from infra.venues.bybit.public_stream import PublicStream
from infra.venues.bybit.rest import BybitRest

Table = NDArray[np.float64]
"""(n, 6): open time (ms), open, high, low, close, volume."""


class CandlePen(Protocol):
    """Stores and returns the candles of an asset."""

    def append(self, *facts: Fact) -> list[int]:
        """Store facts, all or none.

        Raises:
            JournalError: nothing can be stored.
        """

    def candles(self, asset: str) -> Table:
        """Return an asset's stored candles, oldest first."""


class BybitFeed:
    """Candles by asset. The first accepted version of a candle becomes a fact and stays.

    A candle waits here until its actor has stored it, or the journal accepts it: decisions on it
    need not wait for the disk. A kill loses it, and the next process fetches it again.
    """

    def __init__(
        self,
        rest: BybitRest,
        stream: PublicStream,
        open_journal: Callable[[str], CandlePen],
        read_recent: Callable[[str, int], list[Candle]],
        *,
        symbols: Mapping[str, str],
        candle_ms: int,
        history: int,
        now_ms: Callable[[], int],
    ) -> None:
        """Keep the parts; nothing is fetched yet.

        Args:
            rest: fetches what is missing.
            stream: delivers new candles.
            open_journal: opens a journal, in the thread that will use it.
            read_recent: returns the newest stored candles of an asset, oldest first.
            symbols: by asset.
            candle_ms: length of a candle.
            history: number of candles to fetch if none are stored.
            now_ms: the exchange's time.
        """
        self._rest = rest
        self._stream = stream
        self._open_journal = open_journal
        self._read_recent = read_recent
        self._symbols = symbols
        self._candle_ms = candle_ms
        self._history = history
        self._now_ms = now_ms
        self._journals_of: dict[str, CandlePen] = {}
        self._unstored: dict[str, list[Candle]] = {}
        """By asset. Read by the portfolio's thread, so replaced as a whole, never changed."""
        self._refused: set[str] = set()
        """Assets whose candles the journal has refused, as already logged."""

    def history(self, asset: str) -> CandleSeries:
        """Return all closed candles up to now; missing ones are fetched and stored.

        Raises:
            UnavailableError: the exchange did not answer.
        """
        journal = self._journals_of[asset] = self._open_journal(f"feed/{asset}")
        stored = journal.candles(asset)
        from_ms = int(stored[-1, 0]) + self._candle_ms if len(stored) else self._first_ms()
        waiting = self._following(asset, from_ms)
        missing = [*waiting, *self._fetch(asset, waiting[-1].close_time_ms if waiting else from_ms)]
        self._unstored[asset] = missing
        self.store(asset)
        return _series(np.concatenate([stored, _table(missing)]), self._candle_ms)

    def recent(self, asset: str, count: int) -> CandleSeries:
        """Return the newest candles accepted; nothing is fetched."""
        stored = self._read_recent(asset, count)
        newest_ms = stored[-1].open_time_ms if stored else 0
        unstored = self._unstored.get(asset, [])
        younger = [candle for candle in unstored if candle.open_time_ms > newest_ms]
        return _series(_table([*stored, *younger][-count:]), self._candle_ms)

    def order_book(self, asset: str) -> OrderBook:
        """Return the current order book.

        Raises:
            BadDataError: the answer cannot be read.
            UnavailableError: no answer within the budget.
        """
        return self._rest.order_book(self._symbols[asset])

    def accept(self, asset: str, candle: Candle) -> bool:
        """Queue a closed candle that follows the history, and return whether it does."""
        self._unstored[asset] = [*self._unstored[asset], candle]
        return True

    def store(self, asset: str) -> None:
        """Store the queued candles."""
        waiting = self._unstored[asset]
        if not waiting:
            return
        try:
            self._journals_of[asset].append(*(ClosedCandle(asset=asset, candle=c) for c in waiting))
        except JournalError as error:
            if asset not in self._refused:  # only the first; the others follow at each close
                self._refused.add(asset)
                logger.bind(asset=asset).warning("{}: candles wait to be stored: {}", asset, error)
        else:
            self._unstored[asset] = []
            self._refused.discard(asset)

    def subscribe(
        self,
        asset: str,
        on_candle: Callable[[Candle], None],
        on_connected: Callable[[], None],
        on_lost: Callable[[str], None],
    ) -> Subscription:
        """Call for each candle that closes, and whenever the stream is lost or restored."""
        return self._stream.candles(
            self._symbols[asset],
            on_candle,
            on_connected=lambda _down_s: on_connected(),
            on_lost=on_lost,
        )

    def _following(self, asset: str, from_ms: int) -> list[Candle]:
        """Return the queued candles if they start there: an earlier incarnation acted on them."""
        waiting = self._unstored.get(asset, [])
        younger = [candle for candle in waiting if candle.open_time_ms >= from_ms]
        return younger if younger and younger[0].open_time_ms == from_ms else []

    def _fetch(self, asset: str, from_ms: int) -> list[Candle]:
        until_ms = self._now_ms()
        if until_ms - from_ms < self._candle_ms:
            return []
        symbol = self._symbols[asset]
        return list(self._rest.kline(symbol, from_ms, until_ms, candle_ms=self._candle_ms))

    def _first_ms(self) -> int:
        newest_ms = self._now_ms() // self._candle_ms * self._candle_ms
        return newest_ms - self._history * self._candle_ms


def _table(candles: Sequence[Candle]) -> Table:
    rows = [(c.open_time_ms, c.open, c.high, c.low, c.close, c.volume) for c in candles]
    return np.array(rows, dtype=np.float64).reshape(-1, 6)


def _series(table: Table, candle_ms: int) -> CandleSeries:
    return carry_forward(
        open_time_ms=table[:, 0].astype(np.int64),
        open=table[:, 1],
        high=table[:, 2],
        low=table[:, 3],
        close=table[:, 4],
        volume=table[:, 5],
        candle_ms=candle_ms,
    )
