"""The execution actor before an exchange that answers late, not at all, or twice."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from actors.core.actor import Incarnation, SupervisedActor
from actors.core.messages import Message
from actors.core.supervisor import ChildSpec, RestartPolicy, Supervisor
from actors.core.system import ActorSystem
from actors.execution.actor import ExecutionActor
from actors.execution.exits import CLOSE_ATTEMPTS
from actors.execution.orders import UNREAD_SENDS
from actors.execution.reconciliation.reorder_buffer import MOST_ROUNDS
from actors.messages import (
    AssetFlat,
    ClosePosition,
    ConnectionLost,
    ConnectionRestored,
    Describe,
    Flatten,
    MalfunctionBegan,
    MalfunctionEnded,
    OpenPosition,
    OrderRejected,
    PositionChanged,
    PositionDiffers,
    PositionMarked,
    PositionUnprotected,
    Reconcile,
    ReconcileMatch,
    ReconcileMismatch,
    Restarted,
    RiskRaised,
    TradeClosed,
)
from domain.errors import (
    AccessDeniedError,
    BadDataError,
    OrderNotProcessedError,
    OrderRefusedError,
    OutcomeUnknownError,
    StopPassedError,
    UnavailableError,
    UnprovenError,
)
from domain.market.instruments import Side
from domain.rules import TradingRules
from domain.trading.decisions import Approval, Decision, Protection
from domain.trading.orders import (
    ExitReason,
    Intent,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    Purpose,
    RestingOrder,
)
from domain.trading.positions import Execution, ExecutionKind, VenuePosition
from domain.trading.sizing import ProtectiveLevels
from infra.settings import load_settings
from infra.store.journal import JournalStore
from infra.store.opening import open_store
from infra.store.reserve import Reserve
from infra.venues.replay.clock import ReplayClock

ASK_AGAIN_MS = 1_000
T_MS = 1_744_802_700_000
RULES = load_settings(None, environ={}, dotenv=None).trading_rules()
GRANT = Approval(
    asset="BTC",
    t_ms=T_MS,
    qty=Decimal("0.083"),
    price=Decimal(84000),
    signal_ms=T_MS,
    protection_epoch=0,
)
CLOSE = ClosePosition(
    asset="BTC", t_ms=T_MS + 300_000, purpose=Purpose.EXIT, reason=ExitReason.REGIME
)


class Listener(SupervisedActor):
    """Remembers what it hears."""

    def __init__(self, incarnation: Incarnation, *, heard: list[Message]) -> None:
        super().__init__(incarnation)
        self._heard = heard

    def handle(self, message: Message) -> None:
        self._heard.append(message)


@dataclass
class FakeExchange:
    """Knows what it is told to know, and fails as it is told to."""

    sent: list[OrderRequest] = field(default_factory=list)
    orders: dict[str, OrderUpdate] = field(default_factory=dict)
    fills: list[Execution] = field(default_factory=list)
    answers: list[Exception] = field(default_factory=list)
    """Raised by the next submits."""
    is_down: bool = False
    refuses_stops: bool = False
    stop_passed_at: Decimal | None = None
    """The price at which a short's stop below it is refused."""
    silence: Exception | None = None
    levels: ProtectiveLevels | None = None
    by_hand: Decimal = Decimal(0)
    """Held without an execution that we could see."""
    looks_to_prove: Counter[str] = field(default_factory=Counter)
    """By client order id: so often a look-up of an unknown order does not prove it absent."""
    asked: int = 0
    on_question: Callable[[], None] = lambda: None
    entry_price: Decimal | None = None
    resting: list[RestingOrder] = field(default_factory=list)
    canceled: list[str] = field(default_factory=list)
    asked_since_ms: int = 0
    lagging_lists: int = 0
    """Reads of executions that do not show them yet."""
    lagging_holdings: list[VenuePosition] = field(default_factory=list)
    """What is read of the position first, though it is not so any more."""
    listener: Any = None

    def submit(self, order: OrderRequest, is_ours: Callable[[], bool]) -> OrderUpdate:
        assert is_ours()
        self.sent.append(order)
        if self.answers:
            raise self.answers.pop(0)
        self.orders[order.client_order_id] = news(order.client_order_id, OrderStatus.ACCEPTED)
        return self.orders[order.client_order_id]

    def order(self, _asset: str, client_order_id: str) -> OrderUpdate | None:
        self._answer()
        if self.looks_to_prove[client_order_id] > 0:
            self.looks_to_prove[client_order_id] -= 1
            raise UnprovenError("is not found, which proves nothing yet")
        return self.orders.get(client_order_id)

    def executions(self, _asset: str, since_ms: int) -> list[Execution]:
        self._answer()
        self.asked_since_ms = since_ms
        if self.lagging_lists:
            self.lagging_lists -= 1
            return []
        return [fill for fill in self.fills if fill.ts_ms >= since_ms]

    def venue_position(self, _asset: str) -> VenuePosition:
        self._answer()
        if self.lagging_holdings:
            return self.lagging_holdings.pop(0)
        signs = {Side.BUY: 1, Side.SELL: -1}
        return VenuePosition(
            signed_qty=sum((signs[f.side] * f.qty for f in self.fills), Decimal(0)) + self.by_hand,
            stop_loss=None if self.levels is None else self.levels.stop_loss,
            take_profit=None if self.levels is None else self.levels.take_profit,
            avg_entry_price=self.entry_price,
        )

    def open_orders(self, _asset: str) -> list[RestingOrder]:
        self._answer()
        return self.resting

    def cancel(self, _asset: str, order: RestingOrder, is_ours: Callable[[], bool]) -> None:
        assert is_ours()
        self.canceled.append(order.client_order_id or order.venue_order_id)

    def set_stops(self, _asset: str, levels: ProtectiveLevels, _is_ours: object) -> bool:
        if self.refuses_stops:
            raise OrderRefusedError("10001 the stop is on the wrong side")
        if self.stop_passed_at is not None and levels.stop_loss <= self.stop_passed_at:
            raise StopPassedError("10001 the price has passed it")
        self.levels = levels
        return True

    def subscribe(self, _asset: str, listener: object) -> "FakeExchange":
        self.listener = listener
        return self

    def close(self) -> None:
        self.listener = None

    def _answer(self) -> None:
        self.asked += 1
        self.on_question()
        if self.silence is not None:
            raise self.silence
        if self.is_down:
            raise UnavailableError("the exchange does not answer")


def news(order_id: str, status: OrderStatus, filled: str = "0") -> OrderUpdate:
    return OrderUpdate(
        client_order_id=order_id, status=status, filled_qty=Decimal(filled), ts_ms=T_MS
    )


