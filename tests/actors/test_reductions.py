"""A reduce is sent once, goes on where it was cut short, and leaves the rest to the next exit."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from actors.messages import (
    ClosePosition,
    OpenPosition,
    ReducePosition,
    RiskRaised,
    TradeClosed,
)
from domain.errors import OrderRefusedError, OutcomeUnknownError
from domain.trading.orders import ExitReason, OrderStatus, Purpose
from tests.actors.test_execution import (
    ASK_AGAIN_MS,
    GRANT,
    T_MS,
    ExecutionContext,
    FakeExchange,
    desk_in,
    news,
)

REDUCE = ReducePosition(asset="BTC", t_ms=T_MS + 1001, qty=Decimal("0.03"))
REDUCE_ID = "BTC-1744802701-reduc-1"
CLOSE = ClosePosition(
    asset="BTC", t_ms=T_MS + 300_000, purpose=Purpose.EXIT, reason=ExitReason.REGIME
)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ExecutionContext]:
    """One with a short of 0.083."""
    for desk in desk_in(tmp_path, FakeExchange()):
        desk.tell(OpenPosition(approval=GRANT))
        desk.fill()
        yield desk


def cancel(desk: ExecutionContext, order_id: str, filled: str) -> None:
    """Let the exchange end an order before it is filled, and tell of it."""
    update = news(order_id, OrderStatus.CANCELED, filled)
    desk.exchange.orders[order_id] = update
    desk.exchange.listener.on_order(update)
    desk.settle()


def trade(desk: ExecutionContext) -> TradeClosed:
    (told,) = desk.people_heard(TradeClosed)
    assert isinstance(told, TradeClosed)
    return told


def test_a_reduce_is_one_reduce_only_order_however_often_it_is_told(
    desk: ExecutionContext,
) -> None:
    desk.tell(*[REDUCE] * 3)
    desk.fill()
    desk.tell(REDUCE)
    desk.restart()
    desk.tell(REDUCE)

    _, order = desk.exchange.sent
    assert (order.client_order_id, order.qty, order.reduce_only) == (
        REDUCE_ID,
        Decimal("0.03"),
        True,
    )
    assert desk.order_status(REDUCE_ID) is OrderStatus.FILLED
    assert desk.people_heard(TradeClosed) == []


def test_the_exit_that_makes_it_flat_names_the_reason_of_the_whole_trade(
    desk: ExecutionContext,
) -> None:
    desk.tell(REDUCE)
    desk.fill(price="83000")
    desk.tell(CLOSE)
    assert desk.exchange.sent[-1].qty == Decimal("0.053")
    desk.fill(price="82000")

    closed = trade(desk).trade
    assert (closed.reason, closed.decided_ms) == (ExitReason.REGIME, CLOSE.t_ms)
    assert closed.qty == Decimal("0.083")
    assert closed.exit_price == (30 * Decimal(83000) + 53 * Decimal(82000)) / 83


def test_a_reduce_of_the_whole_is_a_close_by_the_operator(desk: ExecutionContext) -> None:
    desk.tell(ReducePosition(asset="BTC", t_ms=REDUCE.t_ms, qty=Decimal(1)))
    assert desk.exchange.sent[-1].qty == Decimal("0.083")
    desk.fill()

    assert trade(desk).trade.reason is ExitReason.OPERATOR


def test_a_reduce_of_unknown_outcome_that_was_accepted_is_not_sent_again(
    desk: ExecutionContext,
) -> None:
    desk.exchange.answers = [OutcomeUnknownError("read time-out")]
    desk.tell(REDUCE)
    assert desk.order_status(REDUCE_ID) is OrderStatus.UNKNOWN

    desk.exchange.orders[REDUCE_ID] = news(REDUCE_ID, OrderStatus.ACCEPTED)
    desk.restart()
    desk.tell(REDUCE)
    desk.wait(ASK_AGAIN_MS)

    assert desk.sent_ids.count(REDUCE_ID) == 1


def test_a_reduce_that_never_arrived_is_sent_again_under_its_id(desk: ExecutionContext) -> None:
    desk.exchange.answers = [OutcomeUnknownError("read time-out")]
    desk.tell(REDUCE)
    desk.exchange.orders.pop(REDUCE_ID, None)
    desk.wait(ASK_AGAIN_MS)

    assert desk.sent_ids[1:] == [REDUCE_ID, REDUCE_ID]
    assert {order.qty for order in desk.exchange.sent[1:]} == {Decimal("0.03")}


def test_what_is_left_of_a_partly_filled_reduce_and_no_more_is_sent_by_the_next_attempt(
    desk: ExecutionContext,
) -> None:
    desk.tell(REDUCE)
    desk.fill(qty="0.01")
    cancel(desk, REDUCE_ID, "0.01")

    assert desk.sent_ids[1:] == [REDUCE_ID, "BTC-1744802701-reduc-2"]
    assert desk.exchange.sent[-1].qty == Decimal("0.02")


def test_what_a_crash_has_left_of_a_reduce_goes_on_once_it_is_told_again(
    desk: ExecutionContext,
) -> None:
    desk.tell(REDUCE)
    desk.fill(qty="0.01")
    desk.exchange.is_down = True
    desk.restart()
    desk.exchange.orders[REDUCE_ID] = news(REDUCE_ID, OrderStatus.CANCELED, "0.01")
    desk.exchange.is_down = False
    desk.wait(ASK_AGAIN_MS)
    desk.tell(REDUCE, REDUCE)

    assert desk.sent_ids[1:] == [REDUCE_ID, "BTC-1744802701-reduc-2"]


def test_a_refused_reduce_is_told_and_neither_tried_again_nor_made_a_close(
    desk: ExecutionContext,
) -> None:
    desk.exchange.answers = [OrderRefusedError("110007 for no reason")]
    desk.tell(REDUCE)
    desk.tell(REDUCE)
    desk.restart()
    desk.tell(REDUCE)
    desk.wait(10 * ASK_AGAIN_MS)

    assert desk.sent_ids[1:] == [REDUCE_ID]
    (risk,) = desk.people_heard(RiskRaised)
    assert isinstance(risk, RiskRaised)
    assert risk.what == "BTC was not reduced"


def test_a_close_that_is_asked_for_during_a_reduce_follows_it(desk: ExecutionContext) -> None:
    desk.tell(REDUCE)
    desk.tell(CLOSE)
    assert desk.sent_ids[1:] == [REDUCE_ID]
    desk.fill()

    assert desk.sent_ids[1:] == [REDUCE_ID, "BTC-1744803000-exit-1"]
    assert desk.exchange.sent[-1].qty == Decimal("0.053")


def test_a_close_that_follows_a_reduce_cut_short_takes_its_place(desk: ExecutionContext) -> None:
    desk.tell(REDUCE)
    desk.fill(qty="0.01")
    desk.tell(CLOSE)
    cancel(desk, REDUCE_ID, "0.01")
    desk.fill()

    assert desk.sent_ids[1:] == [REDUCE_ID, "BTC-1744803000-exit-1"]
    assert trade(desk).trade.reason is ExitReason.REGIME


def test_a_reduce_leaves_a_later_position_alone(desk: ExecutionContext) -> None:
    desk.tell(ReducePosition(asset="BTC", t_ms=T_MS, qty=Decimal("0.03")))

    assert desk.sent_ids == [GRANT.client_order_id]


def test_a_reduce_waits_until_the_exchange_has_said_what_is_open(desk: ExecutionContext) -> None:
    desk.exchange.is_down = True
    desk.restart()
    desk.tell(REDUCE)
    assert desk.sent_ids == [GRANT.client_order_id]
    desk.exchange.is_down = False
    desk.wait(ASK_AGAIN_MS)

    assert desk.sent_ids[1:] == [REDUCE_ID]
