"""Reads: repeated inside a budget, page by page, and never with another exception."""

import gc
import io
import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr
from dataclasses import replace
from decimal import Decimal

import pytest
from loguru import logger
from pybit.unified_trading import HTTP

from domain.errors import (
    AccessDeniedError,
    BadDataError,
    TradingError,
)
from domain.trading.orders import ExitReason
from domain.trading.positions import ExecutionKind
from infra.net.errors import UnansweredError
from infra.venues.bybit.errors import ReadRefusedError
from infra.venues.bybit.http.client import PATIENCE
from infra.venues.bybit.http.meter import Result
from infra.venues.bybit.limits import Kind
from infra.venues.bybit.shapes.account import MarginMode
from tests.venues.bybit.rest_server import (
    CREATE,
    KEY,
    SECRET,
    START_MS,
    Fault,
    client_of,
    running_server,
    wait_until,
)
from tests.venues.bybit.test_rest_orders import ENTRY, fill, position, row, yes

MINUTES_5 = 300_000
POSITIONS = "/v5/position/list"
EXECUTIONS = "/v5/execution/list"
KLINE = "/v5/market/kline"
FUNDING = "/v5/market/funding/history"
HOUR_MS = 3_600_000
PASSING = [
    Fault(cuts=True),
    Fault(waits=True),
    Fault(status=502),
    Fault(status=404),
    Fault(status=429),
    Fault(body=b"<html>"),
    Fault(raw=b"nonsense\r\n\r\n"),
    *(Fault(code=code) for code in (429, 10000, 10006, 10016, 10002)),
]


@pytest.fixture
def venue():
    with running_server() as server:
        yield server


@pytest.fixture
def rest(venue):
    with client_of(venue) as client:
        yield client


@pytest.mark.parametrize("fault", PASSING, ids=repr)
def test_a_read_is_asked_again_after_a_passing_fault(venue, rest, fault):
    venue.fail(POSITIONS, fault)
    venue.answer(POSITIONS, position())

    assert rest.position("BTCUSDT").qty == Decimal("0.010")
    assert venue.count(POSITIONS) == 2


@pytest.mark.parametrize("fault", [Fault(status=502), Fault(code=10016)], ids=repr)
def test_a_read_gives_up_when_its_budget_is_used_up(venue, rest, fault):
    venue.fail(POSITIONS, *[fault] * 1000)
    began_s = venue.time.now_s

    with pytest.raises(UnansweredError):
        rest.position("BTCUSDT")

    assert venue.time.now_s - began_s < PATIENCE.read_budget_s
    assert 4 < venue.count(POSITIONS) < 20


def test_every_try_is_counted_by_kind_and_result(venue, rest):
    venue.fail(POSITIONS, Fault(status=502), Fault(cuts=True))
    venue.answer(POSITIONS, position())

    rest.position("BTCUSDT")

    stats = rest.stats()
    assert stats.counts[Kind.READ, Result.SILENT] == 2
    assert stats.counts[Kind.READ, Result.OK] == 1
    assert stats.buckets[-1] == sum(stats.counts.values())


def test_pauses_grow_and_are_never_all_the_same(venue, rest):
    venue.fail(POSITIONS, *[Fault(status=502)] * 4)
    venue.answer(POSITIONS, position())

    rest.position("BTCUSDT")

    longest = [0.25, 0.5, 1.0, 2.0]
    assert all(x / 2 <= pause <= x for pause, x in zip(venue.time.slept, longest, strict=True))


def test_a_read_waits_as_long_as_the_venue_asks(venue, rest):
    venue.fail(POSITIONS, Fault(status=429, headers={"Retry-After": "4"}))
    venue.answer(POSITIONS, position())

    rest.position("BTCUSDT")

    assert venue.time.slept == [4.0]


