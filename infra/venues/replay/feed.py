"""The feed of a replay: closed candles, published one close at a time."""

from collections.abc import Callable, Iterable, Mapping

from domain.market.candles import CandleSeries
from domain.market.instruments import Candle
from infra.venues.replay.subscribers import Seat, Subscribers


class ReplayFeed:
    """Candles by asset. No candle can be seen before its close is published."""

    def __init__(self, candles: Mapping[str, CandleSeries]) -> None:
        """Hold the candles of all assets, none of them published yet."""
        self._candles = candles
        self._published_ms = 0
        self._subscribers: Subscribers[Callable[[Candle], None]] = Subscribers()

    def history(self, asset: str) -> CandleSeries:
        """Return the candles published so far."""
        return self._candles[asset].until(self._published_ms)

    def recent(self, asset: str, count: int) -> CandleSeries:
        """Return the newest candles published so far."""
        known = self.history(asset)
        if not len(known):
            return known
        newest_ms = int(known.open_time_ms[-1])
        return known.between(newest_ms - (count - 1) * known.candle_ms, newest_ms + 1)

    def accept(self, asset: str, candle: Candle) -> bool:  # noqa: ARG002 (the files are the facts)
        """Return that nothing has to be stored."""
        return False

    def store(self, asset: str) -> None:
        """Do nothing."""

    def order_book(self, asset: str) -> None:
        """Return nothing: order books were not recorded."""

    def subscribe(
        self,
        asset: str,
        on_candle: Callable[[Candle], None],
        on_connected: Callable[[], None],  # noqa: ARG002 (files are never lost)
        on_lost: Callable[[str], None],  # noqa: ARG002 (the same)
    ) -> Seat:
        """Call for each candle that is published from now on."""
        return self._subscribers.add(asset, on_candle)

    def publish(self, t_ms: int, candles: Iterable[tuple[str, Candle]]) -> None:
        """Publish all candles that close at t, then report each."""
        self._published_ms = t_ms
        for asset, candle in candles:
            on_candle = self._subscribers.get(asset)
            if on_candle is not None:
                on_candle(candle)
