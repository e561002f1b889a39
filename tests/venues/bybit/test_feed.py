"""Candles between the stream, the journal and REST."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from domain.errors import JournalError
from domain.market.instruments import Candle
from infra.store.journal import JournalStore
from infra.store.opening import open_store
from infra.venues.bybit.feed import BybitFeed

CANDLE_MS = 300_000
START_MS = 1_744_802_400_000


class Past:
    """What the exchange answers; each candle that it is asked for is noted."""

    def __init__(self) -> None:
        self.now_ms = START_MS
        self.asked: list[tuple[int, int]] = []

    def kline(self, _symbol: str, from_ms: int, until_ms: int, *, candle_ms: int) -> list[Candle]:
        self.asked.append((from_ms, until_ms))
        return [candle(ms) for ms in range(from_ms, until_ms - candle_ms + 1, candle_ms)]


def candle(open_ms: int, close: float = 100.0) -> Candle:
    return Candle(
        open_time_ms=open_ms,
        close_time_ms=open_ms + CANDLE_MS,
        open=100.0,
        high=max(100.0, close),
        low=min(100.0, close),
        close=close,
        volume=1.0,
    )


@contextmanager
def feed_of(folder: Path, past: Past, history: int = 3) -> Iterator[tuple[BybitFeed, JournalStore]]:
    def now_ms() -> int:
        return past.now_ms

    store = open_store(folder / "journal.sqlite", now_ms, busy_timeout_ms=5000)
    stub: Any = past
    with store.connected():
        yield (
            BybitFeed(
                stub,
                stub,
                lambda address: store.open(address, lambda: None),
                store.recent_candles,
                symbols={"BTC": "BTCUSDT"},
                candle_ms=CANDLE_MS,
                history=history,
                now_ms=now_ms,
            ),
            store,
        )


def test_a_later_life_goes_on_with_candles_that_were_accepted_and_not_stored(
    tmp_path: Path,
) -> None:
    past = Past()
    with feed_of(tmp_path, past) as (feed, store):
        assert len(feed.history("BTC")) == 3
        seen = candle(START_MS, close=123.0)
        assert feed.accept("BTC", seen)
        assert store.recent_candles("BTC", 1) == [candle(START_MS - CANDLE_MS)]
        past.asked.clear()
        past.now_ms = START_MS + 2 * CANDLE_MS

        found = feed.history("BTC")

        assert past.asked == [(START_MS + CANDLE_MS, past.now_ms)]
        assert found.close[-2:].tolist() == [123.0, 100.0]
        assert store.recent_candles("BTC", 2) == [seen, candle(START_MS + CANDLE_MS)]


def test_candles_that_the_journal_refuses_wait_and_are_stored_with_the_next(
    tmp_path: Path,
) -> None:
    past = Past()
    with feed_of(tmp_path, past) as (feed, store):
        feed.history("BTC")

        def refuse(_database: Any) -> None:
            raise JournalError("no room")

        store.before_write = refuse
        feed.accept("BTC", candle(START_MS))
        feed.store("BTC")
        assert np.array_equal(feed.recent("BTC", 2).open_time_ms, [START_MS - CANDLE_MS, START_MS])
        assert len(store.recent_candles("BTC", 9)) == 3

        store.before_write = lambda _database: None
        feed.accept("BTC", candle(START_MS + CANDLE_MS))
        feed.store("BTC")
        feed.store("BTC")
        assert len(store.recent_candles("BTC", 9)) == 5