def test_a_rate_limit_is_waited_for_until_its_reset(venue, rest):
    rest.sync_clock()
    headers = {"X-Bapi-Limit-Reset-Timestamp": str(venue.now_ms() + 800)}
    venue.fail(POSITIONS, Fault(code=10006, headers=headers))
    venue.answer(POSITIONS, position())

    rest.position("BTCUSDT")

    assert sum(venue.time.slept) == pytest.approx(0.8, abs=0.01)


def test_a_read_with_a_wrong_time_measures_it_and_is_answered(venue, rest):
    rest.sync_clock()
    venue.skew_ms = -90_000
    venue.answer(POSITIONS, position())

    rest.position("BTCUSDT")

    assert venue.count(POSITIONS) == 2
    assert abs(rest.clock.offset_ms + 90_000) <= 1


def test_the_time_is_measured_again_when_the_measurement_is_old(venue, rest):
    venue.answer(POSITIONS, position())
    rest.position("BTCUSDT")
    measured = venue.count("/v5/market/time")

    rest.position("BTCUSDT")
    unchanged = venue.count("/v5/market/time")
    venue.time.now_s += 301
    rest.position("BTCUSDT")

    assert unchanged == measured
    assert venue.count("/v5/market/time") > measured


@pytest.mark.parametrize(("code", "error"), [(10001, ReadRefusedError), (10003, AccessDeniedError)])
def test_a_definite_refusal_of_a_read_is_not_asked_again(venue, rest, code, error):
    venue.fail(POSITIONS, Fault(code=code))

    with pytest.raises(error):
        rest.position("BTCUSDT")

    assert venue.count(POSITIONS) == 1


def test_a_connection_that_idled_long_is_not_trusted_with_an_order(venue, rest):
    rest.sync_clock()
    session = rest._wire._client(None).client
    closed: list[bool] = []
    session.close = lambda: closed.append(True)

    venue.time.now_s += 14
    rest._wire._client(None)
    fresh = list(closed)
    venue.time.now_s += 16
    rest._wire._client(None)

    assert (fresh, closed) == ([], [True])


def test_each_thread_has_a_connection_of_its_own(venue, rest):
    venue.answer(POSITIONS, position())
    both = threading.Barrier(2)

    def ask(_):
        both.wait(5)
        return rest.position("BTCUSDT").qty, id(rest._wire._client(None))

    with ThreadPoolExecutor(2) as pool:
        (qty, one), (_, other) = pool.map(ask, range(2))

    assert qty == Decimal("0.010")
    assert one != other


def test_a_hanging_read_of_one_thread_does_not_hold_up_another_one_s_close(venue):
    patience = replace(PATIENCE, answer_s=5.0)
    venue.fail(POSITIONS, Fault(waits=True))
    with client_of(venue, patience=patience) as rest, ThreadPoolExecutor(1) as pool:
        rest.sync_clock()
        hanging = pool.submit(rest.position, "BTCUSDT")
        wait_until(lambda: venue.count(POSITIONS) == 1)

        rest.place_order(ENTRY, yes)

        assert not hanging.done()
        venue.answer(POSITIONS, position())
        venue.over.set()
        hanging.result(5)


# Candles.


def candle(open_time_ms: int, close: str = "41000") -> list[str]:
    return [str(open_time_ms), "41000", "41500", "40500", close, "12.5", "512500"]


def test_candles_come_page_by_page_oldest_first_and_without_the_open_one(venue, rest):
    first_ms = START_MS // MINUTES_5 * MINUTES_5
    last_ms = venue.now_ms() // MINUTES_5 * MINUTES_5
    opens = [last_ms - i * MINUTES_5 for i in range(2500)]

    def page(query):
        low, high = int(query["start"]), int(query["end"])
        inside = [candle(t) for t in opens if low <= t <= high]
        return {"symbol": "BTCUSDT", "list": inside[: int(query["limit"])]}

    venue.results[KLINE] = page
    found = rest.kline("BTCUSDT", opens[-1], last_ms, candle_ms=MINUTES_5)

    assert [c.open_time_ms for c in found] == opens[:0:-1]
    assert venue.count(KLINE) == 3
    assert first_ms < last_ms