@dataclass
class ExecutionContext:
    """An execution actor with its journal, and everything that it tells."""

    exchange: FakeExchange
    clock: ReplayClock
    system: ActorSystem
    supervisor: Supervisor
    journals: JournalStore
    heard: dict[str, list[Message]]

    def tell(self, *messages: Message) -> None:
        for message in messages:
            self.system.address("execution/BTC").tell(message, sender="test")
        self.settle()

    def is_unprotected(self) -> bool:
        """Return what it says of its position."""
        execution = self.system.address("execution/BTC")
        found: bool = execution.ask(Describe(), sender="test", timeout_s=30).is_unprotected
        return found

    def settle(self) -> None:
        assert self.system.work.wait_quiet(30)

    def wait(self, pause_ms: int) -> None:
        """Let time pass on the trading clock."""
        until_ms = self.clock.now_ms() + pause_ms
        while self.clock.step(until_ms):
            self.settle()

    def wait_for_ms(self, pause_ms: int) -> None:
        """Let time pass in which nothing happens."""
        self.wait(pause_ms)
        self.clock.step(self.clock.now_ms() + pause_ms)

    def people_heard(self, kind: type[Message]) -> list[Message]:
        return [message for message in self.heard["notifier"] if isinstance(message, kind)]

    def fill(self, number: int = -1, qty: str | None = None, price: str = "84000") -> Execution:
        """Let the exchange fill an order that was sent, and tell of it."""
        order = self.exchange.sent[number]
        filled = Execution(
            exec_id=f"x{len(self.exchange.fills)}",
            asset="BTC",
            ts_ms=self.clock.now_ms(),
            kind=ExecutionKind.TRADE,
            side=order.side,
            qty=order.qty if qty is None else Decimal(qty),
            price=Decimal(price),
            client_order_id=order.client_order_id,
        )
        self.exchange.fills.append(filled)
        self.exchange.listener.on_execution(filled)
        self.settle()
        return filled

    def restart(self) -> None:
        self.tell(Message())

    def order_status(self, client_order_id: str) -> OrderStatus:
        journal = self.journals.open("reader", lambda: None)
        orders = {order.client_order_id: order for order in journal.orders("BTC")}
        journal.close()
        return orders[client_order_id].state.status

    def told(self, kind: type[Message]) -> list[Message]:
        return [message for message in self.heard["portfolio"] if isinstance(message, kind)]

    @property
    def sent_ids(self) -> list[str]:
        return [order.client_order_id for order in self.exchange.sent]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ExecutionContext]:
    yield from desk_in(tmp_path, FakeExchange())


def desk_in(
    folder: Path,
    exchange: FakeExchange,
    *,
    now_ms: int = T_MS,
    reserve: Reserve | None = None,
    busy_timeout_ms: int = 5_000,
    rules: TradingRules = RULES,
    actor: type[ExecutionActor] = ExecutionActor,
    **asking: int,
) -> Iterator[ExecutionContext]:
    clock = ReplayClock(now_ms)
    journals = open_store(
        folder / "j.sqlite", clock.now_ms, busy_timeout_ms=busy_timeout_ms, reserve=reserve
    )
    system = ActorSystem(clock.now_ms)
    policy = RestartPolicy(
        max_restarts=100,
        within_s=60,
        backoff_initial_s=0.001,
        backoff_max_s=0.001,
        backoff_jitter_fraction=0,
        hang_s=60,
        start_s=60,
    )
    supervisor = Supervisor(system, policy, Random(0))
    heard: dict[str, list[Message]] = {"asset/BTC": [], "portfolio": [], "notifier": []}
    arguments = {
        "asset": "BTC",
        "rules": rules,
        "exchange": exchange,
        "clock": clock,
        "journals": journals,
        **asking,
    }
    supervisor.start(
        [
            *(
                ChildSpec(address=a, actor=Listener, arguments={"heard": h})
                for a, h in heard.items()
            ),
            ChildSpec(address="execution/BTC", actor=actor, arguments=arguments),
        ]
    )
    desk = ExecutionContext(exchange, clock, system, supervisor, journals, heard)
    desk.settle()
    yield desk
    supervisor.stop(10)


def close_intent(attempt: int) -> Intent:
    return Intent(
        request=OrderRequest(
            client_order_id=f"BTC-1744803000-exit-{attempt}",
            asset="BTC",
            side=Side.BUY,
            qty=Decimal("0.083"),
            reduce_only=True,
        ),
        decided_ms=CLOSE.t_ms,
        purpose=Purpose.EXIT,
        attempt=attempt,
        reason=ExitReason.REGIME,
        signal_ms=None,
        protection_epoch=None,
    )


def test_a_grant_becomes_one_order_with_its_stops_however_often_it_is_told(
    desk: ExecutionContext,
) -> None:
    desk.tell(*[OpenPosition(approval=GRANT)] * 3)

    (order,) = desk.exchange.sent
    assert order.client_order_id == "BTC-1744802700-entry-1"
    assert (order.side, order.qty, order.reduce_only) == (Side.SELL, Decimal("0.083"), False)
    assert (order.stop_loss, order.take_profit) == (Decimal(85260), Decimal(78960))
    assert desk.order_status(order.client_order_id) is OrderStatus.ACCEPTED


def test_stops_are_moved_to_the_average_fill_price(desk: ExecutionContext) -> None:
    desk.tell(OpenPosition(approval=GRANT))
    desk.fill(price="83000")

    assert desk.exchange.levels == ProtectiveLevels(
        stop_loss=Decimal("84245.0"), take_profit=Decimal("78020.0")
    )


def test_an_entry_of_unknown_outcome_that_was_accepted_is_not_sent_again(
    desk: ExecutionContext,
) -> None:
    desk.exchange.answers = [OutcomeUnknownError("read time-out")]
    desk.tell(OpenPosition(approval=GRANT))
    assert desk.order_status(GRANT.client_order_id) is OrderStatus.UNKNOWN

    desk.exchange.orders[GRANT.client_order_id] = news(GRANT.client_order_id, OrderStatus.ACCEPTED)
    desk.wait(ASK_AGAIN_MS)

    assert len(desk.exchange.sent) == 1
    assert desk.order_status(GRANT.client_order_id) is OrderStatus.ACCEPTED


def test_an_entry_that_never_arrived_is_sent_again_under_its_id_while_it_is_young(
    desk: ExecutionContext,
) -> None:
    desk.exchange.answers = [OutcomeUnknownError("connection cut")]
    desk.tell(OpenPosition(approval=GRANT))

    desk.wait(ASK_AGAIN_MS)

    assert desk.sent_ids == [GRANT.client_order_id] * 2


def test_an_entry_that_never_arrived_is_void_once_it_is_old(desk: ExecutionContext) -> None:
    desk.exchange.answers = [OutcomeUnknownError("connection cut")]
    desk.exchange.is_down = True
    desk.tell(OpenPosition(approval=GRANT))
    desk.wait(RULES.candles.entry_max_age_ms)
    assert desk.order_status(GRANT.client_order_id) is OrderStatus.UNKNOWN

    desk.exchange.is_down = False
    desk.wait(ASK_AGAIN_MS)

    assert len(desk.exchange.sent) == 1
    assert desk.order_status(GRANT.client_order_id) is OrderStatus.VOID
    (rejected,) = desk.told(OrderRejected)
    assert isinstance(rejected, OrderRejected)
    assert rejected.client_order_id == GRANT.client_order_id


