"""An execution whose journal refuses to store: what protects goes on, nothing is opened."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from actors.core.messages import Message
from actors.messages import (
    AssetFlat,
    ClosePosition,
    Flatten,
    OpenPosition,
    OrderRejected,
    PositionChanged,
    PositionMarked,
    StoreAgain,
)
from domain.errors import OutcomeUnknownError, StaleApprovalError
from domain.market.instruments import Side
from domain.trading.decisions import Approval
from domain.trading.intents import entry_intent
from domain.trading.orders import ExitReason, OrderStatus, Purpose, RestingOrder
from domain.trading.positions import Execution
from domain.trading.sizing import ProtectiveLevels
from infra.store.opening import open_store
from infra.store.reserve import Reserve
from tests.actors.test_execution import (
    ASK_AGAIN_MS,
    CLOSE,
    GRANT,
    RULES,
    T_MS,
    ExecutionContext,
    FakeExchange,
    desk_in,
    news,
)
from tests.hostile.refusing import REFUSALS, refusing

PANIC = Flatten(asset="BTC", t_ms=T_MS + 1)
PANIC_ID = "BTC-1744802700-oper-1"
EMERGENCY = ClosePosition(
    asset="BTC", t_ms=T_MS + 300_000, purpose=Purpose.EMERGENCY, reason=ExitReason.DRAWDOWN
)
NEXT_GRANT = Approval(
    asset="BTC",
    t_ms=T_MS + 300_000,
    qty=Decimal("0.083"),
    price=Decimal(84000),
    signal_ms=T_MS + 300_000,
    protection_epoch=0,
)


@contextmanager
def desk_at(folder: Path, exchange: FakeExchange, now_ms: int = T_MS) -> Iterator[ExecutionContext]:
    """Return an execution with a reserve file, and a journal that waits for nobody."""
    reserve = Reserve(folder / "j.reserve")
    made = desk_in(folder, exchange, now_ms=now_ms, reserve=reserve, busy_timeout_ms=20)
    yield next(made)
    next(made, None)
    reserve.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ExecutionContext]:
    """Return an execution with an open short."""
    with desk_at(tmp_path, FakeExchange()) as made:
        made.tell(OpenPosition(approval=GRANT))
        made.fill()
        yield made


def generation(desk: ExecutionContext) -> int:
    child = next(c for c in desk.supervisor.children() if c.spec.address == "execution/BTC")
    return child.generation


def stored_ids(desk: ExecutionContext) -> list[str]:
    journal = desk.journals.open("reader", lambda: None)
    try:
        return [order.client_order_id for order in journal.orders("BTC")]
    finally:
        journal.close()


def kept_ids(desk: ExecutionContext) -> list[str]:
    return [
        fact.request.client_order_id  # type: ignore[union-attr]
        for record in desk.journals.reserve.records()
        for fact in record.facts
    ]


@pytest.mark.parametrize("how", REFUSALS)
@pytest.mark.parametrize(
    ("command", "order_id"), [(PANIC, PANIC_ID), (EMERGENCY, "BTC-1744803000-emerg-1")]
)
def test_a_close_is_sent_reduce_only_without_a_restart_and_booked_later(
    desk: ExecutionContext, tmp_path: Path, how: str, command: Message, order_id: str
) -> None:
    with refusing(desk.journals, tmp_path / "j.sqlite", how):
        desk.tell(command)

        (close,) = desk.exchange.sent[1:]
        assert (close.client_order_id, close.reduce_only) == (order_id, True)
        assert (close.side, close.qty) == (Side.BUY, GRANT.qty)
        assert kept_ids(desk) == [order_id]
        assert order_id not in stored_ids(desk)

        desk.fill()
        desk.wait(5 * ASK_AGAIN_MS)
        assert len(desk.told(PositionChanged)) == 1  # of the entry: nothing is told before stored

    desk.wait(2 * ASK_AGAIN_MS)

    assert generation(desk) == 1
    assert desk.sent_ids == [GRANT.client_order_id, order_id]
    assert desk.order_status(order_id) is OrderStatus.FILLED
    assert kept_ids(desk) == []
    assert len(desk.told(PositionChanged)) == 2


def test_a_panic_ends_flat_through_a_partial_fill_while_nothing_can_be_stored(
    desk: ExecutionContext, tmp_path: Path
) -> None:
    with refusing(desk.journals, tmp_path / "j.sqlite", "full"):
        desk.tell(PANIC)
        desk.fill(qty="0.080")
        desk.exchange.orders[PANIC_ID] = news(PANIC_ID, OrderStatus.CANCELED, "0.080")
        desk.exchange.listener.on_order(desk.exchange.orders[PANIC_ID])
        desk.settle()

        second = desk.exchange.sent[-1]
        assert (second.client_order_id, second.qty) == ("BTC-1744802700-oper-2", Decimal("0.003"))
        desk.fill()
        desk.wait(5 * ASK_AGAIN_MS)

        assert desk.exchange.venue_position("BTC").signed_qty == 0
        assert desk.told(AssetFlat) == [AssetFlat(asset="BTC", t_ms=PANIC.t_ms)]
    desk.wait(2 * ASK_AGAIN_MS)
    assert kept_ids(desk) == []
    assert len(desk.sent_ids) == 3


def test_nothing_is_opened_until_every_record_is_booked_and_its_order_has_ended(
    desk: ExecutionContext, tmp_path: Path
) -> None:
    with refusing(desk.journals, tmp_path / "j.sqlite", "full"):
        desk.tell(EMERGENCY)
        desk.wait(300_000)
        desk.tell(OpenPosition(approval=NEXT_GRANT))
        assert len(desk.sent_ids) == 2

    # There is room again, and nobody has stored anything yet.
    other = desk.journals.open("execution/ETH", lambda: None)
    assert "wait in the reserve" in (other.shortage() or "")
    other.close()
    desk.tell(StoreAgain())
    assert kept_ids(desk) == []

    desk.fill()
    desk.wait(2 * ASK_AGAIN_MS)
    desk.tell(OpenPosition(approval=NEXT_GRANT))  # of the grant that was refused meanwhile: void
    assert len(desk.sent_ids) == 2


def test_an_entry_is_refused_and_void_while_nothing_can_be_stored(tmp_path: Path) -> None:
    with (
        desk_at(tmp_path, FakeExchange()) as desk,
        refusing(desk.journals, tmp_path / "j.sqlite", "full"),
    ):
        desk.tell(OpenPosition(approval=GRANT))

        assert desk.exchange.sent == []
        (rejected,) = desk.told(OrderRejected)
        assert isinstance(rejected, OrderRejected)
        assert "disk is full" in rejected.detail
        assert generation(desk) == 1


def test_an_entry_is_refused_while_anybodys_record_waits_and_taken_once_none_does(
    tmp_path: Path,
) -> None:
    with desk_at(tmp_path, FakeExchange()) as desk:
        reserve, entry = desk.journals.reserve, entry_intent(GRANT, RULES)
        reserve.add("execution/ETH", [replace(entry, protection_epoch=None)], T_MS)
        writer = desk.journals.open("test", lambda: None)
        with pytest.raises(StaleApprovalError, match="wait in the reserve"):
            writer.append(entry)

        desk.tell(OpenPosition(approval=GRANT))

        assert desk.exchange.sent == []
        (rejected,) = desk.told(OrderRejected)
        assert isinstance(rejected, OrderRejected)
        assert "wait in the reserve" in rejected.detail

        reserve.discard(reserve.records()[0])
        desk.wait(300_000)
        desk.tell(OpenPosition(approval=NEXT_GRANT))
        assert desk.sent_ids == [NEXT_GRANT.client_order_id]
        writer.close()


def test_a_new_life_and_a_new_process_know_the_close_and_its_end(tmp_path: Path) -> None:
    exchange = FakeExchange()
    with desk_at(tmp_path, exchange) as desk:
        desk.tell(OpenPosition(approval=GRANT))
        desk.fill()
        usual, file = desk.journals, tmp_path / "j.sqlite"
        with refusing(usual, file, "full"):
            exchange.answers = [OutcomeUnknownError("read time-out")]
            exchange.is_down = True
            desk.tell(EMERGENCY)
            desk.restart()
            assert generation(desk) == 2
            desk.supervisor.stop(10)
            # Accepted and filled, and nobody has heard of it.
            filled(exchange, "BTC-1744803000-emerg-1", desk.clock.now_ms())
            exchange.is_down = False

    with desk_at(tmp_path, exchange, now_ms=T_MS + 600_000) as again:
        again.wait(2 * ASK_AGAIN_MS)

        assert again.order_status("BTC-1744803000-emerg-1") is OrderStatus.FILLED
        assert exchange.sent[-1].client_order_id == "BTC-1744803000-emerg-1"
        assert len({order.client_order_id for order in exchange.sent}) == 2
        (changed,) = again.told(PositionChanged)
        assert isinstance(changed, PositionChanged)
        assert changed.execution.reason is ExitReason.DRAWDOWN
        assert kept_ids(again) == []


def filled(exchange: FakeExchange, order_id: str, ts_ms: int) -> None:
    exchange.orders[order_id] = news(order_id, OrderStatus.FILLED, str(GRANT.qty))
    entry = exchange.fills[0]
    exchange.fills.append(
        Execution(
            exec_id="unheard",
            asset="BTC",
            ts_ms=ts_ms,
            kind=entry.kind,
            side=Side.BUY,
            qty=entry.qty,
            price=entry.price,
            client_order_id=order_id,
        )
    )


def test_without_its_writer_right_it_sends_nothing(desk: ExecutionContext, tmp_path: Path) -> None:
    file = tmp_path / "j.sqlite"
    other = open_store(file, lambda: 0, busy_timeout_ms=20)
    with other.connected():
        other.open("execution/BTC", lambda: None).close()

    with refusing(desk.journals, file, "full"):
        desk.system.address("execution/BTC").tell(EMERGENCY, sender="test")
        desk.settle()

        # The incarnation that had lost it has sent nothing and kept nothing; it has ended.
        assert generation(desk) > 1
        assert len(desk.sent_ids) == 1
        assert kept_ids(desk) == []


def test_a_missing_stop_is_set_and_what_rests_is_canceled_while_nothing_can_be_stored(
    desk: ExecutionContext, tmp_path: Path
) -> None:
    with refusing(desk.journals, tmp_path / "j.sqlite", "full"):
        desk.exchange.levels = None
        desk.exchange.resting = [
            RestingOrder(
                venue_order_id="v1",
                client_order_id="BTC-1744802400-entry-1",
                side=Side.SELL,
                qty=Decimal(1),
            )
        ]
        desk.exchange.listener.on_doubt("the stream was cut")
        desk.settle()

        assert desk.exchange.levels == ProtectiveLevels(
            stop_loss=Decimal("85260.0"), take_profit=Decimal("78960.0")
        )
        assert desk.exchange.canceled == ["BTC-1744802400-entry-1"]
    assert generation(desk) == 1


def test_an_entry_that_fills_while_nothing_can_be_stored_gets_its_stops(tmp_path: Path) -> None:
    with desk_at(tmp_path, FakeExchange()) as desk:
        desk.tell(OpenPosition(approval=GRANT))
        with refusing(desk.journals, tmp_path / "j.sqlite", "full"):
            desk.fill(price="83000")

            assert desk.exchange.levels == ProtectiveLevels(
                stop_loss=Decimal("84245.0"), take_profit=Decimal("78020.0")
            )
            desk.tell(PANIC)
            assert desk.exchange.sent[-1].reduce_only
        assert generation(desk) == 1


@pytest.mark.parametrize("how", REFUSALS)
def test_a_position_that_stays_unprotected_is_closed_while_nothing_can_be_stored(
    desk: ExecutionContext, tmp_path: Path, how: str
) -> None:
    with refusing(desk.journals, tmp_path / "j.sqlite", how):
        desk.exchange.levels, desk.exchange.refuses_stops = None, True
        desk.exchange.listener.on_doubt("the stream was cut")
        desk.settle()
        desk.wait(RULES.risk.unprotected_position_ms + 2 * ASK_AGAIN_MS)

        assert "-naked-" in desk.sent_ids[-1]
        assert desk.exchange.sent[-1].reduce_only
    assert generation(desk) == 1


def test_a_price_beyond_a_stop_that_is_gone_closes_while_nothing_can_be_stored(
    desk: ExecutionContext, tmp_path: Path
) -> None:
    with refusing(desk.journals, tmp_path / "j.sqlite", "full"):
        desk.exchange.levels, desk.exchange.refuses_stops = None, True
        for second in range(0, 40_000, 1_000):
            mark = PositionMarked(asset="BTC", ts_ms=T_MS + second, mark_price=Decimal(86_000))
            desk.tell(mark)
            desk.wait_for_ms(1_000)

        assert "-naked-" in desk.sent_ids[-1]
    assert generation(desk) == 1


def test_the_close_goes_out_where_the_reserve_fails_too(
    desk: ExecutionContext, tmp_path: Path
) -> None:
    desk.journals.reserve.close()
    with refusing(desk.journals, tmp_path / "j.sqlite", "full"):
        desk.tell(CLOSE)

        assert desk.exchange.sent[-1].reduce_only
        assert not desk.journals.reserve.is_kept
    desk.wait(2 * ASK_AGAIN_MS)
    assert desk.order_status("BTC-1744803000-exit-1") is OrderStatus.ACCEPTED