def test_a_candle_that_closes_at_this_very_moment_is_closed(venue, rest):
    venue.time.now_s = 1000.0
    closed_ms = venue.now_ms() - MINUTES_5
    closed_ms -= closed_ms % MINUTES_5
    venue.time.now_s += (closed_ms + MINUTES_5 - venue.now_ms()) / 1000
    venue.answer(KLINE, {"list": [candle(closed_ms)]}, {"list": []})

    found = rest.kline("BTCUSDT", closed_ms, closed_ms, candle_ms=MINUTES_5)

    assert [c.open_time_ms for c in found] == [closed_ms]


def test_an_answer_outside_of_what_was_asked_ends_the_paging(venue, rest):
    venue.answer(KLINE, {"list": [candle(3 * MINUTES_5)]})

    assert rest.kline("BTCUSDT", 5 * MINUTES_5, 9 * MINUTES_5, candle_ms=MINUTES_5) == ()
    assert venue.count(KLINE) == 1


@pytest.mark.parametrize(
    "bad",
    [candle(MINUTES_5, "41501"), candle(MINUTES_5 + 1), candle(MINUTES_5)[:5], [], "x", None],
    ids=repr,
)
def test_a_candle_that_contradicts_itself_is_bad_data(venue, rest, bad):
    venue.answer(KLINE, {"list": [bad]})

    with pytest.raises(BadDataError):
        rest.kline("BTCUSDT", 0, 9 * MINUTES_5, candle_ms=MINUTES_5)


def settlement(time_ms: int) -> dict[str, object]:
    return {
        "symbol": "BTCUSDT",
        "fundingRate": "-0.00012345",
        "fundingRateTimestamp": str(time_ms),
    }


def test_funding_comes_page_by_page_oldest_first(venue, rest):
    times = [i * 8 * HOUR_MS for i in range(1, 451)]

    def page(query):
        low, high = int(query["startTime"]), int(query["endTime"])
        inside = [settlement(t) for t in reversed(times) if low <= t <= high]
        return {"category": "linear", "list": inside[: int(query["limit"])]}

    venue.results[FUNDING] = page
    found = rest.funding_rates("BTCUSDT", times[1], times[-1] + 5)

    assert list(found) == times[1:]
    assert set(found.values()) == {Decimal("-0.00012345")}
    assert venue.count(FUNDING) == 3


@pytest.mark.parametrize(
    "bad",
    [
        {**settlement(HOUR_MS), "symbol": "ETHUSDT"},
        {**settlement(HOUR_MS), "fundingRate": ""},
        {**settlement(HOUR_MS), "fundingRateTimestamp": "now"},
        "x",
    ],
    ids=repr,
)
def test_funding_that_cannot_be_read_is_bad_data(venue, rest, bad):
    venue.answer(FUNDING, {"list": [bad]})

    with pytest.raises(BadDataError):
        rest.funding_rates("BTCUSDT", 0, 9 * HOUR_MS)


# Executions, orders, positions, wallet.


def test_executions_of_all_pages_and_weeks_come_oldest_first_and_once(venue, rest):
    week_ms = 7 * 86_400_000
    pages = {
        "": {"list": [fill("1", "0", "c"), fill("1", "0", "b")], "nextPageCursor": "a%3A1,2&x"},
        "a:1,2&x": {"list": [fill("1", "0", "b"), fill("1", "0", "a")], "nextPageCursor": "z"},
        "z": {"list": [], "nextPageCursor": "z"},
    }
    for age, name in enumerate("cba"):
        for page in pages.values():
            for item in page["list"]:
                if item["execId"] == name:
                    item["execTime"] = str(START_MS - age)
    venue.results[EXECUTIONS] = lambda query: pages[query.get("cursor", "")]

    found = rest.executions("BTCUSDT", START_MS - week_ms - 5, START_MS)

    assert [item.execution.exec_id for item in found.items] == ["a", "b", "c"]
    windows = {(int(r.query["startTime"]), int(r.query["endTime"])) for r in venue.requests[3:]}
    assert sorted(windows) == [
        (START_MS - week_ms - 5, START_MS - 6),
        (START_MS - 5, START_MS),
    ]