def test_an_entry_that_never_arrived_is_void_once_a_protection_has_fired(
    desk: ExecutionContext,
) -> None:
    desk.exchange.answers = [OutcomeUnknownError("connection cut")]
    desk.tell(OpenPosition(approval=GRANT))
    fire_protection(desk)

    desk.wait(ASK_AGAIN_MS)

    assert len(desk.exchange.sent) == 1
    assert desk.order_status(GRANT.client_order_id) is OrderStatus.VOID


def fire_protection(desk: ExecutionContext) -> None:
    protection = Protection(
        t_ms=T_MS, reason=ExitReason.DRAWDOWN, closes=(), epoch=1, cooldown_end_ms=0, figures=""
    )
    journal = desk.journals.open("portfolio", lambda: None)
    journal.append(Decision(t_ms=T_MS, protection=protection))
    journal.close()


def test_a_grant_of_an_older_epoch_is_never_sent(desk: ExecutionContext) -> None:
    fire_protection(desk)

    desk.tell(OpenPosition(approval=GRANT))

    assert desk.exchange.sent == []
    assert len(desk.told(OrderRejected)) == 1


def test_an_old_grant_is_never_sent(desk: ExecutionContext) -> None:
    desk.wait(RULES.candles.entry_max_age_ms + 1)

    desk.tell(OpenPosition(approval=GRANT))

    assert desk.exchange.sent == []
    assert desk.order_status(GRANT.client_order_id) is OrderStatus.VOID


def test_a_close_of_unknown_outcome_is_sent_again_under_its_id_once_it_is_proven_absent(
    desk: ExecutionContext,
) -> None:
    desk.tell(OpenPosition(approval=GRANT))
    desk.fill()
    desk.exchange.answers = [OutcomeUnknownError("read time-out")]
    desk.tell(CLOSE)

    desk.tell(CLOSE)

    assert desk.sent_ids[1:] == ["BTC-1744803000-exit-1"] * 2
    assert desk.order_status("BTC-1744803000-exit-1") is OrderStatus.ACCEPTED


def test_a_close_goes_on_being_asked_for_while_the_exchange_is_down(desk: ExecutionContext) -> None:
    desk.tell(OpenPosition(approval=GRANT))
    desk.fill()
    desk.exchange.answers = [OutcomeUnknownError("read time-out")]
    desk.exchange.is_down = True
    desk.tell(CLOSE)
    desk.wait(10 * ASK_AGAIN_MS)
    assert len(desk.exchange.sent) == 2

    desk.exchange.is_down = False
    desk.wait(ASK_AGAIN_MS)

    assert desk.sent_ids[1:] == ["BTC-1744803000-exit-1"] * 2


def test_what_is_left_of_a_partly_filled_close_is_closed_by_the_next_attempt(
    desk: ExecutionContext,
) -> None:
    desk.tell(OpenPosition(approval=GRANT))
    desk.fill()
    desk.tell(CLOSE)
    desk.fill(qty="0.050")

    desk.exchange.listener.on_order(
        news("BTC-1744803000-exit-1", OrderStatus.CANCELED, filled="0.050")
    )
    desk.settle()

    assert desk.sent_ids[-1] == "BTC-1744803000-exit-2"
    assert desk.exchange.sent[-1].qty == Decimal("0.033")
    assert desk.exchange.sent[-1].reduce_only


def test_news_of_an_order_before_its_execution_count_no_fill_twice(desk: ExecutionContext) -> None:
    desk.tell(OpenPosition(approval=GRANT))
    desk.fill()
    desk.tell(CLOSE)
    partly = news("BTC-1744803000-exit-1", OrderStatus.PARTIALLY_FILLED, filled="0.050")
    desk.exchange.listener.on_order(partly)
    desk.fill(qty="0.050")
    assert desk.order_status(partly.client_order_id) is OrderStatus.PARTIALLY_FILLED

    desk.exchange.listener.on_order(replace(partly, status=OrderStatus.CANCELED))
    desk.settle()

    assert desk.sent_ids[-1] == "BTC-1744803000-exit-2"
    assert desk.exchange.sent[-1].qty == Decimal("0.033")


def test_a_repeated_close_does_not_close_a_later_position(desk: ExecutionContext) -> None:
    desk.tell(OpenPosition(approval=GRANT))
    desk.fill()
    desk.tell(CLOSE)
    desk.fill()
    later = replace(GRANT, t_ms=CLOSE.t_ms, signal_ms=CLOSE.t_ms)
    desk.clock.step(later.t_ms)
    desk.tell(OpenPosition(approval=later))
    desk.fill()

    desk.tell(CLOSE)

    assert desk.sent_ids == [
        GRANT.client_order_id,
        "BTC-1744803000-exit-1",
        later.client_order_id,
    ]


def test_a_fill_whose_order_news_got_lost_still_ends_the_order(desk: ExecutionContext) -> None:
    desk.tell(OpenPosition(approval=GRANT))

    desk.fill()

    assert desk.order_status(GRANT.client_order_id) is OrderStatus.FILLED


def test_an_execution_is_booked_once_however_often_it_is_seen(desk: ExecutionContext) -> None:
    desk.tell(OpenPosition(approval=GRANT))
    filled = desk.fill()

    desk.exchange.listener.on_execution(filled)
    desk.settle()
    desk.restart()

    assert len(desk.told(PositionChanged)) == 1


def test_a_fill_that_names_no_order_is_booked_as_the_exchange_s_list_has_it(
    desk: ExecutionContext,
) -> None:
    desk.tell(OpenPosition(approval=GRANT))
    listener, desk.exchange.listener = desk.exchange.listener, Silent()
    filled = desk.fill()
    desk.exchange.listener = listener

    listener.on_execution(replace(filled, client_order_id=None))
    desk.settle()

    (changed,) = desk.told(PositionChanged)
    assert isinstance(changed, PositionChanged)
    assert changed.execution.client_order_id == GRANT.client_order_id
    assert changed.execution.signal_ms == GRANT.signal_ms


def told_while_asked(desk: ExecutionContext, *executions: Execution) -> None:
    """Have the exchange tell of executions one right after the other."""
    desk.exchange.fills += executions
    left = list(executions)

    def tell() -> None:
        while left:
            desk.exchange.listener.on_execution(left.pop(0))

    desk.exchange.on_question = tell
    desk.exchange.listener.on_doubt("test")
    desk.settle()


def sold_by_hand(desk: ExecutionContext) -> Execution:
    return Execution(
        exec_id="hand",
        asset="BTC",
        ts_ms=desk.clock.now_ms() + 1,
        kind=ExecutionKind.TRADE,
        side=Side.SELL,
        qty=Decimal("0.01"),
        price=Decimal(80000),
    )


def closed_just_after(desk: ExecutionContext, by_hand: Execution) -> Execution:
    exit_order = desk.exchange.sent[-1]
    return replace(
        by_hand,
        exec_id="exit",
        ts_ms=by_hand.ts_ms + 1,
        side=exit_order.side,
        qty=exit_order.qty,
        client_order_id=exit_order.client_order_id,
    )


