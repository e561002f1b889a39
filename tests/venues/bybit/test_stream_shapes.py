"""The venue's messages as domain values, and whatever else may arrive in their place."""

import dataclasses
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import get_type_hints

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import BadDataError
from domain.market.instruments import Candle, Side
from domain.trading.orders import ExitReason, OrderStatus, OrderUpdate
from domain.trading.positions import Execution, ExecutionKind
from infra.venues.bybit.shapes.executions import VenueExecution, execution_of
from infra.venues.bybit.shapes.market import CandleReader, Ticker, TickerReader
from infra.venues.bybit.shapes.messages import (
    Refusals,
    items_of,
    pushed_ms_of,
    sent_ms_of,
    symbol_of_item,
)
from infra.venues.bybit.shapes.orders import VenueOrder, order_of
from infra.venues.bybit.shapes.positions import PositionRow, position_of
from infra.venues.bybit.shapes.row import Row
from tests.fuzzing.mutations import mutated
from tests.venues.bybit.stream_server import SHARED, kline, ticker

CANDLE_MS = 300_000
START = 1_672_324_800_000


def fixture(shared_data: Path, name: str) -> dict:
    return orjson.loads((shared_data / "bybit-fixtures/bybit-docs" / f"{name}.json").read_bytes())


def close_of(reader: CandleReader, message: dict) -> list[Candle | None]:
    return [reader.read(item, message["ts"]) for item in message["data"]]


# Candles.


def test_the_documented_open_candle_is_read_as_no_candle(shared_data):
    message = fixture(shared_data, "ws-kline")

    assert close_of(CandleReader(CANDLE_MS), message) == [None]


def test_a_confirmed_candle_is_read_once_and_in_order():
    reader = CandleReader(CANDLE_MS)

    later = close_of(reader, kline(start=START + CANDLE_MS))
    again = close_of(reader, kline(start=START + CANDLE_MS, close="16650"))
    earlier = close_of(reader, kline(start=START))

    assert later == [
        Candle(
            open_time_ms=START + CANDLE_MS,
            close_time_ms=START + 2 * CANDLE_MS,
            open=16649.5,
            high=16677.0,
            low=16608.0,
            close=16677.0,
            volume=2.081,
        )
    ]
    assert again == earlier == [None]


@pytest.mark.parametrize(
    "changes",
    [
        {"low": "16700"},
        {"high": "16600"},
        {"close": "-1"},
        {"open": "NaN"},
        {"open": "Infinity"},
        {"volume": "-1"},
        {"volume": None},
        {"start": START + 1},
        {"start": True},
        {"confirm": "true"},
        {"confirm": None},
        {"end": START + 59_999},
        {"low": "0"},
        {"close": ""},
        {"close": {}},
    ],
)
def test_a_closed_candle_that_breaks_its_contract_is_refused(changes):
    with pytest.raises(BadDataError):
        close_of(CandleReader(CANDLE_MS), kline(**changes))


def test_a_candle_of_the_future_does_not_hide_those_that_follow():
    reader = CandleReader(CANDLE_MS)
    future = kline(start=START + 1000 * CANDLE_MS) | {"ts": START + CANDLE_MS}

    with pytest.raises(BadDataError):
        close_of(reader, future)

    assert close_of(reader, kline())[0] is not None


# Prices.


def test_the_documented_ticker_is_read(shared_data):
    found = TickerReader("BTCUSDT").read(fixture(shared_data, "ws-tickers"))

    assert found == Ticker(
        symbol="BTCUSDT",
        last_price=Decimal("66666.60"),
        mark_price=Decimal("66666.60"),
        ts_ms=1760325052630,
    )


def test_changes_are_merged_into_the_snapshot():
    reader = TickerReader("BTCUSDT")

    first = reader.read(ticker(lastPrice="100", markPrice="101"))
    second = reader.read(ticker(kind="delta", ts=START + 1, markPrice="102"))
    third = reader.read(ticker(kind="delta", ts=START + 2, volume24h="1", lastPrice=""))

    assert first is not None
    assert (first.last_price, first.mark_price) == (Decimal(100), Decimal(101))
    assert second == dataclasses.replace(first, mark_price=Decimal(102), ts_ms=START + 1)
    assert third == dataclasses.replace(second, ts_ms=START + 2)


def test_a_snapshot_forgets_the_prices_before_it():
    reader = TickerReader("BTCUSDT")
    reader.read(ticker(lastPrice="100", markPrice="101"))

    assert reader.read(ticker(lastPrice="100")) is None
    assert reader.read(ticker(kind="delta", markPrice="99")) is not None


