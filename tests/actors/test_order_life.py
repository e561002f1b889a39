"""The life of orders against a small model of an exchange: every interleaving, a real journal.

The real execution actor works on a real database. What varies is the order of things: requests and
answers that get lost, fills whole and in part, cancels, stops that fill, news late, twice or never,
an exchange that is down, and the actor's death between any two of them.
"""

import tempfile
from contextlib import closing
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from domain.errors import OrderRefusedError, OutcomeUnknownError
from domain.market.instruments import Side
from domain.trading.order import Order
from domain.trading.orders import ExitReason, OrderRequest, OrderStatus, OrderUpdate
from domain.trading.positions import Execution, ExecutionKind, book
from domain.trading.sizing import ProtectiveLevels
from tests.actors.test_execution import (
    ASK_AGAIN_MS,
    CLOSE,
    GRANT,
    FakeExchange,
    OpenPosition,
    desk_in,
)

SETTLING_MS = 120 * ASK_AGAIN_MS
OPEN = {OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED}


@dataclass
class ModelExchange(FakeExchange):
    """Matches when it is told to, and knows everything that it has done."""

    requests: dict[str, OrderRequest] = field(default_factory=dict)
    accepted: list[str] = field(default_factory=list)
    trouble: str | None = None
    """What happens to the next request to send."""

    @property
    def signed_qty(self) -> Decimal:
        signs = {Side.BUY: 1, Side.SELL: -1}
        return sum((signs[fill.side] * fill.qty for fill in self.fills), Decimal(0))

    def submit(self, order: OrderRequest, is_ours: Any) -> OrderUpdate:
        assert is_ours()
        trouble, self.trouble = self.trouble, None
        if self.is_down or trouble == "request lost":
            raise OutcomeUnknownError(trouble or "down")
        if order.reduce_only and not self.signed_qty:
            raise OrderRefusedError("110017 current position is zero")
        if trouble == "refused":
            raise OrderRefusedError("110007 for no reason")
        self.accepted.append(order.client_order_id)
        self.requests[order.client_order_id] = order
        self._move(order.client_order_id, OrderStatus.ACCEPTED, Decimal(0))
        if trouble == "answer lost":
            raise OutcomeUnknownError(trouble)
        return self.orders[order.client_order_id]

    def set_stops(self, asset: str, levels: ProtectiveLevels, is_ours: object) -> bool:
        self._answer()
        return bool(self.signed_qty) and super().set_stops(asset, levels, is_ours)

    def open_ids(self) -> list[str]:
        return [name for name, update in self.orders.items() if update.status in OPEN]

    def fill(self, order_id: str, share: Decimal, price: int, ts_ms: int) -> Execution:
        request, before = self.requests[order_id], self.orders[order_id].filled_qty
        qty = max(Decimal("0.001"), (request.qty - before) * share // Decimal("0.001") / 1000)
        if request.reduce_only:
            qty = min(qty, abs(self.signed_qty))
        done = self._execute(request.side, qty, price, ts_ms, order_id)
        whole = before + qty == request.qty
        status = OrderStatus.FILLED if whole else OrderStatus.PARTIALLY_FILLED
        self._move(order_id, status, before + qty)
        if not request.reduce_only and self.levels is None:
            assert request.stop_loss is not None
            assert request.take_profit is not None
            self.levels = ProtectiveLevels(
                stop_loss=request.stop_loss, take_profit=request.take_profit
            )
        self._tidy()
        return done

    def stop_out(self, ts_ms: int) -> Execution:
        side = Side.BUY if self.signed_qty < 0 else Side.SELL
        done = self._execute(side, abs(self.signed_qty), 85260, ts_ms, None, ExitReason.STOP_LOSS)
        self._tidy()
        return done

    def sell_by_hand(self, ts_ms: int) -> Execution:
        return self._execute(Side.SELL, Decimal("0.01"), 83500, ts_ms, None)

    def cancel_open(self, order_id: str) -> None:
        self._move(order_id, OrderStatus.CANCELED, self.orders[order_id].filled_qty)

    def _execute(
        self,
        side: Side,
        qty: Decimal,
        price: int,
        ts_ms: int,
        order_id: str | None,
        reason: ExitReason | None = None,
    ) -> Execution:
        self.fills.append(
            Execution(
                exec_id=f"x{len(self.fills)}",
                asset="BTC",
                ts_ms=ts_ms,
                kind=ExecutionKind.TRADE,
                side=side,
                qty=qty,
                price=Decimal(price),
                client_order_id=order_id,
                reason=reason,
            )
        )
        return self.fills[-1]

    def _move(self, order_id: str, status: OrderStatus, filled_qty: Decimal) -> None:
        self.orders[order_id] = OrderUpdate(
            client_order_id=order_id, status=status, filled_qty=filled_qty, ts_ms=GRANT.t_ms
        )

    def _tidy(self) -> None:
        """A flat position has no stops, and nothing left to reduce."""
        if not self.signed_qty:
            self.levels = None
            for order_id in self.open_ids():
                if self.requests[order_id].reduce_only:
                    self.cancel_open(order_id)


class OrderLife(RuleBasedStateMachine):
    """One asset at one exchange."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.exchange = ModelExchange()
        self.desks = desk_in(Path(self.folder.name), self.exchange)
        self.desk = next(self.desks)
        self.approval = GRANT
        self.late: list[Execution | OrderUpdate] = []
        """News that have not been told yet."""

    @rule()
    def an_entry_is_granted(self) -> None:
        self.desk.wait_for_ms(1000)
        now_ms = self.desk.clock.now_ms() // 1000 * 1000
        self.approval = replace(GRANT, t_ms=now_ms, signal_ms=now_ms)
        self.desk.tell(OpenPosition(approval=self.approval))

    @rule()
    def the_grant_is_told_again(self) -> None:
        self.desk.tell(OpenPosition(approval=self.approval))

    @rule()
    def a_close_is_decided(self) -> None:
        self.desk.wait_for_ms(1000)
        self.desk.tell(replace(CLOSE, t_ms=self.desk.clock.now_ms()))

    @rule(trouble=strategies.sampled_from(["request lost", "answer lost", "refused"]))
    def the_next_request_has_trouble(self, trouble: str) -> None:
        self.exchange.trouble = trouble

    @precondition(lambda self: self.exchange.open_ids())
    @rule(
        share=strategies.sampled_from([Decimal(1), Decimal(1), Decimal("0.4")]),
        price=strategies.sampled_from([83000, 84000]),
        is_told=strategies.booleans(),
    )
    def an_order_fills(self, share: Decimal, price: int, is_told: bool) -> None:
        order_id = self.exchange.open_ids()[-1]
        done = self.exchange.fill(order_id, share, price, self.desk.clock.now_ms())
        self._news(is_told, done, self.exchange.orders[order_id])

    @precondition(lambda self: self.exchange.open_ids())
    @rule(is_told=strategies.booleans())
    def an_order_is_canceled(self, is_told: bool) -> None:
        order_id = self.exchange.open_ids()[-1]
        self.exchange.cancel_open(order_id)
        self._news(is_told, self.exchange.orders[order_id])

    @precondition(lambda self: self.exchange.signed_qty)
    @rule(is_told=strategies.booleans())
    def the_stop_fills(self, is_told: bool) -> None:
        self._news(is_told, self.exchange.stop_out(self.desk.clock.now_ms()))

    @rule(is_told=strategies.booleans())
    def somebody_sells_by_hand(self, is_told: bool) -> None:
        self._news(is_told, self.exchange.sell_by_hand(self.desk.clock.now_ms()))

    @precondition(lambda self: self.late)
    @rule(place=strategies.integers(0, 9), times=strategies.integers(1, 2))
    def news_come_late_or_twice(self, place: int, times: int) -> None:
        told = self.late.pop(place % len(self.late))
        for _ in range(times):
            self._tell(told)

    @rule()
    def the_exchange_goes_down_or_comes_back(self) -> None:
        self.exchange.is_down = not self.exchange.is_down

    @rule()
    def the_actor_dies(self) -> None:
        self.desk.restart()

    @rule(pause_ms=strategies.sampled_from([ASK_AGAIN_MS, 10 * ASK_AGAIN_MS]))
    def time_passes(self, pause_ms: int) -> None:
        self.desk.wait(pause_ms)

    @rule()
    def all_settles(self) -> None:
        """What must be so once the exchange answers, though no news that was lost ever comes."""
        self.exchange.is_down, self.exchange.trouble = False, None
        self.desk.exchange.listener.on_doubt("test")
        self.desk.settle()
        self.desk.wait(SETTLING_MS)
        self._check()
        sent, levels = list(self.exchange.sent), self.exchange.levels
        accepted = list(self.exchange.accepted)

        self.desk.restart()

        self._check()
        assert (self.exchange.sent, self.exchange.levels) == (sent, levels)
        assert self.exchange.accepted == accepted

    def teardown(self) -> None:
        try:
            self.all_settles()
        finally:
            next(self.desks, None)
            self.folder.cleanup()

    def _news(self, is_told: bool, *news: Execution | OrderUpdate) -> None:
        if is_told:
            for told in news:
                self._tell(told)
        else:
            self.late += news

    def _tell(self, news: Execution | OrderUpdate) -> None:
        listener = self.exchange.listener
        if isinstance(news, Execution):
            listener.on_execution(news)
        else:
            listener.on_order(news)
        self.desk.settle()

    def _check(self) -> None:
        with closing(self.desk.journals.open("reader", lambda: None)) as journal:
            orders: list[Order] = journal.orders("BTC")
            booked = [stored.execution for stored in journal.executions("BTC")]
        assert len(set(self.exchange.accepted)) == len(self.exchange.accepted)
        assert sorted(e.exec_id for e in booked) == sorted(e.exec_id for e in self.exchange.fills)
        position = None
        for execution in booked:
            position = book(position, execution).position
            assert position is None or position.side is Side.SELL  # as it was at the exchange
        held = Decimal(0) if position is None else position.signed_qty
        assert held == self.exchange.signed_qty
        assert (self.exchange.levels is not None) == bool(held)
        assert {*self.exchange.accepted} <= {order.client_order_id for order in orders}
        for order in orders:
            at_exchange = self.exchange.orders.get(order.client_order_id)
            if at_exchange is None:
                assert order.state.status in {OrderStatus.VOID, OrderStatus.REJECTED}
            else:
                assert order.state.is_terminal == (at_exchange.status not in OPEN)
                assert order.state.filled_qty == at_exchange.filled_qty


TestOrderLife = OrderLife.TestCase
TestOrderLife.settings = settings(stateful_step_count=25)
