"""What the public streams tell of each move and of each candle that has closed."""

from infra.venues.simulator.clock import Clock
from infra.venues.simulator.faults.book import FaultBook
from infra.venues.simulator.faults.kinds import Kind
from infra.venues.simulator.prices.candles import CandleClosed, Tick
from infra.venues.simulator.streams.hub import Hub
from infra.venues.simulator.streams.tickers import Tickers


class MarketPublisher:
    """Tells whoever listens; makes no message in vain."""

    def __init__(self, tickers: Tickers, hub: Hub, clock: Clock, faults: FaultBook) -> None:
        """Tell the clients of a hub."""
        self._tickers = tickers
        self._hub = hub
        self._clock = clock
        self._faults = faults

    def tick(self, tick: Tick) -> None:
        """Tell of a move."""
        topics = self._tickers.pushes(tick)
        if self._clock.is_lockstep:
            del topics[f"kline.5.{tick.symbol}"]  # the candle closes at the same time
        for topic, make in topics.items():
            if self._hub.has_listeners(topic):
                message = make()
                if message is not None:
                    self._hub.publish(topic, message, tick.symbol)

    def closed(self, closed: CandleClosed) -> None:
        """Tell of candles that are complete."""
        for symbol, kline in closed.klines.items():
            topic = f"kline.5.{symbol}"
            if not self._hub.has_listeners(topic):
                continue
            if not self._faults.take(Kind.LOSE_CONFIRM, symbol=symbol, topic=topic):
                push = self._tickers.kline(symbol, kline, closed.time_ms, is_closed=True)
                self._hub.publish(topic, push, symbol)
