"""What goes wrong at an exchange, and what the whole system makes of it.

Each test lets one thing go wrong, waits until it has happened, and then demands what must always
be true: the books are the exchange's within one period of reconciling, no order was sent twice, no
position stood without its stop for longer than its limit, no actor was given up. Tests of one class
share a running system, which has to live on from fault to fault.

    what                                          where
    requests: answers lost, late, unreadable,     TestOrders (the orders themselves),
    HTTP 502, 403, 429, retCode 10000, 10002,     TestReads (everything else)
    10006, 10016; lost and refused requests
    orders: filled in part and canceled,          TestOrders
    rejected late, matched late; history that
    lags, a present that forgets
    streams: cut, half-open, mute; closes lost,   TestStreams
    messages twice and in disorder
    fields that hold something else than          TestOddData
    they should, in messages and answers
    the exchange: down for minutes, refused       TestOutages
    connections, its clock ahead and behind
    people and forces: funding, liquidation,      TestPositions
    ADL, a price gap through the stop; stops
    removed, positions opened and closed by hand
"""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from actors.messages import OperatorAsked
from domain.operator.commands import Command, CommandName, OperatorCommand
from tests.system.floor import BUSY_S, RECONCILE_S, SETTINGS, Floor, floor

ORDER = "/v5/order/create"


@pytest.fixture(scope="class")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    # Most faults wait for orders; so short averages bring three times as many.
    strategy = SETTINGS["strategy"] | {"ema_short_period": 2, "ema_long_period": 4}
    with floor(tmp_path_factory.mktemp("run") / "var", changes={"strategy": strategy}) as made:
        made.wait_for_trades(1)
        yield made


def order_fault(kind: str, times: int = 2, **more: object) -> dict[str, object]:
    return {"kind": kind, "path": ORDER, "times": times, **more}


def code(number: int, *, done: bool = False) -> dict[str, object]:
    return order_fault("ret_code", code=number, processed=done)


def status(number: int, *, done: bool = False, **more: object) -> dict[str, object]:
    return order_fault("http_status", status=number, processed=done, **more)


ORDERS = {
    "answer lost after the order was accepted": [order_fault("answer_lost", 3)],
    "answer lost, and silence before": [order_fault("answer_lost", 1, hang_s=6)],
    "answer late": [order_fault("answer_late", seconds=0.5)],
    "answer later than anybody waits": [order_fault("answer_late", 1, seconds=6)],
    "request lost": [order_fault("request_lost", 3)],
    "HTTP 502": [status(502)],
    "HTTP 502 though done": [status(502, done=True)],
    "HTTP 429": [status(429)],
    "HTTP 429 though done": [status(429, done=True)],
    "HTTP 403": [status(403, times=1, retry_after_s=1)],
    "HTTP 403 though done": [status(403, done=True, times=1, retry_after_s=1)],
    "retCode 10000": [code(10000)],
    "retCode 10000 though done": [code(10000, done=True)],
    "retCode 10002": [code(10002)],
    "retCode 10006": [code(10006)],
    "retCode 10016": [code(10016)],
    "retCode 10016 though done": [code(10016, done=True)],
    "unreadable body": [order_fault("unreadable_body", 3)],
    "partial fill then cancel": [{"kind": "partial_fill", "times": 3}],
    "rejected after its acknowledgement": [{"kind": "reject", "times": 2}],
    "matched late": [{"kind": "slow_matching", "times": 2, "seconds": 1.5}],
    "order history lagging, realtime forgetting closed orders, messages lost": [
        {"kind": "history_lag", "seconds": 600},
        {"kind": "forget_closed"},
        order_fault("answer_lost", 2),
        # Its fill may end an order before anybody asks for it; one that never came is asked for.
        order_fault("request_lost", 1),
    ],
}


class TestOrders:
    @pytest.mark.parametrize("trouble", ORDERS, ids=list(ORDERS))
    def test_no_order_is_lost_or_doubled_by(self, here: Floor, trouble: str) -> None:
        here.suffer(*ORDERS[trouble])

        here.wait_until_agreed()
        assert here.broken_promises() == []