@pytest.mark.parametrize(
    ("exec_type", "kind", "reason"),
    [
        ("Trade", ExecutionKind.TRADE, None),
        ("AdlTrade", ExecutionKind.TRADE, ExitReason.EXTERNAL),
        ("BustTrade", ExecutionKind.TRADE, ExitReason.LIQUIDATION),
        ("Funding", ExecutionKind.FUNDING, None),
    ],
)
def test_only_trades_move_quantity(venue, rest, exec_type, kind, reason):
    venue.answer(EXECUTIONS, {"list": [fill("1", "0") | {"execType": exec_type}]}, {"list": []})

    found = rest.executions("BTCUSDT", START_MS)

    execution = found.executions[0]
    assert (execution.kind, execution.reason) == (kind, reason)
    is_trade = kind is ExecutionKind.TRADE
    assert execution.fee == (Decimal("0.2") if is_trade else 0)
    assert execution.funding == (0 if is_trade else Decimal("-0.2"))
    assert rest.refused() == {}


@pytest.mark.parametrize("exec_type", ["Settle", "SomethingNew", "trade"])
def test_a_kind_that_we_do_not_know_is_counted_and_not_booked(venue, rest, exec_type):
    venue.answer(EXECUTIONS, {"list": [fill("1", "0") | {"execType": exec_type}]}, {"list": []})

    found = rest.executions("BTCUSDT", START_MS)

    assert found.executions == ()
    assert rest.refused() == {"execution of another kind": 1}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"stopOrderType": "StopLoss"}, ExitReason.STOP_LOSS),
        ({"stopOrderType": "TakeProfit"}, ExitReason.TAKE_PROFIT),
        ({"stopOrderType": "UNKNOWN", "createType": "CreateByLiq"}, ExitReason.LIQUIDATION),
        ({"stopOrderType": "", "createType": "CreateByUser"}, None),
        ({"orderLinkId": "", "closedSize": "1"}, ExitReason.EXTERNAL),
    ],
)
def test_an_execution_names_why_the_venue_acted(venue, rest, words, reason):
    venue.answer(EXECUTIONS, {"list": [fill("1", "0") | words]}, {"list": []})

    assert rest.executions("BTCUSDT", START_MS).executions[0].reason is reason


def test_open_orders_include_the_stops_and_each_order_once(venue, rest):
    stop = row("Untriggered", name="") | {"orderId": "2", "stopOrderType": "StopLoss"}
    stop |= {"triggerPrice": "43000"}
    rows = {None: [row("New"), row("New")], "StopOrder": [stop, row("New")]}
    venue.results["/v5/order/realtime"] = lambda query: {"list": rows[query.get("orderFilter")]}

    found = rest.open_orders("BTCUSDT")

    assert sorted(order.venue_order_id for order in found) == ["1", "2"]
    assert [o.trigger_price for o in found if o.stop_order_type == "StopLoss"] == [Decimal(43000)]


def test_a_flat_position_has_no_side_and_no_stops(venue, rest):
    flat = position(size="0", side="", avgPrice="0", stopLoss="0.00", takeProfit="", liqPrice="")
    venue.answer(POSITIONS, flat)

    found = rest.position("BTCUSDT")

    assert found.is_flat
    assert (found.side, found.avg_entry_price, found.stops) == (None, None, None)
    assert found.ts_ms == venue.now_ms()


def test_hedge_mode_is_not_taken_for_a_position(venue, rest):
    rows = position(positionIdx=1)["list"] + position(positionIdx=2, size="0")["list"]
    venue.answer(POSITIONS, {"list": rows})

    with pytest.raises(BadDataError, match="positionIdx"):
        rest.position("BTCUSDT")
    assert len(rest.positions("BTCUSDT")) == 2