def booked(desk: ExecutionContext) -> list[str]:
    changes = [m for m in desk.told(PositionChanged) if isinstance(m, PositionChanged)]
    return [change.execution.exec_id for change in changes]


@pytest.mark.parametrize("lagging_lists", [0, 2])
def test_our_exit_is_booked_after_a_sale_by_hand_that_came_before_it(
    desk: ExecutionContext, lagging_lists: int
) -> None:
    opened(desk)
    desk.tell(CLOSE)
    by_hand = sold_by_hand(desk)
    desk.exchange.lagging_lists = lagging_lists
    told_while_asked(desk, by_hand, closed_just_after(desk, by_hand))
    desk.wait(3 * ASK_AGAIN_MS)

    assert booked(desk) == ["x0", "hand", "exit"]
    assert [m for m in desk.heard["notifier"] if isinstance(m, TradeClosed)] == []


def test_a_stop_that_filled_is_booked_after_an_entry_of_which_nobody_told(
    desk: ExecutionContext,
) -> None:
    desk.tell(OpenPosition(approval=GRANT))
    listener, desk.exchange.listener = desk.exchange.listener, Silent()
    desk.fill()
    desk.exchange.listener = listener
    listener.on_execution(stop_fill(desk))
    desk.settle()

    trades = [m.trade for m in desk.heard["notifier"] if isinstance(m, TradeClosed)]
    assert [(trade.side, trade.reason) for trade in trades] == [(Side.SELL, ExitReason.STOP_LOSS)]


def test_our_exit_waits_no_longer_than_a_few_lists_for_a_sale_that_none_of_them_shows(
    desk: ExecutionContext,
) -> None:
    opened(desk)
    desk.tell(CLOSE)
    by_hand = sold_by_hand(desk)
    desk.exchange.lagging_lists = 20
    told_while_asked(desk, by_hand, closed_just_after(desk, by_hand))
    assert booked(desk) == ["x0"]

    desk.wait(MOST_ROUNDS * ASK_AGAIN_MS)
    assert booked(desk) == ["x0", "exit"]
    desk.wait(30 * ASK_AGAIN_MS)
    assert booked(desk) == ["x0", "exit", "hand"]


def test_a_fill_that_nobody_told_is_found_at_the_restart(desk: ExecutionContext) -> None:
    desk.tell(OpenPosition(approval=GRANT))
    listener, desk.exchange.listener = desk.exchange.listener, Silent()
    desk.fill()
    desk.exchange.listener = listener

    desk.restart()

    (changed,) = desk.told(PositionChanged)
    assert isinstance(changed, PositionChanged)
    assert changed.execution.signal_ms == GRANT.signal_ms
    assert desk.exchange.levels is not None


def test_a_fill_older_than_the_look_back_is_found_by_the_order_that_it_filled(
    tmp_path: Path,
) -> None:
    exchange = FakeExchange(answers=[OutcomeUnknownError("read time-out")])
    first = desk_in(tmp_path, exchange)
    desk = next(first)
    desk.tell(OpenPosition(approval=GRANT))
    next(first, None)
    (sent,) = exchange.sent
    exchange.fills.append(fill_of(sent, T_MS))
    exchange.orders[sent.client_order_id] = news(
        sent.client_order_id, OrderStatus.FILLED, str(sent.qty)
    )

    later = desk_in(tmp_path, exchange, now_ms=T_MS + 10 * 86_400_000)
    desk = next(later)

    assert [m.execution.qty for m in desk.told(PositionChanged)] == [sent.qty]  # type: ignore[attr-defined]
    assert exchange.levels is not None
    assert exchange.sent == [sent]
    next(later, None)


def test_a_position_whose_fills_nobody_can_list_any_more_gets_its_stop_and_stops_no_start(
    tmp_path: Path,
) -> None:
    old = fill_of(
        OrderRequest(
            client_order_id="BTC-1-entry-1",
            asset="BTC",
            side=Side.SELL,
            qty=Decimal("0.5"),
            reduce_only=False,
        ),
        T_MS - 10 * 86_400_000,
    )
    exchange = FakeExchange(fills=[old], entry_price=Decimal(84000))
    desks = desk_in(tmp_path, exchange, reconcile_ms=30_000)
    desk = next(desks)

    desk.wait(3 * ASK_AGAIN_MS)

    assert exchange.levels == ProtectiveLevels(stop_loss=Decimal(85260), take_profit=Decimal(78960))
    assert len(desk.told(ReconcileMismatch)) == 1
    assert len(desk.people_heard(PositionDiffers)) == 1
    assert desk.supervisor.children()[-1].restarts == 0
    next(desks, None)


def test_an_asset_that_rests_for_weeks_is_not_asked_about_all_of_them(tmp_path: Path) -> None:
    day_ms = 86_400_000
    desks = desk_in(tmp_path, FakeExchange(), reconcile_ms=day_ms)
    desk = next(desks)

    desk.wait(30 * day_ms)

    assert desk.exchange.asked_since_ms >= desk.clock.now_ms() - 3 * day_ms
    next(desks, None)


# Reads that lag what was written.


GONE = VenuePosition(
    signed_qty=Decimal("-0.083"),
    stop_loss=None,
    take_profit=None,
    avg_entry_price=Decimal(84000),
)
"""What is read of a position that was closed a moment ago."""


@pytest.mark.parametrize(("reads", "is_set"), [(1, False), (2, True)])
def test_a_position_that_the_books_do_not_know_gets_a_stop_only_when_two_reads_agree(
    desk: ExecutionContext, reads: int, is_set: bool
) -> None:
    desk.exchange.lagging_holdings = [GONE] * reads
    desk.exchange.listener.on_doubt("test")
    desk.settle()

    desk.wait(3 * ASK_AGAIN_MS)

    assert (desk.exchange.levels is not None) is is_set
    assert desk.exchange.sent == []


def test_nothing_is_opened_while_an_order_has_filled_and_its_executions_are_not_listed(
    desk: ExecutionContext,
) -> None:
    desk.exchange.answers = [OutcomeUnknownError("read time-out")]
    desk.exchange.is_down = True
    desk.tell(OpenPosition(approval=GRANT))
    (sent,) = desk.exchange.sent
    order_id = sent.client_order_id
    desk.exchange.fills.append(fill_of(sent, T_MS))
    desk.exchange.orders[order_id] = news(order_id, OrderStatus.FILLED, str(sent.qty))
    desk.exchange.lagging_lists = 4
    flat = VenuePosition(signed_qty=Decimal(0), stop_loss=None, take_profit=None)
    desk.exchange.lagging_holdings = [flat] * 3
    desk.exchange.is_down = False

    desk.wait(ASK_AGAIN_MS)
    desk.tell(OpenPosition(approval=replace(GRANT, t_ms=T_MS + 1000)))
    assert len(desk.exchange.sent) == 1

    desk.wait(4 * ASK_AGAIN_MS)
    assert len(desk.told(PositionChanged)) == 1
    assert desk.exchange.levels is not None