def test_a_refused_change_leaves_the_prices_as_they_were():
    reader = TickerReader("BTCUSDT")
    before = reader.read(ticker(lastPrice="100", markPrice="101"))

    for bad in ({"markPrice": "x"}, {"lastPrice": "-1"}, {"symbol": "ETHUSDT"}):
        with pytest.raises(BadDataError):
            reader.read(ticker(kind="delta", **{"lastPrice": "7"} | bad))

    assert reader.read(ticker(kind="delta")) == before


# Orders.


def order(**changes) -> dict:
    return {
        "symbol": "BTCUSDT",
        "category": "linear",
        "orderId": "1",
        "orderLinkId": "BTC-1672324800-entry-1",
        "orderStatus": "Filled",
        "cumExecQty": "0.5",
        "updatedTime": "1672364262457",
        "rejectReason": "EC_NoError",
        "cancelType": "UNKNOWN",
        **changes,
    }


@pytest.mark.parametrize(
    ("status", "cum", "expected"),
    [
        ("New", "0", OrderStatus.ACCEPTED),
        ("Untriggered", "0", OrderStatus.ACCEPTED),
        ("Triggered", "0", OrderStatus.ACCEPTED),
        ("PartiallyFilled", "0.2", OrderStatus.PARTIALLY_FILLED),
        ("Rejected", "0", OrderStatus.REJECTED),
        ("Filled", "0.5", OrderStatus.FILLED),
        ("Cancelled", "0", OrderStatus.CANCELED),
        ("Cancelled", "0.2", OrderStatus.CANCELED),
        ("Deactivated", "0", OrderStatus.CANCELED),
    ],
)
def test_each_status_of_the_venue_is_one_of_ours(status, cum, expected):
    update = order_of(Row("order", order(orderStatus=status, cumExecQty=cum)))

    assert (update.status, update.filled_qty) == (expected, Decimal(cum))


def test_the_reasons_of_an_order_are_its_detail():
    row = order(
        orderStatus="Cancelled",
        rejectReason="EC_NoImmediateQtyToFill",
        cancelType="CancelByReduceOnly",
    )

    assert order_of(Row("order", row)).update("BTC-1672324800-entry-1") == OrderUpdate(
        client_order_id="BTC-1672324800-entry-1",
        status=OrderStatus.CANCELED,
        filled_qty=Decimal("0.5"),
        ts_ms=1672364262457,
        detail="EC_NoImmediateQtyToFill, CancelByReduceOnly",
    )


def test_the_documented_order_is_no_order_of_ours(shared_data):
    item = items_of(fixture(shared_data, "ws-order.1"))[0]

    assert order_of(Row("order", item)).client_order_id is None
    assert symbol_of_item(item) is None, "an option"


def test_a_word_that_is_no_status_we_know_is_an_unknown_state():
    assert order_of(Row("order", order(orderStatus="Exploded"))).status is OrderStatus.UNKNOWN


@pytest.mark.parametrize(
    "changes",
    [
        {"orderStatus": None},
        {"cumExecQty": ""},
        {"cumExecQty": "0"},
        {"cumExecQty": "-1"},
        {"orderStatus": "Cancelled", "cumExecQty": None},
        {"updatedTime": "soon"},
        {"updatedTime": str(10**17)},
        {"orderLinkId": 5},
        {"orderLinkId": "a" * 501},
    ],
)
def test_an_order_that_could_be_misread_is_refused(changes):
    with pytest.raises(BadDataError):
        order_of(Row("order", order(**changes)))


def test_an_order_needs_no_more_than_it_says():
    bare = {"orderId": "1", "symbol": "BTCUSDT", "orderStatus": "New", "updatedTime": 1672364262457}

    update = order_of(Row("order", bare))

    assert (update.filled_qty, update.detail) == (Decimal(0), "")


# Executions.


def test_the_documented_execution_is_read(shared_data):
    item = items_of(fixture(shared_data, "ws-execution.1"))[0]

    assert execution_of(Row("execution", item)).execution == Execution(
        exec_id="0ab1bdf7-4219-438b-b30a-32ec863018f7",
        asset="BTC",
        ts_ms=1746270400353,
        kind=ExecutionKind.TRADE,
        side=Side.SELL,
        qty=Decimal("0.5"),
        price=Decimal("95900.1"),
        fee=Decimal("26.3725275"),
        reason=ExitReason.EXTERNAL,
    )


