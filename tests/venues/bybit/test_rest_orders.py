"""Requests that change something: how often they reach the venue, and what came of it."""

import socket
from dataclasses import replace
from decimal import Decimal

import pytest

from domain.errors import (
    AccessDeniedError,
    BadDataError,
    FencedError,
    OrderNotProcessedError,
    OrderRefusedError,
    OutcomeUnknownError,
    StopPassedError,
    UnavailableError,
)
from domain.market.instruments import Side
from domain.trading.orders import OrderRequest, OrderStatus
from domain.trading.sizing import ProtectiveLevels
from infra.net.errors import UnansweredError
from infra.net.server_clock import ServerClock
from infra.venues.bybit.errors import (
    AlreadyAcceptedError,
    NeverSentError,
    RefusedError,
    UnknownOutcomeError,
)
from infra.venues.bybit.exchange import BybitExchange
from infra.venues.bybit.http.client import PATIENCE
from infra.venues.bybit.limits import Kind
from tests.venues.bybit.rest_server import CREATE, START_MS, Fault, client_of, running_server

ENTRY = OrderRequest(
    client_order_id="BTC-1700000100-entry-1",
    asset="BTC",
    side=Side.SELL,
    qty=Decimal("0.010"),
    reduce_only=False,
    stop_loss=Decimal("43000.0"),
    take_profit=Decimal("38000.0"),
)
CLOSE = OrderRequest(
    client_order_id="BTC-1700000400-exit-1",
    asset="BTC",
    side=Side.BUY,
    qty=Decimal("1E-2"),
    reduce_only=True,
)
LEVELS = ProtectiveLevels(stop_loss=Decimal(43000), take_profit=Decimal(38000))
STOP = "/v5/position/trading-stop"
POSITIONS = "/v5/position/list"
NO_ANSWER_WE_READ = [
    Fault(waits=True),
    Fault(cuts=True),
    Fault(body=b"<html>"),
    Fault(body=b"[1, 2]"),
    Fault(body=b'{"retCode": "0"}'),
    Fault(body=b"[" * 100_000),
    Fault(body=b"\xff\xfe\xfd"),
    Fault(raw=b"\x00\x01 no http\r\n\r\n"),
    Fault(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nabc"),
    Fault(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"),
    Fault(raw=b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"),
    Fault(status=302, headers={"Location": CREATE}),
    Fault(status=307, headers={"Location": CREATE}),
    Fault(status=307, headers={"Location": "http://["}),
    *(Fault(status=status) for status in (400, 403, 404, 409, 429, 500, 502)),
    *(Fault(code=code) for code in (429, 10000, 10014, 10016, 110079, 99999, -7)),
]


@pytest.fixture
def venue():
    with running_server() as server:
        yield server


@pytest.fixture
def rest(venue):
    with client_of(venue) as client:
        yield client


def yes() -> bool:
    return True


def position(**changed: object) -> dict[str, object]:
    row = {"symbol": "BTCUSDT", "side": "Sell", "size": "0.010", "avgPrice": "41000.5"}
    row |= {"markPrice": "41010", "positionIdx": 0, "leverage": "10", "liqPrice": ""}
    row |= {"stopLoss": "43000.0", "takeProfit": "38000.00", "updatedTime": str(START_MS)}
    return {"list": [row | changed], "nextPageCursor": "x"}


def test_an_entry_carries_both_stops_for_the_whole_position_and_plain_numbers(venue, rest):
    venue_order_id = rest.place_order(ENTRY, yes)

    assert venue_order_id == "venue-BTC-1700000100-entry-1"
    assert venue.last(CREATE) == {
        "category": "linear",
        "symbol": "BTCUSDT",
        "side": "Sell",
        "orderType": "Market",
        "qty": "0.010",
        "positionIdx": 0,
        "orderLinkId": "BTC-1700000100-entry-1",
        "reduceOnly": False,
        "stopLoss": "43000.0",
        "slTriggerBy": "LastPrice",
        "slOrderType": "Market",
        "takeProfit": "38000.0",
        "tpTriggerBy": "LastPrice",
        "tpOrderType": "Market",
        "tpslMode": "Full",
    }


def test_what_a_fast_venue_may_accept_late_proves_nothing_until_then(venue):
    clock = ServerClock(
        monotonic_s=venue.time.monotonic_s, wall_s=lambda: START_MS / 1000, speed=600
    )
    venue.fail(CREATE, NO_ANSWER_WE_READ[0])

    with client_of(venue, clock=clock) as rest, pytest.raises(OutcomeUnknownError) as caught:
        rest.place_order(ENTRY, yes)

    signed_ms = int(venue.requests[-1].headers["x-bapi-timestamp"])
    assert caught.value.dead_after_ms == signed_ms + 600 * 5000


def test_a_close_is_reduce_only_and_carries_no_stops(venue, rest):
    rest.place_order(CLOSE, yes)

    sent = venue.last(CREATE)
    assert sent["reduceOnly"] is True
    assert sent["qty"] == "0.01"
    assert not {"stopLoss", "takeProfit", "tpslMode"} & set(sent)


@pytest.mark.parametrize("fault", NO_ANSWER_WE_READ, ids=repr)
def test_an_order_whose_answer_is_lost_or_ambiguous_is_sent_once_and_unknown(venue, rest, fault):
    venue.fail(CREATE, fault)

    with pytest.raises(OutcomeUnknownError) as caught:
        rest.place_order(ENTRY, yes)

    assert (venue.count(CREATE), venue.accepted) == (1, 1)
    assert not isinstance(caught.value, NeverSentError | AlreadyAcceptedError)
    signed_ms = int(venue.requests[-1].headers["x-bapi-timestamp"])
    assert caught.value.dead_after_ms == signed_ms + 5000


def test_a_success_without_an_order_id_is_unknown(venue, rest):
    venue.answer(CREATE, {})

    with pytest.raises(OutcomeUnknownError, match="orderId"):
        rest.place_order(ENTRY, yes)


def test_a_success_for_another_order_is_unknown(venue, rest):
    venue.answer(CREATE, {"orderId": "1", "orderLinkId": "somebody-elses"})

    with pytest.raises(OutcomeUnknownError, match="somebody-elses"):
        rest.place_order(ENTRY, yes)


def test_the_same_id_sent_again_after_a_lost_answer_was_already_accepted(venue, rest):
    venue.fail(CREATE, Fault(cuts=True))
    with pytest.raises(OutcomeUnknownError):
        rest.place_order(ENTRY, yes)

    with pytest.raises(AlreadyAcceptedError):
        rest.place_order(ENTRY, yes)

    assert (venue.count(CREATE), venue.accepted) == (2, 1)


@pytest.mark.parametrize(
    "code", [10001, 10006, 10017, 10029, 30208, 30228, 110007, 110017, 110092, 110094, 34040]
)
def test_a_definite_refusal_says_code_and_words(venue, rest, code):
    venue.fail(CREATE, Fault(accepts=False, code=code, text="the venue's words"))

    with pytest.raises(RefusedError, match=f"^{code}: the venue's words$") as caught:
        rest.place_order(ENTRY, yes)

    assert isinstance(caught.value, OrderRefusedError)
    assert (caught.value.code, caught.value.text) == (code, "the venue's words")
    assert (venue.count(CREATE), venue.accepted) == (1, 0)


@pytest.mark.parametrize(
    ("code", "is_unread"), [(10002, True), (10006, True), (10001, False), (110017, False)]
)
def test_only_what_the_venue_did_not_look_at_may_be_sent_again(venue, rest, code, is_unread):
    venue.fail(CREATE, Fault(accepts=False, code=code))

    with pytest.raises(RefusedError) as caught:
        rest.place_order(ENTRY, yes)

    assert isinstance(caught.value, OrderNotProcessedError) is is_unread


@pytest.mark.parametrize("code", [10003, 10005, 10010, 10024, 10027, 10028, 33004])
def test_trouble_with_the_key_or_the_account_is_access_denied(venue, rest, code):
    venue.fail(CREATE, Fault(accepts=False, code=code))

    with pytest.raises(AccessDeniedError):
        rest.place_order(ENTRY, yes)

    assert venue.count(CREATE) == 1


def test_http_401_is_access_denied(venue, rest):
    venue.fail(CREATE, Fault(accepts=False, status=401))

    with pytest.raises(AccessDeniedError):
        rest.place_order(ENTRY, yes)


def test_a_refused_connection_sends_nothing_and_says_so(venue):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]

    with (
        client_of(venue, base_url=f"http://127.0.0.1:{port}") as rest,
        pytest.raises(NeverSentError) as caught,
    ):
        rest.place_order(ENTRY, yes)

    assert isinstance(caught.value, OutcomeUnknownError)
    assert caught.value.dead_after_ms is None


def test_without_keys_nothing_private_is_sent(venue):
    with client_of(venue, credentials=None) as rest, pytest.raises(AccessDeniedError):
        rest.place_order(ENTRY, yes)

    assert venue.requests == []


def test_a_wrong_time_refuses_the_order_and_the_next_one_is_signed_with_a_new_measurement(
    venue, rest
):
    rest.sync_clock()
    venue.skew_ms = 60_000

    with pytest.raises(RefusedError) as caught:
        rest.place_order(ENTRY, yes)
    assert (caught.value.code, venue.accepted) == (10002, 0)
    rest.place_order(ENTRY, yes)

    assert (venue.count(CREATE), venue.accepted) == (2, 1)


@pytest.mark.parametrize("skew_ms", [3000, -6000, 86_400_000])
def test_a_clock_that_is_off_is_measured_before_the_first_order(venue, rest, skew_ms):
    venue.skew_ms = skew_ms

    rest.place_order(ENTRY, yes)

    assert (venue.count(CREATE), venue.accepted) == (1, 1)
    assert abs(rest.clock.offset_ms - skew_ms) <= 1


def test_an_order_still_leaves_where_the_time_cannot_be_measured(venue, rest):
    venue.fail("/v5/market/time", *[Fault(status=502)] * 3)

    rest.place_order(ENTRY, yes)

    assert venue.accepted == 1


@pytest.mark.parametrize("reset_ms", ["1", "9999999999999999", "soon", ""])
def test_an_order_over_the_rate_limit_is_refused_whatever_the_reset_header_says(
    venue, rest, reset_ms
):
    headers = {"X-Bapi-Limit-Reset-Timestamp": reset_ms}
    venue.fail(CREATE, Fault(accepts=False, code=10006, headers=headers))

    with pytest.raises(RefusedError):
        rest.place_order(ENTRY, yes)

    assert venue.accepted == 0
    assert venue.time.slept == []


def test_after_403_nothing_more_leaves_until_the_stated_time_is_over(venue, rest):
    venue.fail(CREATE, Fault(accepts=False, status=403, headers={"Retry-After": "700"}))
    with pytest.raises(OutcomeUnknownError):
        rest.place_order(ENTRY, yes)
    sent = len(venue.requests)

    with pytest.raises(NeverSentError):
        rest.place_order(CLOSE, yes)
    with pytest.raises(UnansweredError) as caught:
        rest.position("BTCUSDT")
    assert len(venue.requests) == sent
    assert caught.value.retry_after_s == pytest.approx(700)

    venue.time.now_s += 701
    rest.place_order(CLOSE, yes)
    assert venue.accepted == 1


def test_403_without_a_stated_time_stops_everything_for_ten_minutes(venue, rest):
    venue.fail(POSITIONS, Fault(status=403))

    with pytest.raises(UnansweredError) as caught:
        rest.position("BTCUSDT")

    assert caught.value.retry_after_s == 600
    assert venue.count(POSITIONS) == 1


def test_a_close_that_waits_too_long_for_its_turn_is_never_sent(venue):
    with client_of(venue) as rest:
        rest._wire._limiter.hold(Kind.CLOSE, 60)

        with pytest.raises(NeverSentError):
            rest.place_order(CLOSE, yes)
        rest.place_order(ENTRY, yes)

    assert venue.accepted == 1


# Fencing.


def test_a_fenced_sender_sends_nothing(venue, rest):
    with pytest.raises(FencedError):
        rest.place_order(ENTRY, lambda: False)

    assert venue.requests == []


@pytest.mark.parametrize("still_ours", [1, 2])
def test_a_sender_fenced_while_it_waits_or_signs_is_stopped_before_the_first_byte(
    venue, rest, still_ours
):
    answers = iter([True] * still_ours + [False] * 9)

    with pytest.raises(FencedError):
        rest.place_order(ENTRY, lambda: next(answers))
    assert venue.count(CREATE) == 0
    rest.place_order(ENTRY, yes)

    assert venue.accepted == 1


def test_the_last_check_comes_when_the_connection_already_stands(venue, rest):
    connected_at: list[int] = []
    real, calls = rest._wire._client(None).client.get_adapter(venue.url), []

    def is_ours() -> bool:
        calls.append(1)
        pools = real.poolmanager.pools
        connected_at.append(sum(pool.num_connections for pool in map(pools.get, pools.keys())))
        return True

    rest.clock.learn(asked_s=0, answered_s=0, server_ms=START_MS)
    rest.place_order(ENTRY, is_ours)

    assert connected_at == [0, 0, 1]


def test_stops_and_cancels_are_fenced_too(venue, rest):
    with pytest.raises(FencedError):
        rest.set_stops("BTCUSDT", LEVELS, lambda: False)
    with pytest.raises(FencedError):
        rest.cancel("BTCUSDT", "id", lambda: False)

    assert venue.requests == []


# Stops.


def test_stops_are_set_in_place_and_read_back(venue, rest):
    venue.answer(POSITIONS, position(stopLoss="1"), position())

    read = rest.set_stops("BTCUSDT", LEVELS, yes)

    assert read.stops == LEVELS
    assert venue.count(STOP) == 1
    assert venue.last(STOP)["tpslMode"] == "Full"


@pytest.mark.parametrize(
    "fault", [Fault(code=34040), Fault(cuts=True), Fault(status=502), Fault(code=10016)], ids=repr
)
def test_stops_that_stand_are_a_success_whatever_was_answered(venue, rest, fault):
    venue.fail(STOP, fault)
    venue.answer(POSITIONS, position())

    assert rest.set_stops("BTCUSDT", LEVELS, yes).stops == LEVELS
    assert venue.count(STOP) == 1


def test_refused_stops_of_a_position_that_is_gone_are_no_failure(venue, rest):
    venue.fail(STOP, Fault(code=10001, text="can not set tp/sl/ts for zero position"))
    venue.answer(POSITIONS, position(size="0", side="", avgPrice="0", stopLoss="", takeProfit=""))

    assert rest.set_stops("BTCUSDT", LEVELS, yes).is_flat


def test_refused_stops_of_an_open_position_are_refused(venue, rest):
    venue.fail(STOP, Fault(code=10001, text="StopLoss set for Sell position should be higher"))
    venue.answer(POSITIONS, position(stopLoss="", takeProfit=""))

    with pytest.raises(RefusedError):
        rest.set_stops("BTCUSDT", LEVELS, yes)


def test_a_stop_without_a_target_cancels_the_target_and_stands(venue, rest):
    levels = replace(LEVELS, take_profit=None)
    venue.answer(POSITIONS, position(takeProfit=""))

    assert rest.set_stops("BTCUSDT", levels, yes).stops == levels
    assert venue.last(STOP)["takeProfit"] == "0"


@pytest.mark.parametrize(
    ("code", "text", "is_passed"),
    [
        (110092, "expect Rising, but trigger_price[1] <= current[2]??LastPrice", True),
        (110093, "expect Falling, but trigger_price[2] >= current[1]??LastPrice", True),
        (10001, "StopLoss:2 set for Buy position should be lower than base_price:1", True),
        (10001, "TakeProfit:1 set for Buy position should be higher than base_price:2", False),
        (10001, "position idx not match position mode", False),
        (110017, "current position is zero", False),
    ],
)
def test_a_refusal_says_whether_the_price_has_passed_the_stop(venue, rest, code, text, is_passed):
    venue.fail(STOP, Fault(code=code, text=text))
    venue.answer(POSITIONS, position(stopLoss="44000"))
    exchange = BybitExchange(rest, None, symbols={"BTC": "BTCUSDT"}, now_ms=lambda: START_MS)

    with pytest.raises(OrderRefusedError) as caught:
        exchange.set_stops("BTC", LEVELS, yes)

    assert isinstance(caught.value, StopPassedError) is is_passed


def test_stops_that_were_taken_but_do_not_stand_are_unknown(venue, rest):
    venue.answer(POSITIONS, position(stopLoss="0.00"))

    with pytest.raises(UnknownOutcomeError):
        rest.set_stops("BTCUSDT", LEVELS, yes)


# Cancelling and looking up.


@pytest.mark.parametrize(("code", "expected"), [(0, True), (110001, False), (110008, False)])
def test_what_cannot_be_cancelled_any_more_is_final(venue, rest, code, expected):
    venue.fail("/v5/order/cancel", Fault(code=code))

    assert rest.cancel("BTCUSDT", "id", yes) is expected


def test_a_cancel_without_an_answer_is_unknown(venue, rest):
    venue.fail("/v5/order/cancel", Fault(cuts=True))

    with pytest.raises(UnknownOutcomeError):
        rest.cancel("BTCUSDT", "id", yes)

    assert venue.count("/v5/order/cancel") == 1


def row(status: str, filled: str = "0", name: str = "id") -> dict[str, object]:
    return {
        "orderId": "1",
        "orderLinkId": name,
        "symbol": "BTCUSDT",
        "side": "Sell",
        "orderStatus": status,
        "cumExecQty": filled,
        "updatedTime": str(START_MS),
        "rejectReason": "EC_NoError",
    }


def fill(qty: str, leaves: str, exec_id: str = "1") -> dict[str, object]:
    return {
        "execId": exec_id,
        "orderLinkId": "id",
        "symbol": "BTCUSDT",
        "side": "Sell",
        "execType": "Trade",
        "execQty": qty,
        "execPrice": "41000",
        "execFee": "0.2",
        "leavesQty": leaves,
        "execTime": str(START_MS),
    }


def test_an_open_order_is_found_without_asking_further(venue, rest):
    venue.answer("/v5/order/realtime", {"list": [row("New")]})

    assert rest.find_order("BTCUSDT", "id").status is OrderStatus.ACCEPTED
    assert venue.count("/v5/order/history") == 0


def test_an_order_that_left_the_open_ones_is_found_in_the_history(venue, rest):
    venue.answer("/v5/order/history", {"list": [row("Cancelled", "0.004")]})

    found = rest.find_order("BTCUSDT", "id")

    assert (found.status, found.filled_qty) == (OrderStatus.CANCELED, Decimal("0.004"))


@pytest.mark.parametrize(
    ("leaves", "status"), [("0", OrderStatus.FILLED), ("0.002", OrderStatus.PARTIALLY_FILLED)]
)
def test_an_order_that_only_its_executions_know_was_filled(venue, rest, leaves, status):
    pages = {"list": [fill("0.006", leaves, "2"), fill("0.002", "0.008")]}
    venue.answer("/v5/execution/list", pages)

    found = rest.find_order("BTCUSDT", "id")

    assert (found.status, found.filled_qty) == (status, Decimal("0.008"))


def test_history_and_executions_agree_on_the_stronger_evidence(venue, rest):
    venue.answer("/v5/order/history", {"list": [row("Cancelled", "0")]})
    venue.answer("/v5/execution/list", {"list": [fill("0.004", "0.006")]})

    found = rest.find_order("BTCUSDT", "id")

    assert (found.status, found.filled_qty) == (OrderStatus.CANCELED, Decimal("0.004"))


def test_an_order_that_all_three_do_not_know_is_not_found(venue, rest):
    assert rest.find_order("BTCUSDT", "id") is None

    asked = [r.path for r in venue.requests if r.path != "/v5/market/time"]
    assert asked == ["/v5/order/realtime", "/v5/order/history", "/v5/execution/list"]


@pytest.mark.parametrize("path", ["/v5/order/realtime", "/v5/order/history", "/v5/execution/list"])
def test_a_look_up_that_could_not_ask_everywhere_proves_no_absence(venue, rest, path):
    venue.fail(path, *[Fault(cuts=True)] * 50)

    with pytest.raises(UnavailableError):
        rest.find_order("BTCUSDT", "id")


def test_the_reads_of_one_look_up_share_one_budget(venue, rest):
    for path in ("/v5/order/realtime", "/v5/order/history", "/v5/execution/list"):
        venue.fail(path, *[Fault(status=502)] * 4)
    began_s = venue.time.now_s

    with pytest.raises(UnavailableError):
        rest.find_order("BTCUSDT", "id")

    assert venue.time.now_s - began_s <= PATIENCE.read_budget_s
    assert venue.count("/v5/order/history") > 0


def test_an_answer_about_other_orders_proves_no_absence(venue, rest):
    venue.answer("/v5/order/history", {"list": [row("Filled", "1", name="another")]})

    with pytest.raises(BadDataError, match="another"):
        rest.find_order("BTCUSDT", "id")


def test_a_status_that_nobody_knows_leaves_the_order_unknown(venue, rest):
    venue.answer("/v5/order/realtime", {"list": [row("Paused")]})

    found = rest.find_order("BTCUSDT", "id")

    assert (found.status, found.detail) == (OrderStatus.UNKNOWN, "Paused")
