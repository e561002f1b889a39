"""What happened to a paper position while no prices arrived, and its funding.

A real exchange holds the stops meanwhile. Here the candles of that time are read later and traded
through, the stop loss first; a candle that is still open is read once it is closed.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from loguru import logger

from domain.errors import AccessDeniedError, BadDataError, UnavailableError
from domain.market.instruments import Candle, exact
from domain.trading.matching import CandlePrices, Event
from infra.venues.bybit.rest import BybitRest
from infra.venues.paper.account import PaperAccount
from infra.venues.paper.exchange import PaperExchange

_LOOK_S = 1.0
_ASK_AGAIN_S = 10.0


@dataclass(slots=True)
class _Gap:
    """A period in which no prices of an asset arrived."""

    from_ms: int
    until_ms: int | None = None
    """None: it continues."""


class OfflineCatchUp:
    """Catches up for all assets, in a thread of its own."""

    def __init__(
        self,
        account: PaperAccount,
        exchange: PaperExchange,
        rest: BybitRest,
        *,
        symbols: Mapping[str, str],
        candle_ms: int,
        funding_interval_ms: Mapping[str, int],
        now_ms: Callable[[], int],
    ) -> None:
        """Begin with a gap for every open position.

        Args:
            account: whose positions these are.
            exchange: applies the events.
            rest: fetches candles and funding rates.
            symbols: by asset.
            candle_ms: length of the candles that are read.
            funding_interval_ms: by asset.
            now_ms: the exchange's time.
        """
        self._exchange = exchange
        self._rest = rest
        self._symbols = symbols
        self._candle_ms = candle_ms
        self._funding_interval_ms = funding_interval_ms
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._gaps = {a: _Gap(p.opened_ms) for a, p in account.engine.positions.items()}
        self._looked_ms: dict[str, int] = {}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="paper", daemon=True)

    def start(self) -> None:
        """Start; once."""
        self._thread.start()

    def close(self) -> None:
        """Stop; may be called twice."""
        self._is_over.set()
        if self._thread.is_alive():
            self._thread.join(10.0)

    def on_lost(self, asset: str) -> None:
        """Learn that an asset's prices have stopped."""
        with self._lock:
            gap = self._gaps.setdefault(asset, _Gap(self._now_ms()))
            gap.until_ms = None

    def on_connected(self, asset: str) -> None:
        """Learn that they arrive again."""
        with self._lock:
            if asset in self._gaps:
                self._gaps[asset].until_ms = self._now_ms()

    def look(self, asset: str) -> None:
        """Apply what happened during gaps.

        Raises:
            UnavailableError: the exchange does not answer.
            BadDataError: its answer cannot be read.
        """
        with self._lock:
            gap = self._gaps.get(asset)
        held = self._exchange.open_position(asset)
        if held is None:
            self._fill(asset, gap, self._now_ms())
            return
        position, settled_ms = held
        dues = self._dues(asset, settled_ms)
        from_ms = None if gap is None else max(gap.from_ms, position.opened_ms)
        is_candle_due = from_ms is not None and self._is_candle_new(asset)
        if not dues and not is_candle_due:
            return
        self._looked_ms[asset] = self._now_ms()
        self._fill(asset, gap, self._catch_up(asset, from_ms, dues))

    def _run(self) -> None:
        pause_s = _LOOK_S
        while not self._is_over.wait(pause_s):
            pause_s = _LOOK_S
            for asset in list(self._symbols):
                try:
                    self.look(asset)
                except (UnavailableError, AccessDeniedError, BadDataError) as error:
                    pause_s = _ASK_AGAIN_S
                    logger.warning("{}: what was not seen is not known yet: {}", asset, error)

    def _is_candle_new(self, asset: str) -> bool:
        """Tell whether a candle has closed since the last check."""
        closed_ms = self._now_ms() // self._candle_ms * self._candle_ms
        return self._looked_ms.get(asset, 0) < closed_ms

    def _fill(self, asset: str, gap: _Gap | None, seen_ms: int) -> None:
        """Record up to when everything is known."""
        if gap is None:
            return
        with self._lock:
            if gap.until_ms is not None and gap.until_ms <= seen_ms:
                self._gaps.pop(asset, None)
            else:
                gap.from_ms = max(gap.from_ms, seen_ms)

    def _dues(self, asset: str, settled_ms: int) -> list[int]:
        interval_ms = self._funding_interval_ms[asset]
        first_ms = (settled_ms // interval_ms + 1) * interval_ms
        return list(range(first_ms, self._now_ms() + 1, interval_ms))

    def _catch_up(self, asset: str, from_ms: int | None, dues: list[int]) -> int:
        """Apply candles and settlements in order; return up to when there were any."""
        symbol, now_ms = self._symbols[asset], self._now_ms()
        floors = [due - self._candle_ms for due in dues]
        if from_ms is not None:
            # Positions open when a candle opens, give or take seconds: its prices apply to them.
            from_ms = from_ms // self._candle_ms * self._candle_ms
            floors.append(from_ms)
        rates = self._rest.funding_rates(symbol, dues[0], now_ms) if dues else {}
        candles = self._rest.kline(symbol, min(floors), now_ms, candle_ms=self._candle_ms)
        closes = {candle.close_time_ms: exact(candle.close) for candle in candles}
        unseen = [c for c in candles if from_ms is not None and c.open_time_ms >= from_ms]
        for t_ms in sorted({c.open_time_ms for c in unseen} | set(dues)):
            if t_ms in rates and t_ms in dues and t_ms in closes:
                self._settle(asset, closes[t_ms], rates[t_ms], t_ms)
            for candle in (c for c in unseen if c.open_time_ms == t_ms):
                self._trade_through(asset, candle)
        return max(closes, default=0)

    def _settle(self, asset: str, price: Decimal, rate: Decimal, t_ms: int) -> None:
        self._exchange.act(asset, lambda account: account.settle(asset, price, rate, t_ms))

    def _trade_through(self, asset: str, candle: Candle) -> None:
        prices = CandlePrices(
            open=exact(candle.open),
            high=exact(candle.high),
            low=exact(candle.low),
            close=exact(candle.close),
        )

        def deed(account: PaperAccount) -> list[Event]:
            position = account.position(asset)
            if position is None or position.opened_ms >= candle.close_time_ms:
                return []
            return account.meet(asset, prices, candle.close_time_ms)

        self._exchange.act(asset, deed)