def fill_of(order: OrderRequest, ts_ms: int) -> Execution:
    return Execution(
        exec_id=f"of-{order.client_order_id}",
        asset=order.asset,
        ts_ms=ts_ms,
        kind=ExecutionKind.TRADE,
        side=order.side,
        qty=order.qty,
        price=Decimal(84000),
        client_order_id=order.client_order_id,
    )


class Silent:
    """Swallows news."""

    def on_execution(self, _execution: Execution) -> None:
        return


def test_nothing_is_opened_before_the_exchange_has_said_what_is_true(tmp_path: Path) -> None:
    exchange = FakeExchange(is_down=True)
    desks = desk_in(tmp_path, exchange)
    desk = next(desks)
    desk.tell(OpenPosition(approval=GRANT))
    assert exchange.sent == []

    exchange.is_down = False
    desk.wait(ASK_AGAIN_MS)
    desk.tell(OpenPosition(approval=replace(GRANT, t_ms=T_MS + 1000)))

    assert len(exchange.sent) == 1
    assert desk.supervisor.children()[-1].restarts == 0
    next(desks, None)


def test_a_refused_entry_is_told_and_does_not_crash(desk: ExecutionContext) -> None:
    desk.exchange.answers = [OrderRefusedError("110007 ab not enough for new order")]

    desk.tell(OpenPosition(approval=GRANT))

    (rejected,) = desk.told(OrderRejected)
    assert isinstance(rejected, OrderRejected)
    assert "110007" in rejected.detail
    assert desk.supervisor.children()[-1].restarts == 0


def test_nothing_is_opened_while_the_exchange_holds_another_quantity(
    desk: ExecutionContext,
) -> None:
    desk.exchange.by_hand = Decimal("-0.5")
    desk.restart()
    desk.wait(3 * ASK_AGAIN_MS)

    desk.tell(OpenPosition(approval=GRANT))

    assert desk.exchange.sent == []
    alarms = [m for m in desk.heard["notifier"] if isinstance(m, PositionDiffers)]
    assert [alarm.detail for alarm in alarms] == ["the exchange holds -0.5, the books say 0"]
    desk.exchange.by_hand = Decimal(0)
    desk.wait(ASK_AGAIN_MS)
    desk.tell(OpenPosition(approval=replace(GRANT, t_ms=T_MS + 1000)))
    assert len(desk.exchange.sent) == 1


def open_by_hand(desk: ExecutionContext) -> None:
    by_hand = Execution(
        exec_id="hand",
        asset="BTC",
        ts_ms=T_MS,
        kind=ExecutionKind.TRADE,
        side=Side.SELL,
        qty=Decimal("0.5"),
        price=Decimal(84000),
    )
    desk.exchange.fills.append(by_hand)
    desk.exchange.listener.on_execution(by_hand)
    desk.settle()


def test_a_position_opened_by_hand_gets_a_stop_and_is_not_closed(desk: ExecutionContext) -> None:
    open_by_hand(desk)

    desk.tell(CLOSE, replace(CLOSE, purpose=Purpose.EMERGENCY, reason=ExitReason.DRAWDOWN))

    assert desk.exchange.sent == []
    assert desk.exchange.levels is not None
    desk.tell(replace(CLOSE, purpose=Purpose.OPERATOR, reason=ExitReason.OPERATOR))
    assert [order.qty for order in desk.exchange.sent] == [Decimal("0.5")]


def test_a_fill_whose_stop_the_price_has_passed_already_is_closed_at_market(
    desk: ExecutionContext,
) -> None:
    desk.tell(OpenPosition(approval=GRANT))
    # What came with the order stands far from a fill at the other side of a gap.
    (entry,) = desk.exchange.sent
    assert entry.stop_loss == Decimal(85260)
    desk.exchange.levels = ProtectiveLevels(stop_loss=entry.stop_loss, take_profit=None)
    desk.exchange.stop_passed_at = Decimal(82000)
    desk.fill(price="80000")
    desk.wait(2 * ASK_AGAIN_MS)

    (close,) = desk.exchange.sent[1:]
    assert (close.reduce_only, close.side) == (True, Side.BUY)
    desk.fill(price="82010")
    (closed,) = desk.people_heard(TradeClosed)
    assert isinstance(closed, TradeClosed)
    assert closed.trade.reason is ExitReason.STOP_LOSS


def test_one_whose_stop_the_price_has_passed_gets_it_from_the_mark_price_and_keeps_it(
    desk: ExecutionContext,
) -> None:
    desk.exchange.stop_passed_at = Decimal(86000)
    open_by_hand(desk)
    assert desk.exchange.levels is None
    desk.wait_for_ms(RULES.risk.unprotected_position_ms)

    desk.exchange.listener.on_mark_price(desk.clock.now_ms(), Decimal(86000))
    desk.settle()
    desk.wait(2 * ASK_AGAIN_MS)

    set_from_mark = desk.exchange.levels
    assert set_from_mark is not None
    assert set_from_mark.stop_loss == Decimal(87290)  # 1.5 % above the mark price
    # As the price runs away, the stop does not follow it; as it comes back, it is tightened.
    for mark, stop_loss in ((Decimal(86500), Decimal(87290)), (Decimal(84100), Decimal(85260))):
        desk.exchange.stop_passed_at = mark
        desk.exchange.listener.on_mark_price(desk.clock.now_ms(), mark)
        desk.tell(Reconcile())
        assert desk.exchange.levels.stop_loss == stop_loss
    assert desk.exchange.sent == []
    told = desk.people_heard(PositionUnprotected)
    assert all(isinstance(one, PositionUnprotected) and one.is_by_hand for one in told)


def test_a_stop_that_was_removed_by_hand_is_set_again(desk: ExecutionContext) -> None:
    desk.tell(OpenPosition(approval=GRANT))
    desk.fill()
    entry_gate, desk.exchange.levels = desk.exchange.levels, None
    desk.wait_for_ms(RULES.risk.unprotected_position_ms)

    desk.exchange.listener.on_doubt("test")
    desk.settle()

    assert desk.exchange.levels == entry_gate
    since_ms = desk.clock.now_ms()
    unprotected = PositionUnprotected(asset="BTC", since_ms=since_ms, is_set_again=True)
    assert desk.people_heard(PositionUnprotected) == [unprotected]


def test_it_says_when_asked_whether_its_position_stands_without_a_stop(
    desk: ExecutionContext,
) -> None:
    seen = [desk.is_unprotected()]
    desk.tell(OpenPosition(approval=GRANT))
    desk.exchange.refuses_stops = True
    desk.fill()
    seen.append(desk.is_unprotected())
    desk.exchange.refuses_stops = False
    desk.wait(2 * ASK_AGAIN_MS)
    seen.append(desk.is_unprotected())

    assert seen == [False, True, False]