READS = {
    "HTTP 502": {"kind": "http_status", "status": 502},
    "HTTP 429": {"kind": "http_status", "status": 429},
    "HTTP 403": {"kind": "http_status", "status": 403, "retry_after_s": 1, "times": 1},
    "retCode 10000": {"kind": "ret_code", "code": 10000},
    "retCode 10002": {"kind": "ret_code", "code": 10002},
    "retCode 10006": {"kind": "ret_code", "code": 10006, "seconds": 300},
    "retCode 10016": {"kind": "ret_code", "code": 10016},
    "unreadable body": {"kind": "unreadable_body"},
    "request lost": {"kind": "request_lost"},
    "answer lost": {"kind": "answer_lost"},
    "answer late": {"kind": "answer_late", "seconds": 0.5},
}


class TestReads:
    @pytest.mark.parametrize("trouble", READS, ids=list(READS))
    def test_nothing_is_forgotten_when_every_answer_is(self, here: Floor, trouble: str) -> None:
        here.suffer({"path": "/v5", "times": 12, **READS[trouble]})

        here.wait_until_agreed()
        assert here.broken_promises() == []


STREAMS = {
    "socket cut": [{"kind": "cut", "times": 3, "after_s": 0.5}],
    "half-open": [{"kind": "half_open"}],
    "socket that pongs but sends no data": [{"kind": "mute", "for_s": 6}],
    "lost confirm candle": [{"kind": "lose_confirm", "times": 6}],
    "duplicated messages": [{"kind": "duplicate", "times": 60}],
    "reordered messages": [{"kind": "reorder", "times": 30}],
    "answers without delay": [{"kind": "instant", "times": 4}, {"kind": "cut"}],
    "handshakes refused": [
        {"kind": "http_status", "path": "/v5/p", "status": 502, "times": 3},
        {"kind": "cut"},
    ],
}


class TestStreams:
    @pytest.mark.parametrize("trouble", STREAMS, ids=list(STREAMS))
    def test_trading_goes_on_after(self, here: Floor, trouble: str) -> None:
        here.suffer(*STREAMS[trouble])

        here.wait_for_trades(1)
        here.wait_until_agreed()
        assert here.broken_promises() == []


class TestOddData:
    def test_a_field_that_holds_something_else_is_refused_counted_and_asked_for_again(
        self, here: Floor
    ) -> None:
        before = refused(here)
        restarts = here.run.restarts()

        here.suffer(
            {"kind": "odd_message", "probability": 0.15, "for_s": 8},
            {"kind": "odd_message", "topic": "execution", "times": 2},
            {"kind": "odd_answer", "path": "/v5", "probability": 0.2, "for_s": 8},
            {"kind": "odd_answer", "times": 2},
            {"kind": "unreadable_message", "times": 2},
        )

        here.wait_until_agreed()
        here.wait_for_trades(1)
        assert here.broken_promises(unprotected_s=BUSY_S) == []
        assert here.run.restarts() == restarts
        assert refused(here) > before


def refused(here: Floor) -> int:
    """Return how much of the exchange's data was refused so far."""
    found = here.connection.market.refused() | here.connection.account.refused()
    return sum(found.values())


class TestOutages:
    @pytest.mark.parametrize("kind", ["refuse", "down"])
    def test_an_exchange_away_for_minutes_is_caught_up_with(self, here: Floor, kind: str) -> None:
        # Its minutes; and longer than any of the system's own pauses.
        here.suffer({"kind": kind, "for_s": 7})

        here.wait_until_agreed()
        here.wait_for_trades(1)
        assert here.broken_promises() == []

    @pytest.mark.parametrize("hours", [2, -2], ids=["ahead", "behind"])
    def test_a_wrong_clock_of_the_exchange_doubles_no_order(self, here: Floor, hours: int) -> None:
        here.suffer({"kind": "clock_offset", "ms": hours * 3_600_000, "for_s": 4})

        here.wait_until_agreed()
        here.wait_for_trades(1)
        ids = [order["orderLinkId"] for order in here.records()["orders"] if order["orderLinkId"]]
        assert len(ids) == len(set(ids))
        assert here.run.given_up() == {}