def wallet(account: dict, coin: dict) -> dict:
    return {"list": [account | {"coin": [{"coin": "USDT", "walletBalance": "1000"} | coin]}]}


@pytest.mark.parametrize(
    ("account", "coin", "equity", "available"),
    [
        ({"totalEquity": "9", "totalAvailableBalance": "70"}, {"equity": "990"}, "990", "70"),
        ({"totalAvailableBalance": "70"}, {"equity": "", "unrealisedPnl": "-10"}, "990", "70"),
        ({"totalEquity": "995"}, {"equity": "", "totalPositionIM": "100"}, "995", "900"),
        ({"totalEquity": "9"}, {"equity": "1", "locked": "5", "bonus": "1"}, "1", "994"),
    ],
)
def test_equity_and_available_fall_back(venue, rest, account, coin, equity, available):
    venue.answer("/v5/account/wallet-balance", wallet(account, coin))

    found = rest.wallet()

    assert found.balance == 1000
    assert (found.equity, found.available) == (Decimal(equity), Decimal(available))


def test_under_isolated_margin_the_account_wide_figure_is_not_used(venue, rest):
    answer = wallet({"totalAvailableBalance": "0"}, {"equity": "1", "totalOrderIM": "50"})
    venue.answer("/v5/account/wallet-balance", answer)

    assert rest.wallet(MarginMode.ISOLATED).available == 950


@pytest.mark.parametrize("result", [{"list": []}, {"list": [{"coin": []}]}, {}, None, []], ids=repr)
def test_a_wallet_without_usdt_is_bad_data_and_not_the_loss_of_everything(venue, rest, result):
    venue.answer("/v5/account/wallet-balance", result)

    with pytest.raises(BadDataError):
        rest.wallet()


def test_fees_are_read_and_demo_trading_has_none(venue, rest):
    fees = {"list": [{"symbol": "BTCUSDT", "takerFeeRate": "0.00055", "makerFeeRate": "0.0002"}]}
    venue.answer("/v5/account/fee-rate", fees)

    assert rest.fee_rate("BTCUSDT").taker == Decimal("0.00055")
    with client_of(venue, is_demo=True) as demo:
        assert demo.fee_rate("BTCUSDT") is None


def test_transfers_are_what_neither_trades_nor_funding_of_ours_explain(venue, rest):
    logged = [
        ("TRADE", "-1", "BTCUSDT", "linear"),
        ("TRANSFER_OUT", "-50", "", ""),
        ("SETTLEMENT", "2", "BTCUSDT", "linear"),
        ("TRADE", "-3", "DOGEUSDT", "linear"),
        ("TRADE", "-4", "BTCUSDT", "spot"),
        ("TRANSFER_IN", "100", "", ""),
    ]
    rows = [
        {"id": "1", "tradeId": f"t{i}", "type": kind, "transactionTime": str(START_MS - i)}
        | {"change": change, "symbol": symbol, "category": category, "currency": "USDT"}
        for i, (kind, change, symbol, category) in enumerate(logged)
    ]
    venue.answer("/v5/account/transaction-log", {"list": rows}, {"list": []})

    found = rest.transfers({"BTCUSDT"}, START_MS)

    assert [(t.kind, t.amount) for t in found] == [
        ("TRANSFER_IN", Decimal(100)),
        ("FOREIGN TRADE spot BTCUSDT", Decimal(-4)),
        ("FOREIGN TRADE linear DOGEUSDT", Decimal(-3)),
        ("TRANSFER_OUT", Decimal(-50)),
    ]


def test_a_symbol_that_is_not_listed_is_named(rest):
    with pytest.raises(BadDataError, match="NOUSDT"):
        rest.instruments(["NOUSDT"])


# Secrets.