def test_what_people_must_hear_is_told_again_to_a_new_notifier(desk: ExecutionContext) -> None:
    desk.tell(OpenPosition(approval=GRANT))
    desk.fill()
    desk.exchange.levels = None
    desk.wait_for_ms(RULES.risk.unprotected_position_ms)
    desk.exchange.listener.on_doubt("test")
    desk.settle()

    desk.tell(Restarted(address="notifier", generation=2), Restarted(address="x", generation=2))

    assert len(desk.people_heard(PositionUnprotected)) == 2


def test_a_silence_that_stays_is_told_once_and_so_is_its_end(desk: ExecutionContext) -> None:
    desk.exchange.is_down = True
    desk.exchange.listener.on_doubt("test")
    desk.settle()
    desk.wait(5 * ASK_AGAIN_MS)
    desk.exchange.is_down = False
    desk.wait(5 * ASK_AGAIN_MS)

    (lost,) = desk.people_heard(ConnectionLost)
    (restored,) = desk.people_heard(ConnectionRestored)
    assert isinstance(lost, ConnectionLost)
    assert isinstance(restored, ConnectionRestored)
    assert lost.what == restored.what == "exchange"
    assert restored.down_ms >= 5 * ASK_AGAIN_MS


def test_a_fill_is_booked_though_the_exchange_falls_silent_and_its_stops_are_set_later(
    desk: ExecutionContext,
) -> None:
    desk.tell(OpenPosition(approval=GRANT))
    desk.exchange.is_down = True
    desk.fill(price="83000")
    assert len(desk.told(PositionChanged)) == 1
    assert desk.exchange.levels is None

    desk.exchange.is_down = False
    desk.wait(ASK_AGAIN_MS)

    assert desk.exchange.levels is not None
    assert desk.supervisor.children()[-1].restarts == 0


def test_a_position_whose_stop_cannot_be_set_is_closed_after_its_limit(
    desk: ExecutionContext,
) -> None:
    desk.tell(OpenPosition(approval=GRANT))
    desk.exchange.refuses_stops = True
    desk.fill()
    assert len(desk.exchange.sent) == 1

    desk.wait(RULES.risk.unprotected_position_ms - ASK_AGAIN_MS)
    assert len(desk.exchange.sent) == 1
    desk.wait(2 * ASK_AGAIN_MS)

    assert [order.client_order_id.split("-")[2] for order in desk.exchange.sent[1:]] == ["naked"]
    assert desk.exchange.sent[-1].reduce_only
    (unprotected,) = desk.people_heard(PositionUnprotected)
    assert isinstance(unprotected, PositionUnprotected)
    assert not unprotected.is_set_again


@pytest.mark.parametrize(
    "error",
    [UnavailableError("down"), AccessDeniedError("key"), BadDataError("garbage")],
    ids=lambda error: type(error).__name__,
)
def test_no_answer_of_the_exchange_crashes_the_execution(
    desk: ExecutionContext, error: Exception
) -> None:
    desk.exchange.silence = error
    desk.tell(OpenPosition(approval=GRANT))
    desk.fill()
    desk.exchange.listener.on_doubt("test")
    desk.wait(3 * ASK_AGAIN_MS)

    assert desk.supervisor.children()[-1].restarts == 0
    desk.exchange.silence = None
    desk.wait(ASK_AGAIN_MS)
    assert desk.exchange.levels is not None


def test_a_position_whose_stop_is_set_in_time_is_kept(desk: ExecutionContext) -> None:
    desk.tell(OpenPosition(approval=GRANT))
    desk.exchange.refuses_stops = True
    desk.fill()
    desk.wait(2 * ASK_AGAIN_MS)

    desk.exchange.refuses_stops = False
    desk.wait(10 * ASK_AGAIN_MS)

    assert desk.exchange.levels is not None
    assert len(desk.exchange.sent) == 1


def marked(desk: ExecutionContext, price: int) -> None:
    desk.exchange.listener.on_mark_price(desk.clock.now_ms(), Decimal(price))
    desk.settle()


def test_a_stop_that_the_price_has_passed_without_closing_is_asked_about_and_told_once(
    desk: ExecutionContext,
) -> None:
    opened(desk)  # its stop stands at 85260
    marked(desk, 85_300)
    marked(desk, 85_200)
    desk.wait_for_ms(RULES.risk.unprotected_position_ms)
    marked(desk, 85_300)
    asked = desk.exchange.asked
    assert risks(desk) == []

    desk.wait_for_ms(RULES.risk.unprotected_position_ms)
    marked(desk, 85_310)
    marked(desk, 85_320)

    assert risks(desk) == ["the price of BTC is beyond its stop, but the position is still open"]
    assert desk.exchange.asked > asked
    assert len(desk.exchange.sent) == 1


def test_what_a_stop_that_filled_in_part_has_left_open_is_closed_within_the_limit(
    desk: ExecutionContext,
) -> None:
    opened(desk)
    part = replace(
        fill_of(desk.exchange.sent[0], desk.clock.now_ms()),
        exec_id="stop",
        side=Side.BUY,
        qty=Decimal("0.050"),
        client_order_id=None,
    )
    desk.exchange.fills.append(part)
    desk.exchange.levels, desk.exchange.refuses_stops = None, True
    desk.exchange.listener.on_execution(part)
    desk.exchange.listener.on_doubt("its position has no stop loss")
    desk.settle()

    desk.wait(RULES.risk.unprotected_position_ms + ASK_AGAIN_MS)

    close = desk.exchange.sent[-1]
    assert (close.qty, close.reduce_only) == (Decimal("0.033"), True)
    assert len(desk.people_heard(PositionUnprotected)) == 1


# Closes that end before the position does.


def opened(desk: ExecutionContext) -> None:
    """Let a position stand at the exchange and in the books."""
    desk.tell(OpenPosition(approval=GRANT))
    desk.fill()
    assert desk.exchange.levels is not None


def risks(desk: ExecutionContext) -> list[str]:
    return [m.what for m in desk.heard["notifier"] if isinstance(m, RiskRaised)]


def test_a_close_that_was_canceled_unfilled_is_followed_by_the_next_attempt(
    desk: ExecutionContext,
) -> None:
    opened(desk)
    desk.tell(CLOSE)
    first = desk.sent_ids[-1]
    desk.exchange.orders[first] = news(first, OrderStatus.CANCELED)
    desk.exchange.listener.on_order(desk.exchange.orders[first])
    desk.settle()

    desk.wait(ASK_AGAIN_MS)

    assert desk.sent_ids[1:] == ["BTC-1744803000-exit-1", "BTC-1744803000-exit-2"]


def test_a_refused_close_is_tried_again_further_and_further_apart_until_a_person_is_called(
    desk: ExecutionContext,
) -> None:
    opened(desk)
    desk.exchange.answers = [OrderRefusedError("110074 the contract is not live")] * 20
    desk.tell(CLOSE)

    desk.wait(200 * ASK_AGAIN_MS)

    attempts = len(desk.sent_ids) - 1
    assert CLOSE_ATTEMPTS < attempts < 2 * CLOSE_ATTEMPTS
    assert len(set(desk.sent_ids)) == len(desk.sent_ids)
    assert risks(desk) == ["BTC cannot be closed"]