class TestPositions:
    @pytest.mark.parametrize(
        ("action", "done", "reason"),
        [
            ({"action": "close"}, {"execType": "Trade", "orderLinkId": ""}, "EXTERNAL"),
            ({"action": "liquidate"}, {"execType": "BustTrade"}, "LIQUIDATION"),
            ({"action": "adl", "fraction": "1"}, {"execType": "AdlTrade"}, "EXTERNAL"),
        ],
        ids=["position closed by hand", "liquidation", "ADL"],
    )
    def test_a_position_that_others_end_is_booked_under_its_reason(
        self, here: Floor, action: dict[str, str], done: dict[str, str], reason: str
    ) -> None:
        ended = sum(trade.reason == reason for trade in here.trades())
        before = here.executions(**done)

        here.act_until(lambda: here.executions(**done) > before, **action)

        here.wait(
            lambda: sum(trade.reason == reason for trade in here.trades()) > ended,
            f"a trade that ended by {reason}",
        )
        here.wait_until_agreed()
        assert here.broken_promises() == []

    @pytest.mark.parametrize(
        ("action", "exec_type"),
        [({"action": "funding"}, "Funding"), ({"action": "adl", "fraction": "0.5"}, "AdlTrade")],
        ids=["execution of type Funding", "ADL of a half"],
    )
    def test_what_leaves_a_position_open_is_booked(
        self, here: Floor, action: dict[str, str], exec_type: str
    ) -> None:
        before = here.executions(execType=exec_type)

        here.act_until(lambda: here.executions(execType=exec_type) > before, **action)

        here.wait_until_agreed()
        here.wait_for_trades(1)
        assert here.broken_promises() == []

    def test_a_price_gap_through_the_stop_is_a_stopped_trade(self, here: Floor) -> None:
        stopped = sum(trade.reason == "STOP_LOSS" for trade in here.trades())

        def gap() -> bool:
            for symbol in here.held():
                here.fault(kind="price_gap", symbol=symbol, fraction="0.04")
            return sum(trade.reason == "STOP_LOSS" for trade in here.trades()) > stopped

        here.wait(gap, "a trade that ended by its stop")
        here.wait_until_agreed()
        assert here.broken_promises() == []

    def test_a_stop_that_somebody_removes_stands_again(self, here: Floor) -> None:
        def unprotected() -> int:
            return sum(
                record["stop_loss"] is None and record["signed_qty"] not in {"0", "0.0"}
                for record in here.records()["stops"]
            )

        before = unprotected()
        here.act_until(lambda: unprotected() > before, action="remove_stops")

        here.wait_until_agreed()
        # The account's stream tells of it at once.
        assert here.broken_promises(unprotected_s=RECONCILE_S + BUSY_S) == []

    def test_a_position_opened_by_hand_gets_a_stop_and_is_left_alone(self, here: Floor) -> None:
        # So that the position is the hand's alone: else a short of ours may be there first.
        tell_operator(here, CommandName.PAUSE)
        here.wait_until_agreed()
        here.wait(lambda: "SOLUSDT" not in here.held(), "SOL is flat")

        here.position(symbol="SOLUSDT", action="open", qty="1", side="Buy")
        here.wait_until_agreed()
        here.wait_for_trades(2)

        # Its own stop may have closed it meanwhile; no order of ours may.
        closes = [
            order["orderLinkId"]
            for order in here.records()["orders"]
            if order["symbol"] == "SOLUSDT" and order["side"] == "Sell" and order["orderLinkId"]
        ]
        assert [order_id for order_id in closes if "-entry-" not in order_id] == []
        stops = [
            record["stop_loss"]
            for record in here.records()["stops"]
            if record["symbol"] == "SOLUSDT" and Decimal(record["signed_qty"]) == 1
        ]
        assert any(stop is not None for stop in stops)
        here.position(symbol="SOLUSDT", action="close")
        here.wait_until_agreed()
        tell_operator(here, CommandName.RESUME)
        assert here.broken_promises(unprotected_s=RECONCILE_S + BUSY_S) == []


def tell_operator(here: Floor, name: CommandName) -> None:
    """Let the operator pause SOL, or end that."""
    message = OperatorAsked(command=Command(name=name, argument="SOL"), operator="test")
    answer = here.run.system.address("portfolio").ask(message, sender="test", timeout_s=30)
    assert isinstance(answer, OperatorCommand)
    assert answer.is_done
