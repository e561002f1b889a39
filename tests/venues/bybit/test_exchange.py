"""What the account's stream tells reaches the asset's listener as news, or as a doubt."""

import threading
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal

import pytest

from domain.errors import OrderRefusedError, OutcomeUnknownError, UnavailableError
from domain.market.instruments import Side
from domain.trading.orders import OrderRequest, OrderStatus, OrderUpdate
from infra.venues.bybit.credentials import Credentials
from infra.venues.bybit.exchange import BybitExchange
from infra.venues.bybit.http.client import Patience
from infra.venues.bybit.shapes.executions import Executions, execution_of
from infra.venues.bybit.shapes.market import Ticker
from infra.venues.bybit.shapes.positions import position_of
from infra.venues.bybit.shapes.row import Row
from tests.venues.bybit.rest_server import (
    CREATE,
    KEY,
    SECRET,
    START_MS,
    FakeTime,
    Fault,
    client_of,
    running_server,
    wait_until,
)


class Market:
    """A market in which no price moves."""

    def tickers(self, _symbol, _on_ticker):
        return self

    def close(self):
        """Hold nothing."""


class Rest:
    """An account that says one thing."""

    def __init__(self, found):
        self.executions = lambda _symbol, _since_ms: found


class Listener:
    def __init__(self):
        self.doubts = []

    def on_doubt(self, why):
        self.doubts.append(why)


ENTRY = OrderRequest(
    client_order_id="BTC-1700000100-entry-1",
    asset="BTC",
    side=Side.SELL,
    qty=Decimal("0.010"),
    reduce_only=False,
    stop_loss=Decimal(43000),
    take_profit=Decimal(38000),
)
CLOSE = replace(
    ENTRY,
    client_order_id="BTC-1700000400-exit-1",
    side=Side.BUY,
    reduce_only=True,
    stop_loss=None,
    take_profit=None,
)


ROW = {"symbol": "BTCUSDT", "side": "Sell", "size": "0.1", "avgPrice": "100", "markPrice": "100"}


def test_each_last_price_is_told_and_a_mark_price_now_and_then():
    told, listener, listened = [], Listener(), []
    listener.on_price = lambda ts_ms, price: told.append(("last", ts_ms, price))
    listener.on_mark_price = lambda ts_ms, price: told.append(("mark", ts_ms, price))
    market = Market()
    market.tickers = lambda _symbol, on_ticker: listened.append(on_ticker)
    exchange = BybitExchange(Rest(None), market, symbols={"BTC": "BTCUSDT"}, now_ms=lambda: 0)
    exchange.subscribe("BTC", listener)

    for ts_ms, price in ((1, 100), (2, 101)):
        listened[0](
            Ticker(
                symbol="BTCUSDT",
                last_price=Decimal(price),
                mark_price=Decimal(price - 1),
                ts_ms=ts_ms,
            )
        )

    assert told == [("last", 1, 100), ("mark", 1, 99), ("last", 2, 101)]


@pytest.mark.parametrize(
    ("changes", "doubts"),
    [
        ({"stopLoss": "101.5"}, 0),
        ({"stopLoss": ""}, 1),
        ({"stopLoss": "0"}, 1),
        ({"side": "", "size": "0"}, 0),
    ],
)
def test_a_position_without_a_stop_is_seen_to_at_once(changes, doubts):
    exchange = BybitExchange(None, Market(), symbols={"BTC": "BTCUSDT"}, now_ms=lambda: 1)
    listener = Listener()
    exchange.subscribe("BTC", listener)

    exchange.on_position("BTC", position_of(Row("position", ROW | {"positionIdx": 0} | changes), 1))
    exchange.on_position("ETH", position_of(Row("position", ROW | {"positionIdx": 0}), 1))

    assert len(listener.doubts) == doubts


def test_an_execution_of_a_kind_that_we_do_not_know_is_not_booked_as_another():
    row = {"symbol": "BTCUSDT", "execId": "1", "execTime": "1700000000000", "side": "Sell"}
    row |= {"execQty": "0.1", "execPrice": "40000", "execFee": "0.01", "orderLinkId": ""}
    kinds = ("Trade", "Funding", "Trad")
    items = [execution_of(Row("it", row | {"execId": kind, "execType": kind})) for kind in kinds]
    rest = Rest(Executions(items=tuple(items)))
    exchange = BybitExchange(rest, None, symbols={"BTC": "BTCUSDT"}, now_ms=lambda: 1)

    found = exchange.executions("BTC", 0)

    assert [execution.exec_id for execution in found] == ["Trade", "Funding"]


def test_news_that_nobody_could_read_are_asked_for_at_once():
    exchange = BybitExchange(None, Market(), symbols={"BTC": "BTCUSDT"}, now_ms=lambda: 1)
    listener = Listener()
    exchange.subscribe("BTC", listener)

    exchange.on_unreadable("execution")

    assert len(listener.doubts) == 1