def execution(**changes) -> dict:
    return {
        "symbol": "BTCUSDT",
        "category": "linear",
        "execId": "e-1",
        "execTime": "1746270400353",
        "execType": "Trade",
        "side": "Buy",
        "execQty": "0.5",
        "execPrice": "95900.1",
        "execFee": "26.37",
        "orderLinkId": "",
        "closedSize": "0.5",
        "stopOrderType": "UNKNOWN",
        "createType": "CreateByUser",
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ExitReason.EXTERNAL),
        ({"createType": "CreateByClosing"}, ExitReason.EXTERNAL),
        ({"closedSize": "0"}, None),
        ({"closedSize": ""}, None),
        ({"orderLinkId": "BTC-1-exit-1"}, None),
        ({"createType": "CreateByStopLoss", "stopOrderType": "StopLoss"}, ExitReason.STOP_LOSS),
        ({"createType": "CreateByPartialStopLoss"}, ExitReason.STOP_LOSS),
        ({"createType": None, "stopOrderType": "StopLoss"}, ExitReason.STOP_LOSS),
        ({"stopOrderType": "TakeProfit"}, ExitReason.TAKE_PROFIT),
        ({"createType": "CreateByTakeProfit"}, ExitReason.TAKE_PROFIT),
        ({"createType": "CreateByTrailingStop"}, ExitReason.TRAILING_STOP),
        ({"stopOrderType": "TrailingStop"}, ExitReason.TRAILING_STOP),
        ({"createType": "CreateByLiq"}, ExitReason.LIQUIDATION),
        ({"createType": "CreateByTakeOver_PassThrough"}, ExitReason.LIQUIDATION),
        ({"execType": "BustTrade", "createType": None}, ExitReason.LIQUIDATION),
        ({"execType": "BustTrade", "stopOrderType": "StopLoss"}, ExitReason.LIQUIDATION),
        ({"execType": "AdlTrade"}, ExitReason.EXTERNAL),
        ({"createType": "CreateByAdl_PassThrough"}, ExitReason.EXTERNAL),
    ],
)
def test_the_venue_says_why_it_closed(changes, reason):
    found = execution_of(Row("execution", execution(**changes))).execution

    assert found.reason is reason
    assert found.qty == Decimal("0.5")
    assert found.client_order_id == (changes.get("orderLinkId") or None)


def test_funding_is_money_and_no_quantity():
    row = execution(execType="Funding", execFee="1.5", side="")
    paid = execution_of(Row("execution", row)).execution
    received = execution_of(Row("execution", row | {"execFee": "-1.5"})).execution

    assert (paid.kind, paid.fee, paid.funding) == (ExecutionKind.FUNDING, 0, Decimal("-1.5"))
    assert received.funding == Decimal("1.5")


@pytest.mark.parametrize(
    "kind", ["Delivery", "Settle", "BlockTrade", "MovePosition", "FutureSpread", "UNKNOWN", "New"]
)
def test_other_kinds_of_executions_move_no_quantity_and_are_told_apart(kind):
    found = execution_of(Row("execution", execution(execType=kind)))

    assert not found.is_known_type
    assert found.execution.kind is ExecutionKind.FUNDING


@pytest.mark.parametrize(
    "changes",
    [
        {"execFee": ""},
        {"execFee": None},
        {"execQty": "0"},
        {"execPrice": "1e99"},
        {"execId": ""},
        {"side": "None"},
        {"execType": 5},
        {"orderLinkId": ["BTC-1-exit-1"]},
        {"execTime": str(10**17)},
        {"execType": "Funding", "execFee": None},
    ],
)
def test_an_execution_that_would_be_booked_wrongly_is_refused(changes):
    with pytest.raises(BadDataError):
        execution_of(Row("execution", execution(**changes)))


# Positions.


def test_the_documented_position_is_flat(shared_data):
    message = fixture(shared_data, "ws-position.1")

    found = position_of(Row("position", items_of(message)[0]), sent_ms_of(message))

    assert (found.side, found.qty, found.avg_entry_price) == (None, 0, None)
    assert (found.mark_price, found.position_idx) == (Decimal("28184.5"), 2)
    assert found.ts_ms == 1697682317044


POSITION = {
    "symbol": "BTCUSDT",
    "side": "Sell",
    "size": "0.5",
    "entryPrice": "100",
    "markPrice": "99",
    "positionIdx": 0,
    "stopLoss": "101.5",
    "takeProfit": "",
    "updatedTime": "1697682317038",
}


