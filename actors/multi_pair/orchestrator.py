"""Entries, trailing stops and emergencies of all pairs at one exchange, for a script.

`PortfolioState.decide` decides entries and their sizes; `follow` moves stops. An order with an
unknown outcome is never sent again: its pair opens nothing more, and says so.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from actors.multi_pair.config import PairConfig
from actors.multi_pair.manager import PortfolioFigures, PortfolioManager
from actors.ports import Exchange
from domain.errors import (
    AccessDeniedError,
    BadDataError,
    OrderRefusedError,
    OutcomeUnknownError,
    StopPassedError,
    UnavailableError,
)
from domain.market.candles import CandleSeries
from domain.market.instruments import Candle
from domain.trading.asset import AssetState
from domain.trading.decisions import Approval
from domain.trading.intents import close_intent, entry_intent
from domain.trading.order import Order
from domain.trading.orders import ExitReason, Intent, OrderStatus, Purpose
from domain.trading.positions import Execution, Trade
from domain.trading.trailing import StopState, first_stop, follow, policy_of

_LOOKS = 100
"""Most look-ups of an order until it has ended."""
_LOOK_EVERY_S = 0.05
_REFUSALS = (
    AccessDeniedError,
    BadDataError,
    OrderRefusedError,
    OutcomeUnknownError,
    UnavailableError,
)
"""Errors an exchange may answer with; anything else is a bug."""
_ENDS = (OrderStatus.FILLED, OrderStatus.REJECTED, OrderStatus.CANCELED)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairStatus:
    """The current state of one pair."""

    symbol: str
    quantity: Decimal
    """Base units; negative: short."""
    stop_loss: Decimal | None
    unrealized_pnl: Decimal
    is_paused: bool
    trouble: str
    """Why it opens nothing more; empty: nothing is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortfolioStatus:
    """The current state of the portfolio."""

    figures: PortfolioFigures
    pairs: tuple[PairStatus, ...]


@dataclass(kw_only=True)
class _Pair:
    asset: AssetState
    stop: StopState | None = None
    trouble: str = ""
    orders: dict[str, Order] = field(default_factory=dict)
    booked: set[str] = field(default_factory=set)
    since_ms: int = 0