def test_a_refused_close_goes_on_while_the_stops_cannot_be_set(desk: ExecutionContext) -> None:
    opened(desk)
    assert desk.exchange.levels is not None
    desk.exchange.levels = replace(desk.exchange.levels, take_profit=Decimal(79_000))
    desk.exchange.refuses_stops = True
    desk.exchange.answers = [OrderRefusedError("110074 the contract is not live")] * 20
    desk.tell(CLOSE)

    desk.wait(200 * ASK_AGAIN_MS)

    attempts = len(desk.sent_ids) - 1
    assert CLOSE_ATTEMPTS < attempts < 2 * CLOSE_ATTEMPTS
    assert "BTC cannot be closed" in risks(desk)


def test_a_panic_goes_on_while_the_stops_cannot_be_set(desk: ExecutionContext) -> None:
    opened(desk)
    assert desk.exchange.levels is not None
    desk.exchange.levels = replace(desk.exchange.levels, take_profit=Decimal(79_000))
    desk.exchange.refuses_stops = True
    desk.exchange.answers = [OrderRefusedError("110074 the contract is not live")]
    desk.tell(Flatten(asset="BTC", t_ms=CLOSE.t_ms))

    desk.wait(20 * ASK_AGAIN_MS)

    assert len(desk.sent_ids) == len(set(desk.sent_ids)) == 3


@pytest.mark.parametrize("news", ["the panic again", "a doubt of the stream"])
def test_news_that_keep_coming_do_not_keep_a_panic_from_its_close(
    desk: ExecutionContext, news: str
) -> None:
    opened(desk)
    panic = Flatten(asset="BTC", t_ms=CLOSE.t_ms)
    left = 100

    def tell_news() -> None:
        nonlocal left
        if not left or len(desk.exchange.sent) > 1:
            return
        left -= 1
        if news == "the panic again":
            desk.system.address("execution/BTC").tell(panic, sender="test")
        else:
            desk.exchange.listener.on_doubt(news)

    desk.exchange.on_question = tell_news
    desk.tell(panic)

    assert [order.reduce_only for order in desk.exchange.sent] == [False, True]
    assert left > 50


def test_a_naked_position_that_cannot_be_closed_is_tried_again_and_told(
    desk: ExecutionContext,
) -> None:
    desk.tell(OpenPosition(approval=GRANT))
    desk.exchange.refuses_stops = True
    desk.fill()
    desk.exchange.answers = [OrderRefusedError("110074 the contract is not live")] * 60
    # An answer takes a moment, so that a round asks more than once within a second.
    desk.exchange.on_question = lambda: desk.clock.step(desk.clock.now_ms() + 100)

    desk.wait(200 * ASK_AGAIN_MS)

    attempts = len(desk.sent_ids) - 1
    assert CLOSE_ATTEMPTS < attempts < 2 * CLOSE_ATTEMPTS
    assert len(set(desk.sent_ids)) == len(desk.sent_ids)
    assert risks(desk) == ["BTC cannot be closed"]
    assert desk.supervisor.children()[-1].restarts == 0


def test_a_close_refused_because_the_stop_was_first_is_not_repeated(desk: ExecutionContext) -> None:
    opened(desk)
    desk.exchange.answers = [OrderRefusedError("110017 current position is zero")]
    stopped = stop_fill(desk)
    desk.tell(CLOSE)
    assert len(desk.exchange.sent) == 2

    desk.wait(5 * ASK_AGAIN_MS)

    assert len(desk.exchange.sent) == 2
    trades = [m.trade for m in desk.heard["notifier"] if isinstance(m, TradeClosed)]
    assert [trade.reason for trade in trades] == [ExitReason.STOP_LOSS]
    assert desk.told(PositionChanged)[-1].execution == stopped  # type: ignore[attr-defined]


def stop_fill(desk: ExecutionContext) -> Execution:
    """Let the stop fill at the exchange, without news of it."""
    filled = Execution(
        exec_id="stop",
        asset="BTC",
        ts_ms=desk.clock.now_ms(),
        kind=ExecutionKind.TRADE,
        side=Side.BUY,
        qty=GRANT.qty,
        price=Decimal(85260),
        reason=ExitReason.STOP_LOSS,
    )
    desk.exchange.fills.append(filled)
    return filled


def test_a_stop_that_fills_while_our_exit_is_under_way_names_the_trade(
    desk: ExecutionContext,
) -> None:
    opened(desk)
    desk.tell(CLOSE)
    exit_id = desk.sent_ids[-1]

    desk.exchange.listener.on_execution(stop_fill(desk))
    desk.exchange.orders[exit_id] = news(exit_id, OrderStatus.CANCELED)
    desk.exchange.listener.on_order(desk.exchange.orders[exit_id])
    desk.settle()
    desk.wait(5 * ASK_AGAIN_MS)

    trades = [m.trade for m in desk.heard["notifier"] if isinstance(m, TradeClosed)]
    assert [trade.reason for trade in trades] == [ExitReason.STOP_LOSS]
    assert len(desk.exchange.sent) == 2
    assert desk.order_status(exit_id) is OrderStatus.CANCELED


def test_a_close_that_an_earlier_life_left_unfinished_is_gone_on_with(
    desk: ExecutionContext,
) -> None:
    opened(desk)
    desk.exchange.answers = [OrderRefusedError("110074 the contract is not live")]
    desk.tell(CLOSE)

    desk.restart()

    assert desk.sent_ids[1:] == ["BTC-1744803000-exit-1", "BTC-1744803000-exit-2"]


def test_orders_of_an_earlier_life_are_proven_absent_side_by_side_and_that_is_no_silence(
    desk: ExecutionContext,
) -> None:
    closes = [close_intent(attempt) for attempt in (1, 2, 3)]
    ids = [close.request.client_order_id for close in closes]
    with desk.journals.connected():
        desk.journals.open("execution/BTC", lambda: None).append(*closes)
    desk.exchange.looks_to_prove = Counter(dict.fromkeys(ids, 4))
    desk.restart()

    desk.wait(4 * ASK_AGAIN_MS)

    assert desk.sent_ids == ids
    assert desk.people_heard(ConnectionLost) == []


def test_a_close_that_was_not_looked_at_is_sent_again_under_its_id_a_few_times(
    desk: ExecutionContext,
) -> None:
    opened(desk)
    desk.exchange.answers = [OrderNotProcessedError("10006 too many visits")] * 3
    desk.tell(CLOSE)

    desk.wait(5 * ASK_AGAIN_MS)

    assert desk.sent_ids[1:] == ["BTC-1744803000-exit-1"] * 4
    assert desk.order_status("BTC-1744803000-exit-1") is OrderStatus.ACCEPTED