def test_an_asset_with_a_key_of_its_own_signs_by_it_and_shares_all_else():
    with running_server() as venue, client_of(venue) as rest:
        own = rest.beside(Credentials(api_key="key-of-btc", api_secret=SECRET))
        exchange = BybitExchange(
            rest,
            Market(),
            symbols={"BTC": "BTCUSDT", "ETH": "ETHUSDT"},
            rests={"BTC": own},
            now_ms=lambda: START_MS,
        )
        exchange.on_connected(0.0)

        for asset in ("BTC", "ETH"):
            sent = replace(ENTRY, asset=asset, client_order_id=f"{asset}-1700000100-entry-1")
            exchange.submit(sent, lambda: True)
            exchange.open_orders(asset)

        private = [request for request in venue.requests if request.is_private]
        signed = {(r.method, r.query["symbol"], r.headers["x-bapi-api-key"]) for r in private}
        assert signed == {
            (method, symbol, key)
            for method in ("POST", "GET")
            for symbol, key in (("BTCUSDT", "key-of-btc"), ("ETHUSDT", KEY))
        }
        assert rest.stats() == own.stats()


def test_a_key_that_the_venue_repeats_in_news_of_an_order_is_not_passed_on():
    with running_server() as venue, client_of(venue) as rest:
        exchange = BybitExchange(
            rest, Market(), symbols={"BTC": "BTCUSDT"}, now_ms=lambda: START_MS
        )
        listener, told = Listener(), []
        listener.on_order = told.append
        exchange.subscribe("BTC", listener)

        exchange.on_order(
            "BTC",
            OrderUpdate(
                client_order_id=ENTRY.client_order_id,
                status=OrderStatus.REJECTED,
                filled_qty=Decimal(0),
                ts_ms=1,
                detail=f"EC_{KEY}, {SECRET}",
            ),
        )

        assert [update.detail for update in told] == ["EC_***, ***"]


def test_nothing_is_opened_while_the_account_s_stream_is_down_and_nothing_is_sent_later():
    with running_server() as venue, client_of(venue) as rest:
        real_time = FakeTime()
        exchange = BybitExchange(
            rest,
            Market(),
            symbols={"BTC": "BTCUSDT"},
            now_ms=lambda: START_MS,
            monotonic_s=real_time.monotonic_s,
        )
        listener = Listener()
        exchange.subscribe("BTC", listener)

        def is_refused():
            with pytest.raises(OrderRefusedError, match="stream is down"):
                exchange.submit(ENTRY, lambda: True)

        is_refused()  # the stream has not logged in yet
        exchange.on_connected(0.0)
        exchange.on_lost("no answer to a ping")
        real_time.sleep(11)
        is_refused()
        assert exchange.submit(CLOSE, lambda: True).status is OrderStatus.ACCEPTED
        exchange.on_connected(11.0)

        assert len(listener.doubts) == 2  # what was missed is asked; what was refused is not sent
        assert [r.query["orderLinkId"] for r in venue.requests if r.path == CREATE] == [
            CLOSE.client_order_id
        ]
        exchange.on_lost("a short cut")
        real_time.sleep(9)
        assert exchange.submit(ENTRY, lambda: True).status is OrderStatus.ACCEPTED


@pytest.mark.parametrize("second_answer", [(), (Fault(waits=True),)], ids=["accepted", "hanging"])
def test_an_order_that_is_sent_again_is_not_absent_by_the_proof_of_its_first_send(second_answer):
    with running_server() as venue, client_of(venue, patience=Patience()) as rest:
        symbols = {"BTC": "BTCUSDT"}
        exchange = BybitExchange(rest, Market(), symbols=symbols, now_ms=venue.now_ms)

        def look_up():
            return exchange.order("BTC", CLOSE.client_order_id)

        def send_again():
            with suppress(OutcomeUnknownError):
                exchange.submit(CLOSE, lambda: True)

        venue.fail(CREATE, Fault(accepts=False, cuts=True), *second_answer)
        with pytest.raises(OutcomeUnknownError):
            exchange.submit(CLOSE, lambda: True)
        venue.time.sleep(6)
        with pytest.raises(UnavailableError, match="proves nothing yet"):
            look_up()
        assert look_up() is None

        sending = threading.Thread(target=send_again)
        sending.start()
        if second_answer:
            wait_until(lambda: venue.accepted == 1)
        else:
            sending.join()
        with pytest.raises(UnavailableError, match="proves nothing yet"):
            look_up()  # the venue's lists lag behind what it accepted
        venue.over.set()
        sending.join()


def test_positions_of_symbols_that_are_not_traded_here_are_strays():
    with running_server() as venue, client_of(venue) as rest:
        row = ROW | {"positionIdx": 0, "leverage": "10", "stopLoss": ""}
        venue.answer(
            "/v5/position/list",
            {
                "list": [
                    row,
                    row | {"symbol": "DOGEUSDT", "size": "7", "stopLoss": "101"},
                    row | {"symbol": "XRPUSDT", "side": "Buy"},
                    row | {"symbol": "SOLUSDT", "side": "", "size": "0"},
                ]
            },
        )
        exchange = BybitExchange(
            rest, Market(), symbols={"BTC": "BTCUSDT"}, now_ms=lambda: START_MS
        )

        unmanaged_positions = exchange.unmanaged_positions()

    assert [(s.symbol, s.signed_qty, s.stop_loss) for s in unmanaged_positions] == [
        ("DOGEUSDT", Decimal(-7), Decimal(101)),
        ("XRPUSDT", Decimal("0.1"), None),
    ]
