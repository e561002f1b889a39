"""What the exchange tells one process of itself: late, twice or not at all, as streams do."""

from collections.abc import Callable
from random import Random
from typing import Any

from domain.market.instruments import Candle
from infra.venues.bybit.exchange import BybitExchange
from infra.venues.bybit.private_stream import TOPICS, PrivateStream
from infra.venues.bybit.shapes.market import Ticker
from infra.venues.simulator.prices.candles import Kline, Tick
from infra.venues.simulator.prices.generator import CANDLE_MS
from tests.simulation.exchange import Exchange
from tests.simulation.faults import Misfortune
from tests.simulation.scheduler import Process, Scheduler


class _Seat:
    def __init__(self, leave: Callable[[], None]) -> None:
        self.close = leave


class PlayedMarket:
    """The public streams of one process, in the shape of `PublicStream`."""

    def __init__(self, deliver: Callable[[str, Callable[[], None]], None]) -> None:
        self._deliver = deliver
        self._candles: dict[str, tuple[Any, Any, Any]] = {}
        self._tickers: dict[str, Callable[[Ticker], None]] = {}
        self._newest_ms: dict[str, int] = {}

    def candles(
        self, symbol: str, on_candle: Any, *, on_connected: Any = None, on_lost: Any = None
    ) -> _Seat:
        """Call for each candle that closes, in the place of who did before."""
        seat = (on_candle, on_connected, on_lost)
        self._candles[symbol] = seat
        self._deliver("connect", lambda: self._connect(symbol, seat))
        return _Seat(lambda: self._leave(self._candles, symbol, seat))

    def tickers(self, symbol: str, on_ticker: Callable[[Ticker], None], **_: Any) -> _Seat:
        """Call for each change of a symbol's prices."""
        self._tickers[symbol] = on_ticker
        return _Seat(lambda: self._leave(self._tickers, symbol, on_ticker))

    def tell_candle(self, symbol: str, kline: Kline) -> None:
        """Tell of a candle that has closed."""
        candle = Candle(
            open_time_ms=kline.open_time_ms,
            close_time_ms=kline.open_time_ms + CANDLE_MS,
            open=float(kline.open),
            high=float(kline.high),
            low=float(kline.low),
            close=float(kline.close),
            volume=float(kline.volume),
        )

        def arrive() -> None:
            if self._newest_ms.get(symbol, 0) < candle.open_time_ms and symbol in self._candles:
                self._newest_ms[symbol] = candle.open_time_ms
                self._candles[symbol][0](candle)

        self._deliver("candle", arrive)

    def tell_price(self, ticker: Ticker) -> None:
        """Tell of a price."""
        if ticker.symbol in self._tickers:
            self._tickers[ticker.symbol](ticker)

    def reconnect(self, symbol: str, for_s: float) -> None:
        """Cut one symbol's stream, and let it come back."""
        seat = self._candles.get(symbol)
        if seat is not None:
            seat[2]("connection reset")
            self._deliver(f"again {for_s}", lambda: self._connect(symbol, seat))

    def _connect(self, symbol: str, seat: tuple[Any, Any, Any]) -> None:
        if self._candles.get(symbol) is seat:
            seat[1](0.0)

    @staticmethod
    def _leave(seats: dict[str, Any], symbol: str, seat: Any) -> None:
        if seats.get(symbol) is seat:
            del seats[symbol]


class Streams:
    """All streams of one process."""

    def __init__(
        self,
        scheduler: Scheduler,
        process: Process,
        exchange: Exchange,
        misfortune: Misfortune,
        rng: Random,
        symbols: dict[str, str],
    ) -> None:
        self._scheduler = scheduler
        self._process = process
        self._exchange = exchange
        self._misfortune = misfortune
        self._rng = rng
        self._symbols = symbols
        self.market = PlayedMarket(self._deliver)
        self._account: PrivateStream | None = None
        self._is_up = False

    def open_account(self, listener: BybitExchange) -> None:
        """Tell a listener of the account from now on."""
        self._account = PrivateStream(
            "",
            api_key="",
            api_secret="",
            assets={symbol: asset for asset, symbol in self._symbols.items()},
            listener=listener,
            now_ms=self._exchange.now_ms,
            rng=self._rng,
        )
        self._exchange.on_news = self._on_news
        self._exchange.on_candle = self.market.tell_candle
        self._exchange.on_tick = self._on_tick
        self._deliver("login", self._login)

    def cut_account(self, for_s: float) -> None:
        """Lose the account's stream for some seconds."""
        if self._account is not None and self._is_up:
            self._is_up = False
            for topic in TOPICS:
                self._account._on_lost(topic, "connection reset")
            self._deliver(f"again {for_s}", self._login)

    def _login(self) -> None:
        self._is_up = True
        for topic in TOPICS:
            self._account._on_connected(topic, 1.0)  # type: ignore[union-attr]

    def _on_news(self, topic: str, row: dict[str, Any]) -> None:
        message = {"topic": topic, "creationTime": self._exchange.now_ms(), "data": [row]}

        def arrive() -> None:
            if self._is_up and self._account is not None:
                self._account._on_message(topic, message)

        self._deliver(f"news {topic}", arrive)

    def _on_tick(self, tick: Tick) -> None:
        if self._process.is_dead:
            return
        mark = self._exchange.market.mark_of(tick.symbol, tick.last)
        self.market.tell_price(
            Ticker(symbol=tick.symbol, last_price=tick.last, mark_price=mark, ts_ms=tick.time_ms)
        )

    def _deliver(self, what: str, arrive: Callable[[], None]) -> None:
        """Let something arrive after its time; streams keep no order between topics."""

        def come() -> None:
            if not self._process.is_dead:
                arrive()

        kind, _, detail = what.partition(" ")
        if kind == "again":
            self._scheduler.call_in(float(detail), come)
            return
        for delay_s in self._misfortune.of_news(kind):
            self._scheduler.call_in(delay_s, come)