def test_a_close_that_is_never_looked_at_is_given_the_next_id(desk: ExecutionContext) -> None:
    opened(desk)
    desk.exchange.answers = [OrderNotProcessedError("10006 too many visits")] * (UNREAD_SENDS + 1)
    desk.tell(CLOSE)

    desk.wait(10 * ASK_AGAIN_MS)

    first, second = "BTC-1744803000-exit-1", "BTC-1744803000-exit-2"
    assert desk.sent_ids[1:] == [first] * (UNREAD_SENDS + 1) + [second]
    assert desk.order_status(first) is OrderStatus.REJECTED


def test_an_entry_that_was_not_looked_at_is_not_repeated(desk: ExecutionContext) -> None:
    desk.exchange.answers = [OrderNotProcessedError("10002 timestamp")]
    desk.tell(OpenPosition(approval=GRANT))

    desk.wait(5 * ASK_AGAIN_MS)

    assert len(desk.exchange.sent) == 1
    assert len(desk.told(OrderRejected)) == 1


# Orders that rest at the exchange.


def rests(order_id: str | None, venue_id: str = "v1") -> RestingOrder:
    return RestingOrder(
        venue_order_id=venue_id, client_order_id=order_id, side=Side.SELL, qty=Decimal(1)
    )


def test_orphans_of_ours_are_canceled_and_others_are_told_once_and_block_nothing(
    desk: ExecutionContext,
) -> None:
    desk.exchange.resting = [
        rests("BTC-1744802400-entry-1"),
        rests("ETH-1744802400-entry-1", "v2"),
        rests(None, "v3"),
        rests("BTC-my-own", "v4"),
    ]
    for _ in range(3):
        desk.exchange.listener.on_doubt("test")
        desk.settle()

    assert desk.exchange.canceled == ["BTC-1744802400-entry-1"] * 3
    assert risks(desk) == ["an order of BTC that this system did not send"] * 3
    desk.tell(OpenPosition(approval=replace(GRANT, t_ms=desk.clock.now_ms())))
    assert len(desk.exchange.sent) == 1


def test_an_order_of_ours_that_is_under_way_is_not_canceled(desk: ExecutionContext) -> None:
    desk.tell(OpenPosition(approval=GRANT))
    desk.exchange.resting = [rests(GRANT.client_order_id)]

    desk.restart()

    assert desk.exchange.canceled == []


# An asset whose books and exchange differ, and an exchange that is out of reach.


def test_an_asset_that_differs_for_good_is_frozen_with_a_stop_and_thaws_when_it_agrees(
    tmp_path: Path,
) -> None:
    exchange = FakeExchange(by_hand=Decimal("-0.5"), entry_price=Decimal(84000))
    desks = desk_in(tmp_path, exchange, reconcile_ms=30_000)
    desk = next(desks)
    desk.wait(3 * ASK_AGAIN_MS)

    assert len(desk.told(ReconcileMismatch)) == 1
    assert exchange.levels == ProtectiveLevels(stop_loss=Decimal(85260), take_profit=Decimal(78960))
    asked = exchange.asked
    desk.wait(28_000)
    assert exchange.asked == asked
    assert desk.told(ReconcileMatch) == []

    exchange.by_hand = Decimal(0)
    desk.wait(2_000)

    assert len(desk.told(ReconcileMatch)) == 1
    desk.tell(OpenPosition(approval=replace(GRANT, t_ms=desk.clock.now_ms())))
    assert len(exchange.sent) == 1
    next(desks, None)


def test_an_exchange_that_is_silent_for_long_is_told_to_the_portfolio_until_it_answers(
    tmp_path: Path,
) -> None:
    exchange = FakeExchange(is_down=True)
    desks = desk_in(tmp_path, exchange, stale_ms=60_000)
    desk = next(desks)
    desk.wait(59_000)
    assert desk.told(MalfunctionBegan) == []

    desk.wait(2_000)
    assert len(desk.told(MalfunctionBegan)) == 1

    exchange.is_down = False
    desk.wait(2_000)
    assert len(desk.told(MalfunctionEnded)) == 1
    next(desks, None)


def test_a_denial_is_asked_about_slowly_told_once_and_may_pass(tmp_path: Path) -> None:
    exchange = FakeExchange(silence=AccessDeniedError("10003 API key is invalid"))
    desks = desk_in(tmp_path, exchange, reconcile_ms=30_000)
    desk = next(desks)
    desk.wait(100_000)
    assert exchange.asked == 1 + 3
    assert risks(desk) == ["the exchange denies access for BTC"]

    exchange.silence = None
    desk.wait(30_000)
    desk.tell(OpenPosition(approval=replace(GRANT, t_ms=desk.clock.now_ms())))

    assert len(exchange.sent) == 1
    assert desk.supervisor.children()[-1].restarts == 0
    next(desks, None)


def test_the_portfolio_hears_prices_now_and_then_though_nothing_is_open(tmp_path: Path) -> None:
    desks = desk_in(tmp_path, FakeExchange(), stale_ms=60_000)
    desk = next(desks)
    for second in range(30):
        desk.exchange.listener.on_mark_price(T_MS + second * 1000, Decimal(84000))
        desk.settle()

    assert len(desk.told(PositionMarked)) == 3
    next(desks, None)


def test_one_question_a_message_lest_a_slow_exchange_looks_like_a_hang(
    desk: ExecutionContext,
) -> None:
    opened(desk)
    desk.exchange.answers = [OutcomeUnknownError("read time-out")]
    desk.tell(CLOSE)
    worked_since: list[float | None] = []
    execution = desk.supervisor.children()[-1]
    desk.exchange.on_question = lambda: worked_since.append(
        None if execution.incarnation is None else execution.incarnation.busy_since_s
    )

    desk.exchange.listener.on_doubt("test")
    desk.settle()

    assert len(worked_since) >= 4
    assert len(set(worked_since)) == len(worked_since)


@pytest.mark.parametrize("held", ["-0.5", "0.5"], ids=["short", "long"])
def test_a_panic_closes_what_the_exchange_holds_and_nobody_can_explain(
    tmp_path: Path, held: str
) -> None:
    exchange = FakeExchange(by_hand=Decimal(held), entry_price=Decimal(84000))
    desks = desk_in(tmp_path, exchange, reconcile_ms=30_000)
    desk = next(desks)
    desk.wait(4 * ASK_AGAIN_MS)
    assert len(desk.told(ReconcileMismatch)) == 1
    assert exchange.sent == []

    desk.tell(Flatten(asset="BTC", t_ms=desk.clock.now_ms()))
    desk.wait(3 * ASK_AGAIN_MS)

    (close,) = exchange.sent
    assert (close.qty, close.reduce_only) == (Decimal("0.5"), True)
    assert close.side is (Side.BUY if held == "-0.5" else Side.SELL)
    assert desk.told(AssetFlat) == []
    desk.fill()
    desk.wait(10 * ASK_AGAIN_MS)
    assert len(desk.told(AssetFlat)) == 1
    assert len(exchange.sent) == 1
    assert desk.supervisor.children()[-1].restarts == 0
    next(desks, None)