class MultiPairOrchestrator:
    """Trades all pairs of a manager. Use it from one task; it calls the exchange in threads."""

    def __init__(
        self, manager: PortfolioManager, exchange: Exchange, now_ms: Callable[[], int]
    ) -> None:
        """Start without pairs.

        Args:
            manager: books and limits.
            exchange: one account, in which the pairs are flat.
            now_ms: the exchange's time.
        """
        self.manager, self._exchange, self._now_ms = manager, exchange, now_ms
        self._histories: dict[str, CandleSeries] = {}
        self._pairs: dict[str, _Pair] = {}
        self._approvals: list[Approval] = []

    def register_pair(self, pair: PairConfig, history: CandleSeries) -> None:
        """Add a pair with its closed candles; all of them before anything else."""
        self.manager.register_pair(pair)
        self._histories[pair.symbol] = history

    def handle_candle(self, symbol: str, candle: Candle) -> None:
        """Fold one more closed candle of a pair."""
        self._pair(symbol).asset.apply_candle(candle)

    async def check_all_entries(self) -> list[Approval]:
        """Return the entries signaled by strategies and approved by the limits, best first.

        If a protection of the portfolio fires at this close, everything is closed first.
        """
        state, reports = self.manager.state, []
        for symbol in self._histories:
            pair = self._pair(symbol)
            report = pair.asset.report(may_enter=not pair.trouble and symbol not in state.paused)
            if report is not None:
                reports.append(report)
        if reports:
            t_ms = max(report.t_ms for report in reports)
            current = [report for report in reports if report.t_ms == t_ms]
            decision = state.decide(t_ms, current, now_ms=t_ms)
            self._approvals = list(decision.approvals)
            if decision.protection is not None:
                await self.emergency_liquidate_portfolio()
        return list(self._approvals)

    async def submit_coordinated_entries(self, max_concurrent: int = 3) -> dict[str, OrderStatus]:
        """Send the approved entries, at most so many at once, and return the result of each.

        Each carries its stop; each is sent once.
        """
        gate = asyncio.Semaphore(max_concurrent)
        approvals, self._approvals = self._approvals, []

        async def enter(approval: Approval) -> OrderStatus:
            async with gate:
                return await self._enter(approval)

        found = await asyncio.gather(*map(enter, approvals))
        return dict(zip((one.asset for one in approvals), found, strict=True))

    async def handle_price_update(self, symbol: str, price: Decimal) -> StopState | None:
        """Value a pair at a price and trail its stop, which is amended in place.

        Returns:
            The resulting stop; None: the pair is flat.
        """
        await self.manager.update_position(symbol, price)
        pair, position = self._pair(symbol), self.manager.positions.get(symbol)
        if position is None or pair.stop is None:
            return None
        rules = self.manager.rules
        policy, instrument = policy_of(position, rules), rules.asset(symbol).instrument
        moved = follow(pair.stop, price, policy, instrument)
        if moved.levels != pair.stop.levels:
            return await self._move_stop(symbol, moved)
        pair.stop = moved
        return moved

    async def refresh(self, symbol: str) -> list[Trade]:
        """Book what the exchange did by itself, such as stops; return closed trades."""
        pair = self._pair(symbol)
        found = await asyncio.to_thread(self._exchange.executions, symbol, pair.since_ms)
        trades = [self._book(pair, execution) for execution in found]
        return [trade for trade in trades if trade is not None]

    async def emergency_liquidate_pair(self, symbol: str) -> Trade | None:
        """Pause a pair, cancel its orders and close it at market.

        Returns:
            The trade; None: it was flat, or the exchange has not confirmed the close.
        """
        self.manager.state.paused |= {symbol}
        for order in await asyncio.to_thread(self._exchange.open_orders, symbol):
            await asyncio.to_thread(self._exchange.cancel, symbol, order, _ours)
        return await self._close(symbol, Purpose.OPERATOR, ExitReason.OPERATOR)

    async def _close(self, symbol: str, purpose: Purpose, reason: ExitReason) -> Trade | None:
        await self.refresh(symbol)
        position = self.manager.positions.get(symbol)
        if position is None:
            return None
        intent = close_intent(
            position, decided_ms=self._now_ms(), purpose=purpose, reason=reason, attempt=1
        )
        trades: list[Trade] = []
        await self._send(intent, trades)
        return trades[-1] if trades else None

    async def emergency_liquidate_portfolio(self) -> dict[str, Trade | None]:
        """Do the same for all pairs at once; a failure of one does not keep others from closing."""
        symbols = list(self._histories)
        found = await asyncio.gather(
            *map(self.emergency_liquidate_pair, symbols), return_exceptions=True
        )
        trades: dict[str, Trade | None] = {}
        for symbol, one in zip(symbols, found, strict=True):
            if isinstance(one, BaseException):
                self._pair(symbol).trouble = f"not liquidated: {one}"
            trades[symbol] = None if isinstance(one, BaseException) else one
        # A bug is raised as such, but only after all were tried.
        for one in found:
            if isinstance(one, BaseException) and not isinstance(one, _REFUSALS):
                raise one
        return trades

    def get_portfolio_status(self) -> PortfolioStatus:
        """Return current figures, positions, stops and problems."""
        return PortfolioStatus(
            figures=self.manager.get_portfolio_metrics(),
            pairs=tuple(self._status(symbol) for symbol in self._histories),
        )

    def _status(self, symbol: str) -> PairStatus:
        pair, state = self._pair(symbol), self.manager.state
        position = state.positions.get(symbol)
        price = state.prices.get(symbol)
        is_valued = position is not None and price is not None
        return PairStatus(
            symbol=symbol,
            quantity=Decimal(0) if position is None else position.signed_qty,
            stop_loss=None if pair.stop is None else pair.stop.levels.stop_loss,
            unrealized_pnl=position.unrealized_pnl(price)
            if is_valued and position is not None and price is not None
            else Decimal(0),
            is_paused=symbol in state.paused,
            trouble=pair.trouble,
        )

    def _pair(self, symbol: str) -> _Pair:
        if symbol not in self._pairs:
            asset = AssetState(symbol, self.manager.rules)
            asset.apply_candles(self._histories[symbol])
            self.manager.state.remember_closes(symbol, self._histories[symbol])
            self._pairs[symbol] = _Pair(asset=asset, since_ms=self._now_ms())
        return self._pairs[symbol]

    async def _enter(self, approval: Approval) -> OrderStatus:
        pair, rules = self._pair(approval.asset), self.manager.rules
        status = await self._send(entry_intent(approval, rules), [])
        position = self.manager.positions.get(approval.asset)
        if position is None:
            if status is not OrderStatus.UNKNOWN:
                self.manager.state.release(approval)
            return status
        pair.stop = first_stop(position, rules)
        await self._move_stop(approval.asset, pair.stop)
        return status

    async def _move_stop(self, symbol: str, moved: StopState) -> StopState | None:
        pair = self._pair(symbol)
        try:
            stands = await asyncio.to_thread(self._exchange.set_stops, symbol, moved.levels, _ours)
        except StopPassedError:
            await self._close(symbol, Purpose.NAKED, moved.reason)
            return pair.stop
        except (OrderRefusedError, UnavailableError) as error:
            pair.trouble = f"the stop was not moved: {error}"
            return pair.stop
        if stands:
            pair.stop = moved
        else:
            await self.refresh(symbol)
        return pair.stop

    async def _send(self, intent: Intent, trades: list[Trade]) -> OrderStatus:
        symbol, pair = intent.request.asset, self._pair(intent.request.asset)
        pair.orders[intent.request.client_order_id] = Order(intent=intent)
        try:
            await asyncio.to_thread(self._exchange.submit, intent.request, _ours)
        except OrderRefusedError as error:
            pair.trouble = f"refused: {error}"
            return OrderStatus.REJECTED
        except OutcomeUnknownError:
            pass  # the look-up below finds its outcome; it is not sent again
        status = await self._ended(intent)
        trades += await self.refresh(symbol)
        if status is OrderStatus.UNKNOWN:
            pair.trouble = f"{intent.request.client_order_id}: its outcome is unknown"
        return status

    async def _ended(self, intent: Intent) -> OrderStatus:
        order_id = intent.request.client_order_id
        for _ in range(_LOOKS):
            try:
                found = await asyncio.to_thread(
                    self._exchange.order, intent.request.asset, order_id
                )
            except UnavailableError:
                found = None
            if found is not None and found.status in _ENDS:
                return found.status
            await asyncio.sleep(_LOOK_EVERY_S)
        return OrderStatus.UNKNOWN

    def _book(self, pair: _Pair, execution: Execution) -> Trade | None:
        if execution.exec_id in pair.booked:
            return None
        pair.booked.add(execution.exec_id)
        order = pair.orders.get(execution.client_order_id or "")
        told = execution if order is None else order.explain(execution)
        pair.asset.apply_execution(told)
        trade = self.manager.book(told)
        if told.asset not in self.manager.positions:
            pair.stop = None
        return trade


def _ours() -> bool:
    return True