def test_an_open_position_has_a_side_and_its_stops():
    found = position_of(Row("position", POSITION), 5)

    assert (found.side, found.qty, found.avg_entry_price) == (Side.SELL, Decimal("0.5"), 100)
    assert (found.stop_loss, found.take_profit, found.mark_price) == (Decimal("101.5"), None, 99)
    assert (found.ts_ms, found.updated_ms) == (5, 1697682317038)


@pytest.mark.parametrize(
    "changes",
    [{"side": ""}, {"size": None}, {"size": "-1"}, {"entryPrice": "0"}, {"stopLoss": "x"}],
)
def test_a_position_that_contradicts_itself_is_refused(changes):
    with pytest.raises(BadDataError):
        position_of(Row("position", POSITION | changes), 5)


def test_refusals_are_counted_and_values_passed_on():
    refusals = Refusals()

    def refuse():
        raise BadDataError("of a test")

    assert refusals.attempt("order", refuse) is None
    assert refusals.attempt("order", lambda: 5) == 5
    assert refusals.counts() == {"order": 1}


# Whatever may arrive.

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(
        ["", "0", "-1", "NaN", "sNaN", "-Infinity", "1e400", "1_0", " 5 ", "٣", "0x1", "9" * 5000]
    ),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
BASES = [
    kline(),
    ticker(lastPrice="100", markPrice="101"),
    ticker(kind="delta", markPrice="101"),
    {"topic": "order", "creationTime": 1700034722104, "data": [order()]},
    {"topic": "execution", "creationTime": 1700034722104, "data": [execution()]},
    {"topic": "execution", "data": [execution(execType="Funding")]},
    *(
        orjson.loads(path.read_bytes())
        for path in sorted((SHARED / "bybit-fixtures/bybit-docs").glob("ws-*.json"))
    ),
]


def read_everything(message):
    """Yield what every reader makes of a message, as the streams use them."""
    refusals = Refusals()
    for read in (
        lambda: TickerReader("BTCUSDT").read(message),
        lambda: [
            CandleReader(CANDLE_MS).read(item, pushed_ms_of(message)) for item in items_of(message)
        ],
        lambda: [symbol_of_item(item) for item in items_of(message)],
    ):
        found = refusals.attempt("x", read)
        yield from found if isinstance(found, list) else [found]
    for item in refusals.attempt("x", lambda: items_of(message)) or ():
        if refusals.attempt("x", lambda item=item: symbol_of_item(item)) is not None:
            row = Row("item", item)
            yield refusals.attempt("x", partial(order_of, row))
            yield refusals.attempt("x", partial(execution_of, row))
            yield refusals.attempt("x", partial(position_of, row, 1700034722104))
        yield refusals.attempt("x", lambda: sent_ms_of(message))


def assert_types(value) -> None:
    """Check every field of a value against its annotation, and that its numbers are sane."""
    if value is None or isinstance(value, str | int):
        return
    if isinstance(value, VenueExecution):
        assert_types(value.execution)
    else:
        assert isinstance(value, Candle | Ticker | VenueOrder | Execution | PositionRow)
    for name, hint in get_type_hints(type(value)).items():
        found = getattr(value, name)
        assert isinstance(found, hint), (name, found)
        assert not (hint is int and isinstance(found, bool))
        assert not isinstance(found, Decimal | float) or abs(found) < Decimal("1e20")
    if isinstance(value, Candle):
        assert 0 < value.low <= min(value.open, value.close)
        assert max(value.open, value.close) <= value.high
    if isinstance(value, Execution):
        assert value.qty >= 0
        assert value.kind is ExecutionKind.FUNDING or (value.qty > 0 and value.price > 0)
    if isinstance(value, PositionRow):
        assert (value.side is None) == (value.qty == 0) == (value.avg_entry_price is None)


@settings(max_examples=600)
@given(st.sampled_from(BASES).flatmap(mutated).filter(lambda found: isinstance(found, dict)))
def test_no_message_makes_a_reader_raise_or_return_a_wrong_type(message):
    for value in read_everything(message):
        assert_types(value)


@given(JUNK)
def test_junk_in_place_of_a_message_s_data_is_refused(junk):
    for value in read_everything({"topic": "x", "ts": 1700034722104, "data": junk}):
        assert_types(value)
    for value in read_everything({"topic": "x", "ts": 1700034722104, "data": [junk]}):
        assert_types(value)
