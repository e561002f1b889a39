"""Tolerant readers: answers mutated in every way give a value or BadDataError, nothing else."""

import json
from contextlib import suppress
from decimal import Decimal
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.errors import BadDataError
from domain.market.instruments import Side
from infra.venues.bybit.shapes.account import (
    MarginMode,
    account_info,
    api_key_info,
    fee_rates,
    transfer,
    wallet,
)
from infra.venues.bybit.shapes.executions import execution_of
from infra.venues.bybit.shapes.market import (
    candles,
    funding_rates,
    listings,
    server_time_ms,
    ticker,
)
from infra.venues.bybit.shapes.orders import order_of
from infra.venues.bybit.shapes.positions import position_of
from infra.venues.bybit.shapes.queries import asset_of, interval_of, plain, symbol_of
from infra.venues.bybit.shapes.row import Row
from tests.fuzzing.mutations import mutated

BASE = {"symbol": "BTCUSDT", "side": "Buy"}
EXECUTION = BASE | {
    "execId": "1",
    "execType": "Trade",
    "execQty": "0.1",
    "execPrice": "40000",
    "execFee": "0.01",
    "execTime": "1700000000000",
}
ORDER = BASE | {
    "orderId": "1",
    "orderStatus": "PartiallyFilled",
    "cumExecQty": "0.1",
    "createdTime": "1700000000000",
}
POSITION = BASE | {"size": "1", "avgPrice": "40000", "markPrice": "40001", "positionIdx": 0}
READERS = {
    "instruments-info": listings,
    "instruments-info.1": listings,
    "kline": partial(candles, symbol="BTCUSD", candle_ms=3_600_000),
    "tickers": partial(ticker, symbol="BTCUSD", ts_ms=1),
    "funding-history": partial(funding_rates, symbol="ETHPERP"),
    "time": server_time_ms,
    "wallet-balance": partial(wallet, ts_ms=1, margin_mode=MarginMode.CROSS),
    "fee-rate": partial(fee_rates, symbol="ETHUSDT"),
    "query-api": api_key_info,
    "account-info": account_info,
    "order-realtime": lambda raw: list(map(order_of, Row("order", raw).rows("list"))),
    "order-history": lambda raw: list(map(order_of, Row("order", raw).rows("list"))),
    "execution-list": lambda raw: list(map(execution_of, Row("e", raw).rows("list"))),
    "position-list": lambda raw: [position_of(row, 1) for row in Row("position", raw).rows("list")],
    "transaction-log": lambda raw: [
        transfer(row, {"BTCUSDT"}) for row in Row("log", raw).rows("list")
    ],
}


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_mutated_answer_gives_a_value_or_bad_data(shared_data, name, data):
    file = shared_data / "bybit-fixtures" / "bybit-docs" / f"{name}.json"
    raw = json.loads(file.read_text(encoding="utf-8"))["result"]

    with suppress(BadDataError):
        READERS[name](data.draw(mutated(raw)))


@pytest.mark.parametrize(
    ("read", "raw", "name"),
    [
        *((execution_of, EXECUTION, name) for name in EXECUTION),
        *((order_of, ORDER, name) for name in ORDER if name != "side"),
        *((partial(position_of, ts_ms=1), POSITION, name) for name in POSITION),
    ],
)
def test_a_field_that_must_be_there_is_named_when_it_is_not(read, raw, name):
    read(Row("it", raw))
    without = {key: value for key, value in raw.items() if key != name}
    named = "entryPrice" if name == "avgPrice" else name

    with pytest.raises(BadDataError, match=f"field {named}, found nothing"):
        read(Row("it", without))


@pytest.mark.parametrize(
    "text", ["NaN", "Infinity", "1e999", "1e-999", "\u0661", "0x1", " 1", "1_0"]
)
def test_numbers_that_are_none_are_not_read(text):
    assert Row("it", {"n": text}).maybe_decimal("n") is None


def test_a_number_is_read_from_the_venue_s_own_text():
    row = Row("it", {"text": "0.10", "float": 0.1, "int": 3, "exponent": "1E-7"})

    assert str(row.decimal("text")) == "0.10"
    assert row.decimal("float") == Decimal("0.1")
    assert row.integer("int") == 3
    assert plain(row.decimal("exponent")) == "0.0000001"


def test_an_order_without_any_optional_field_is_read():
    found = order_of(Row("order", {k: v for k, v in ORDER.items() if k != "side"}))

    assert (found.side, found.qty, found.client_order_id) == (None, None, None)
    assert not found.reduce_only


def test_a_funding_row_needs_no_side_no_qty_and_no_price():
    raw = {k: v for k, v in EXECUTION.items() if k not in {"side", "execQty", "execPrice"}}

    found = execution_of(Row("execution", raw | {"execType": "Funding", "execFee": "-0.5"}))

    assert found.execution.funding == Decimal("0.5")
    assert found.is_known_type


@pytest.mark.parametrize("field", ["execQty", "execPrice"])
@pytest.mark.parametrize("odd", ["x", "-1", [], -(10**17)])
def test_a_funding_row_s_quantity_and_price_are_read_or_refused(field, odd):
    with pytest.raises(BadDataError, match=f"field {field}"):
        execution_of(Row("execution", EXECUTION | {"execType": "Funding", field: odd}))


@pytest.mark.parametrize("exec_type", ["Trade", "Funding"])
@pytest.mark.parametrize("odd", [-(10**17), "1000000"])
def test_a_cost_above_what_it_is_charged_on_is_refused(exec_type, odd):
    with pytest.raises(BadDataError, match=r"execution: .* at most .* execFee"):
        execution_of(Row("execution", EXECUTION | {"execType": exec_type, "execFee": odd}))


@pytest.mark.parametrize(
    "odd", [{"execQty": "-0.5"}, {"execFee": "1000000"}, {"execFee": None}, {"execPrice": []}]
)
def test_a_kind_of_execution_that_nobody_knows_keeps_no_other_from_being_read(odd):
    found = execution_of(Row("execution", EXECUTION | {"execType": "Settle"} | odd))

    assert not found.is_known_type


def test_the_stream_s_name_of_the_entry_price_is_read_too():
    raw = {k: v for k, v in POSITION.items() if k != "avgPrice"} | {"entryPrice": "39000"}

    found = position_of(Row("position", raw), 1)

    assert (found.side, found.avg_entry_price) == (Side.BUY, Decimal(39000))


@pytest.mark.parametrize("ips", [["*"], [], None, "*"])
def test_a_key_without_a_binding_has_no_addresses(ips):
    raw = {"readOnly": 0, "permissions": {"Wallet": ["Withdraw"]}, "ips": ips}

    found = api_key_info(raw)

    assert found.ips == ()
    assert found.can_withdraw
    assert not found.can_trade


def test_permissions_that_cannot_be_read_are_bad_data_and_not_harmless():
    with pytest.raises(BadDataError, match="Wallet"):
        api_key_info({"readOnly": 0, "permissions": {}})


@pytest.mark.parametrize("asset", ["BTC", "1000PEPE"])
def test_an_asset_and_its_symbol_name_each_other(asset):
    assert asset_of(symbol_of(asset)) == asset


def test_a_candle_length_that_the_venue_lacks_is_an_error():
    assert interval_of(300_000) == "5"
    with pytest.raises(ValueError, match="420000"):
        interval_of(420_000)
