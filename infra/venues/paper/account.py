"""A paper account: the matching engine, its funds, and its memory."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from domain.errors import OrderRefusedError
from domain.rules import TradingRules
from domain.trading.matching import CandlePrices, Event, MatchingEngine
from domain.trading.orders import OrderRequest, OrderStatus, OrderUpdate
from domain.trading.positions import ZERO, Execution, ExecutionKind, Position
from domain.trading.sizing import ProtectiveLevels
from infra.secrets.cipher import STATE, cipher_of
from infra.venues.paper.memory import Act, Memory, Opening


class PaperAccount:
    """One account; its owner lets one thread in at a time.

    Always true: what a call has returned is on disk, so the account is the same after a kill.
    """

    def __init__(self, rules: TradingRules, memory: Memory) -> None:
        """Continue an existing account, or open a new one.

        Args:
            rules: leverage and fills; the starting balance is used only at the opening.
            memory: of this account.

        Raises:
            ConfigError: the memory cannot be read.
        """
        self._rules = rules
        self._memory = memory
        opening, acts = memory.read()
        if opening is None:
            opening = Opening(initial_balance=rules.fills.initial_balance)
            memory.begin(opening)
        self.engine = MatchingEngine(replace(rules.fills, initial_balance=opening.initial_balance))
        for act in acts:
            self._restore(act)

    def change(self, rules: TradingRules) -> None:
        """Take the leverages of a new set of assets."""
        self._rules = rules

    def submit(self, order: OrderRequest, price: Decimal, ts_ms: int) -> list[Event]:
        """Fill a market order at a price, worsened by the slippage.

        Raises:
            OrderRefusedError: there is not enough money, or nothing to reduce.
        """
        if not order.reduce_only:
            self._check_margin(order, price)
        update = self.engine.submit(order, ts_ms)
        if update.status is OrderStatus.REJECTED:
            self._store(order.asset, [update])
            raise OrderRefusedError(update.detail)
        return self._store(order.asset, self.engine.fill(order.client_order_id, price, ts_ms))

    def meet(self, asset: str, prices: CandlePrices, ts_ms: int) -> list[Event]:
        """Trigger the stops that prices reach."""
        return self._store(asset, self.engine.trade_through(asset, prices, ts_ms))

    def settle(self, asset: str, price: Decimal, rate: Decimal, ts_ms: int) -> list[Event]:
        """Pay or receive funding."""
        return self._store(asset, self.engine.settle_funding(asset, price, rate, ts_ms))

    def set_stops(self, asset: str, levels: ProtectiveLevels) -> None:
        """Move the stops of an open position."""
        if asset in self.engine.positions and self.engine.stops.get(asset) != levels:
            self.engine.set_stops(asset, levels)
            self._memory.add(Act(asset=asset, stops=levels))

    def position(self, asset: str) -> Position | None:
        return self.engine.positions.get(asset)

    def settled_ms(self, position: Position) -> int:
        """Return up to when funding of an open position is settled: initially its opening."""
        times = [
            execution.ts_ms
            for execution in self.engine.executions(position.asset)
            if execution.kind is ExecutionKind.FUNDING
        ]
        return max([position.opened_ms, *times])

    def _check_margin(self, order: OrderRequest, price: Decimal) -> None:
        """Refuse an order that the wallet cannot cover: margin of all positions, and the fees."""
        engine, rules = self.engine, self._rules
        used = sum((self._margin(p.asset, p.notional) for p in engine.positions.values()), ZERO)
        notional = order.qty * price
        needed = self._margin(order.asset, notional) + notional * rules.fills.taker_fee_rate
        if used + needed > engine.wallet:
            raise OrderRefusedError(
                f"the margin of {needed:.2f} USDT is more than the free {engine.wallet - used:.2f}"
            )

    def _margin(self, asset: str, notional: Decimal) -> Decimal:
        return notional / self._rules.asset(asset).leverage

    def _store(self, asset: str, events: Iterable[Event]) -> list[Event]:
        found = list(events)
        if found:
            act = Act(
                asset=asset,
                executions=tuple(e for e in found if isinstance(e, Execution)),
                updates=tuple(e for e in found if isinstance(e, OrderUpdate)),
                stops=self.engine.stops.get(asset),
            )
            self._memory.add(act)
        return found

    def _restore(self, act: Act) -> None:
        for execution in act.executions:
            self.engine.book_execution(execution)
        for update in act.updates:
            self.engine.restore_order(update)
        if act.stops is not None:
            self.engine.set_stops(act.asset, act.stops)


def paper_balance(rules: TradingRules, file: Path) -> Decimal:
    """Return the wallet balance of an account, USDT, without opening one.

    Raises:
        ConfigError: the file cannot be read.
    """
    opening, acts = Memory(file, cipher_of(file.parent, STATE)).read()
    if opening is None:
        return rules.fills.initial_balance
    engine = MatchingEngine(replace(rules.fills, initial_balance=opening.initial_balance))
    for act in acts:
        for execution in act.executions:
            engine.book_execution(execution)
    return engine.wallet