def test_no_key_reaches_an_error_a_repr_or_a_log(venue):
    seen, records = io.StringIO(), []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())
    sink = logger.add(seen, level=0, diagnose=True, backtrace=True)
    logging.root.addHandler(handler)
    logging.root.setLevel(0)
    try:
        with client_of(venue) as rest:
            seen.write(repr(rest) + repr(rest._wire._client(None)) + repr(vars(rest._wire)))
            faults = [Fault(cuts=True), Fault(status=502), Fault(body=b"x"), Fault(code=10016)]
            faults += [Fault(code=10004, text=f"origin_string[170{KEY}5000{SECRET}]")]
            faults += [Fault(code=10001, text=f"{KEY}")]
            for fault in faults:
                venue.fail(CREATE, fault)
                venue.fail(POSITIONS, *[fault] * 20)
                for call in (lambda: rest.place_order(ENTRY, yes), lambda: rest.position("B")):
                    try:
                        call()
                    except TradingError as error:
                        seen.write(str(error) + repr(vars(error)))
                        logger.exception("seen")
                venue.orders.clear()
                venue.faults.clear()
    finally:
        logger.remove(sink)
        logging.root.removeHandler(handler)
        logging.root.setLevel(logging.WARNING)

    text = seen.getvalue() + "".join(map(str, records))
    assert "10004" in text
    assert "***" in text
    assert KEY not in text
    assert SECRET not in text
    assert venue.requests[-1].headers["x-bapi-sign"] not in text


def test_the_exceptions_of_the_libraries_are_not_chained(venue, rest):
    venue.fail(CREATE, Fault(cuts=True))

    with pytest.raises(TradingError) as caught:
        rest.place_order(ENTRY, yes)

    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_pybit_leaves_no_log_handler_behind(venue, monkeypatch):
    monkeypatch.setattr(logging.root, "handlers", [])
    before = list(logging.getLogger("pybit._http_manager").handlers)

    with redirect_stderr(io.StringIO()) as printed, client_of(venue) as rest:
        rest.sync_clock()

    assert logging.getLogger("pybit._http_manager").handlers == before
    assert printed.getvalue() == ""


def test_other_pybit_clients_keep_their_own_time(venue, rest):
    venue.skew_ms = 3_600_000
    rest.sync_clock()
    other = HTTP(api_key="k", api_secret="s")

    stamp = int(other._prepare_headers("", 5000)["X-BAPI-TIMESTAMP"])

    other.client.close()
    assert abs(stamp - rest.clock.now_ms()) > 3_000_000


def test_a_cursor_is_signed_as_it_goes_over_the_wire(venue, rest):
    cursors = ["a%3a1%2c2", "b%2Db~_.", "c=d&e#f g", "ü/?"]
    waiting = iter([*cursors, ""])
    venue.results[EXECUTIONS] = lambda _: {
        "list": [fill("1", "0")],
        "nextPageCursor": next(waiting),
    }

    found = rest.executions("BTCUSDT", START_MS, START_MS)

    assert len(found.items) == 1
    assert venue.count(EXECUTIONS) == 5


def test_a_client_dropped_with_its_thread_leaves_no_open_socket(rest):
    thread = threading.Thread(target=rest.server_time)

    thread.start()
    thread.join()
    gc.collect()

    assert len(rest._wire._sessions) == 0


def test_the_docs_own_examples_are_read(venue, rest, shared_data):
    docs = shared_data / "bybit-fixtures" / "bybit-docs"

    def example(name):
        return json.loads((docs / f"{name}.json").read_text(encoding="utf-8"))["result"]

    venue.answer("/v5/market/instruments-info", example("instruments-info"))
    venue.answer("/v5/account/info", example("account-info"))
    venue.answer("/v5/user/query-api", example("query-api"))

    listing = rest.instruments(["BTCUSDT"])["BTCUSDT"]
    key = rest.api_key_info()

    assert listing.instrument.tick_size == Decimal("0.10")
    assert listing.instrument.max_market_order_qty == 500
    assert (listing.max_leverage, listing.funding_interval_ms) == (100, 8 * 3_600_000)
    assert rest.account_info().margin_mode is MarginMode.CROSS
    assert (key.is_read_only, key.can_trade, key.can_withdraw) == (True, True, False)
    assert len(key.ips) == 3
