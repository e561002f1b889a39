"""Faults: each does what it says, and the exchange's own records stay whole."""

import time
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from requests.exceptions import ConnectionError as RequestsConnectionError
from websockets.exceptions import ConnectionClosed

from domain.errors import ConfigError
from infra.venues.simulator.faults.book import FaultBook
from infra.venues.simulator.faults.kinds import ACTS, Kind
from infra.venues.simulator.faults.reading import read_file, read_specs
from infra.venues.simulator.faults.spec import FaultSpec
from tests.venues.simulator.clients import BTC, PATIENCE_S, Client, Listener, eventually, running

PUBLIC, PRIVATE = "/v5/public/linear", "/v5/private"
KLINE = f"kline.5.{BTC}"
ORDER = {"symbol": BTC, "side": "Sell", "orderType": "Market", "qty": "0.01", "orderLinkId": "f"}


def fault(client: Client, kind: str, **more) -> None:
    assert "ids" in client.control("faults", kind=kind, **more)


# When a fault happens.


def book(now_s: list[float]) -> FaultBook:
    return FaultBook(1, lambda: now_s[0])


def test_a_fault_happens_once_so_many_times_or_for_a_time() -> None:
    now_s = [0.0]
    faults = book(now_s)
    faults.add(FaultSpec(kind=Kind.ANSWER_LOST))
    faults.add(FaultSpec(kind=Kind.RET_CODE, times=2))
    faults.add(FaultSpec(kind=Kind.MUTE, after_s=1, for_s=5))

    once = [faults.take(Kind.ANSWER_LOST, path="/v5/order/create") is None for _ in range(2)]
    twice = [faults.take(Kind.RET_CODE, path="/v5/order/create") is None for _ in range(3)]
    muted = []
    for now_s[0] in (0.5, 1.0, 5.9, 6.0):
        muted.append(faults.take(Kind.MUTE) is not None)

    assert once == [False, True]
    assert twice == [False, False, True]
    assert muted == [False, True, True, False]


def test_a_probability_is_tossed_the_same_way_for_the_same_seed() -> None:
    def tosses(seed: int) -> list[bool]:
        faults = FaultBook(seed)
        faults.add(FaultSpec(kind=Kind.ANSWER_LATE, probability=0.3))
        return [
            faults.take(Kind.ANSWER_LATE, path="/v5/order/create") is not None for _ in range(300)
        ]

    assert tosses(1) == tosses(1) != tosses(2)
    assert 60 < sum(tosses(1)) < 120


def test_a_fault_concerns_the_path_symbol_and_topic_it_names() -> None:
    faults = book([0.0])
    faults.add(FaultSpec(kind=Kind.RET_CODE, path="/v5/position", times=5))
    faults.add(FaultSpec(kind=Kind.LOSE_CONFIRM, symbol=BTC, times=5))

    assert faults.take(Kind.RET_CODE, path="/v5/order/create") is None
    assert faults.take(Kind.RET_CODE, path="/v5/position/list") is not None
    assert faults.take(Kind.LOSE_CONFIRM, symbol="ETHUSDT") is None
    assert faults.take(Kind.LOSE_CONFIRM, symbol=BTC) is not None


@given(seed=st.integers(0, 1000))
def test_an_oddity_changes_one_field_into_what_cannot_be_right(seed: int) -> None:
    faults = FaultBook(seed)
    row = {"orderLinkId": "BTC-1-exit-1", "execQty": "0.5", "seq": 7, "isMaker": False, "none": ""}

    found = faults.with_an_oddity({"data": [row]})["data"][0]

    (name,) = (name for name in row if found[name] != row[name])
    odd = found[name]
    assert isinstance(odd, list | dict) or odd == -(10**17) or name == "execQty"
    assert orjson.loads(orjson.dumps(found)) == found
    assert FaultBook(seed).with_an_oddity({"data": [row]})["data"][0] == found


@given(seed=st.integers(0, 1000))
def test_a_cost_is_never_made_one_that_could_be_received(seed: int) -> None:
    assert FaultBook(seed).with_an_oddity([{"execFee": "0.5"}])[0]["execFee"] != "-1"


def test_a_file_of_faults_is_read_and_all_that_is_wrong_is_told(tmp_path: Path) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text("- {kind: answer_lost, times: 2}\n- {kind: down, after_s: 5, for_s: 60}\n")

    assert [spec.kind for spec in read_file(file)] == [Kind.ANSWER_LOST, Kind.DOWN]
    with pytest.raises(ConfigError, match=r"(?s)probability.*colour"):
        read_specs([{"kind": "mute", "probability": 3}, {"kind": "mute", "colour": 1}], "here")


ACT = st.sampled_from(sorted(ACTS))
DAMAGE = st.sampled_from(sorted(set(Kind) - ACTS))


@given(DAMAGE, st.integers(1, 5))
def test_every_damage_may_happen_a_number_of_times(kind: Kind, times: int) -> None:
    faults = book([0.0])
    faults.add(FaultSpec(kind=kind, times=times))

    met = [faults.take(kind, path="/v5/order/create") is not None for _ in range(9)]

    assert sum(met) == times


@given(DAMAGE)
def test_every_damage_may_last_for_a_time(kind: Kind) -> None:
    now_s = [0.0]
    faults = book(now_s)
    faults.add(FaultSpec(kind=kind, after_s=1, for_s=2))

    met = []
    for now_s[0] in (0.5, 1.5, 2.5, 3.5):
        met.append(faults.take(kind, path="/v5/order/create") is not None)

    assert met == [False, True, True, False]


@given(ACT)
def test_every_act_is_done_once_for_a_time_or_by_chance(kind: Kind) -> None:
    now_s = [0.0]
    faults = book(now_s)
    faults.add(FaultSpec(kind=kind))
    by_chance = faults.add(FaultSpec(kind=kind, probability=0.5))
    for_a_time = faults.add(FaultSpec(kind=kind, for_s=2))

    early = faults.recurring_acts()
    now_s[0] = 3.0
    late = faults.recurring_acts()

    is_outage = kind in {Kind.DOWN, Kind.REFUSE}
    assert early == ([by_chance] if is_outage else [by_chance, for_a_time])
    assert late == [by_chance]
    assert for_a_time.spec.outage_s == 2


def test_an_act_for_a_time_is_done_at_each_candle() -> None:
    with running(speed=500.0) as client:
        fault(client, "price_gap", symbol=BTC, fraction="0.01", for_s=60)

        eventually(client.state, lambda s: s["faults"][0]["fired"] >= 3)


# Requests.


@pytest.mark.parametrize("hang_s", [0.0, 0.3])
def test_a_lost_answer_leaves_the_order_behind(client: Client, hang_s: float) -> None:
    fault(client, "answer_lost", hang_s=hang_s)

    with pytest.raises(RequestsConnectionError):
        client.post("/v5/order/create", **ORDER)

    assert client.done("f")["orderStatus"] == "Filled"


def test_a_request_that_hangs_times_out_and_the_order_is_there(client: Client) -> None:
    fault(client, "answer_lost", hang_s=30)

    with pytest.raises(requests.exceptions.ReadTimeout):
        client.post_raw("/v5/order/create", timeout_s=0.3, **ORDER)

    assert client.done("f")["orderStatus"] == "Filled"


def test_a_lost_request_leaves_nothing(client: Client) -> None:
    fault(client, "request_lost")

    with pytest.raises(RequestsConnectionError):
        client.post("/v5/order/create", **ORDER)

    assert client.records()["orders"] == []


@pytest.mark.parametrize("status", [502, 403, 429])
@pytest.mark.parametrize("processed", [True, False])
def test_an_http_status_may_hide_an_order(client: Client, status: int, processed: bool) -> None:
    fault(client, "http_status", status=status, processed=processed)

    answer = client.post_raw("/v5/order/create", **ORDER)

    assert answer.status_code == status
    assert len(client.records()["orders"]) == processed


@pytest.mark.parametrize("code", [10000, 10002, 10006, 10016])
def test_a_ret_code_takes_the_answers_place(client: Client, code: int) -> None:
    fault(client, "ret_code", code=code, path="/v5/position/list")

    answer = client.get_raw("/v5/position/list", category="linear", symbol=BTC)

    assert answer.json()["retCode"] == code
    assert ("X-Bapi-Limit-Reset-Timestamp" in answer.headers) == (code == 10006)
    assert client.position()["size"] == "0"


def test_late_and_unreadable_answers(client: Client) -> None:
    fault(client, "answer_late", seconds=0.3, path="/v5/market/time")
    fault(client, "unreadable_body", path="/v5/market/tickers")

    begun_s = time.monotonic()
    client.public("/v5/market/time")
    late_s = time.monotonic() - begun_s

    assert late_s >= 0.3
    with pytest.raises(requests.exceptions.JSONDecodeError):
        client.public("/v5/market/tickers", category="linear")


def test_an_answer_may_hold_an_oddity(client: Client) -> None:
    usual = client.get("/v5/account/fee-rate", symbol=BTC)
    fault(client, "odd_answer", path="/v5/account/fee-rate")

    odd = client.get("/v5/account/fee-rate", symbol=BTC)

    assert odd.keys() == usual.keys()
    assert odd | {"time": 0} != usual | {"time": 0} or not 0 < odd["time"] < 10**13
    assert client.get("/v5/account/fee-rate", symbol=BTC)["result"] == usual["result"]


# The network.


@pytest.mark.parametrize("kind", ["refuse", "down"])
def test_an_exchange_that_is_away_comes_back_on_the_same_port(client: Client, kind: str) -> None:
    stream = Listener(client, PUBLIC, KLINE)
    fault(client, kind, for_s=0.5)

    def is_away() -> bool:
        try:
            requests.get(f"{client.sim.base_url}/v5/market/time", timeout=1)
        except RequestsConnectionError:
            return True
        return False

    eventually(is_away)
    eventually(lambda: not is_away())
    if kind == "down":
        with pytest.raises(ConnectionClosed):
            stream.next(lambda _: False)
    else:
        assert stream.rows(KLINE)
    stream.close()


def test_a_cut_ends_the_streams_it_names(client: Client) -> None:
    public, private = Listener(client, PUBLIC, KLINE), Listener(client, PRIVATE, "order")
    fault(client, "cut", path=PRIVATE)

    with pytest.raises(ConnectionClosed):
        private.next(lambda _: False)
    assert public.rows(KLINE)
    public.close()


def test_a_cut_waits_for_a_stream(client: Client) -> None:
    fault(client, "cut")
    early = client.state()["faults"][0]["fired"]

    with pytest.raises(ConnectionClosed):
        Listener(client, PUBLIC).next(lambda _: False)

    assert early == 0
    assert client.state()["faults"][0]["fired"] == 1


def test_a_half_open_stream_neither_speaks_nor_pongs(client: Client) -> None:
    stream = Listener(client, PUBLIC, KLINE)
    fault(client, "half_open")
    eventually(client.state, lambda s: s["faults"][0]["fired"])

    ponged = stream.socket.ping()

    assert not ponged.wait(1.0)
    fault(client, "cut")
    eventually(client.state, lambda s: s["streams"] == [])


def test_a_mute_stream_pongs_but_sends_no_data(client: Client) -> None:
    stream = Listener(client, PUBLIC, KLINE)
    fault(client, "mute", topic="kline")
    stream.send(op="ping", req_id="a")
    stream.next(lambda m: m.get("op") == "ping")

    client.control("price", symbol=BTC, factor="1.001")
    stream.send(op="ping", req_id="b")
    following = stream.receive()

    assert following["op"] == "ping"
    assert stream.socket.ping().wait(PATIENCE_S)
    stream.close()


def test_a_handshake_can_be_refused(client: Client) -> None:
    fault(client, "http_status", path=PUBLIC, status=502)

    with pytest.raises(Exception, match="502"):
        Listener(client, PUBLIC)


# Messages.


def test_the_message_that_ends_a_candle_can_be_lost() -> None:
    with running(speed=500.0) as client:
        stream = Listener(client, PUBLIC, KLINE)
        first = stream.rows(KLINE, lambda row: row["confirm"])
        fault(client, "lose_confirm", symbol=BTC)

        second = stream.rows(KLINE, lambda row: row["confirm"])

        assert second["start"] >= first["start"] + 600_000
        stream.close()


def test_messages_come_twice_or_in_another_order(client: Client) -> None:
    stream = Listener(client, PRIVATE, "order", "execution")
    fault(client, "duplicate", topic="execution")
    fault(client, "reorder", topic="execution")

    client.order("Sell", "0.01", orderLinkId="m")

    order = stream.next(lambda m: "topic" in m)
    late = stream.next(lambda m: "topic" in m)
    client.order("Sell", "0.01", orderLinkId="n")
    twice = [stream.next(lambda m: m.get("topic") == "execution")["id"] for _ in range(2)]
    assert (order["topic"], late["topic"]) == ("order", "execution")
    assert twice[0] == twice[1]
    stream.close()


@pytest.mark.parametrize("kind", ["unreadable_message", "wrong_types", "unknown_topic"])
def test_a_message_may_be_malformed(client: Client, kind: str) -> None:
    stream = Listener(client, PRIVATE, "execution")
    fault(client, kind, topic="execution")

    client.order("Sell", "0.01", orderLinkId="m")
    text = str(stream.socket.recv(PATIENCE_S))

    if kind == "unreadable_message":
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(text)
    elif kind == "wrong_types":
        assert orjson.loads(text)["data"][0]["symbol"] == [BTC]
    else:
        assert orjson.loads(text)["topic"] == "unknown.execution"
    stream.close()


# What the exchange does.


def test_a_market_order_may_fill_in_part_and_is_canceled(client: Client) -> None:
    fault(client, "partial_fill", fraction="0.4")

    client.order("Sell", "0.01", orderLinkId="p", stopLoss=client.at("1.02"))
    order = client.done("p")

    assert (order["orderStatus"], order["cumExecQty"]) == ("Cancelled", "0.004")
    assert order["rejectReason"] == "EC_NoImmediateQtyToFill"
    assert [o["qty"] for o in client.open_orders()] == ["0.004"]


def test_an_acknowledged_order_may_be_rejected_or_wait(client: Client) -> None:
    fault(client, "reject", reason="EC_NoEnoughQtyToFill")
    accepted = client.order("Sell", "0.01", orderLinkId="r")
    rejected = client.done("r")
    fault(client, "slow_matching", seconds=0.5)
    client.order("Sell", "0.01", orderLinkId="s")
    unseen = client.get("/v5/order/realtime", orderLinkId="s")["result"]["list"]

    assert accepted["retCode"] == 0
    assert (rejected["orderStatus"], rejected["rejectReason"]) == (
        "Rejected",
        "EC_NoEnoughQtyToFill",
    )
    assert unseen == []
    assert client.done("s")["orderStatus"] == "Filled"


def test_lists_may_lag_and_forget(client: Client) -> None:
    client.short()
    client.order("Buy", "0.01", reduceOnly=True, orderLinkId="x")
    client.done("x")
    fault(client, "history_lag", seconds=60)
    fault(client, "forget_closed")

    assert client.history(orderLinkId="x") == []
    assert client.open_orders(orderLinkId="x") == []
    assert client.executions()[0]["orderLinkId"] == "x"
    client.session.delete(f"{client.sim.base_url}/sim/faults", timeout=10)
    assert client.open_orders(orderLinkId="x")[0]["orderStatus"] == "Filled"


@pytest.mark.parametrize("off_ms", [3_000, -6_000])
def test_the_clock_that_clients_see_may_be_wrong(client: Client, off_ms: int) -> None:
    fault(client, "clock_offset", ms=off_ms)

    told = client.public("/v5/market/time")["time"]
    mine = client.get_raw("/v5/account/info", stamp_ms=told - off_ms).json()

    assert abs(told - client.state()["time_ms"] - off_ms) < 1_000
    assert mine["retCode"] == (0 if off_ms == 3_000 else 10002)


# By other hands.


def test_what_is_done_to_a_position_waits_for_one() -> None:
    with running(speed=500.0) as client:
        fault(client, "adl", symbol=BTC, probability=1, times=1)
        fault(client, "price_gap", symbol="ETHUSDT", fraction="0.01", probability=1, times=1)
        eventually(client.state, lambda s: s["faults"][1]["fired"])
        early = client.state()["faults"][0]["fired"]
        client.order("Sell", "0.01")

        eventually(client.state, lambda s: s["faults"][0]["is_over"])

    assert early == 0


def test_stops_and_positions_may_be_changed_by_hand(client: Client) -> None:
    client.short()
    fault(client, "stop_removed", symbol=BTC)
    eventually(client.open_orders, lambda rows: rows == [])

    client.control("position", symbol=BTC, action="close", qty="0.004")
    part = client.position()["size"]
    client.control("position", symbol=BTC, action="close")
    client.control("position", symbol="ETHUSDT", action="open", qty="0.5", side="Buy")

    assert part == "0.006"
    assert client.position()["size"] == "0"
    eth = client.position("ETHUSDT")
    assert (eth["side"], eth["size"]) == ("Buy", "0.5")
    assert client.history()[0]["orderLinkId"] == ""
    stops = client.records()["stops"]
    assert [row["stop_loss"] is None for row in stops if row["symbol"] == BTC][-1]


@pytest.mark.parametrize(
    ("kind", "exec_type", "left"),
    [
        ("liquidation", "BustTrade", "0"),
        ("adl", "AdlTrade", "0.005"),
        ("funding", "Funding", "0.01"),
    ],
)
def test_the_exchange_may_act_by_force(
    client: Client, kind: str, exec_type: str, left: str
) -> None:
    client.short()

    fault(client, kind, symbol=BTC)
    eventually(lambda: client.executions()[0]["execType"], lambda found: found == exec_type)

    assert client.position()["size"] == left
    assert {o["qty"] for o in client.open_orders()} == ({left} if left != "0" else set())


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "liquidation", "symbol": "XRPUSDT"},
        {"kind": "position_opened", "symbol": BTC, "qty": "-4"},
        {"kind": "position_opened", "symbol": BTC, "side": "Up"},
        {"kind": "partial_fill", "fraction": "2"},
        {"kind": "price_gap", "fraction": "-1"},
        {"kind": "http_status", "status": 9},
        {"kind": "answer_late", "seconds": -1},
    ],
)
def test_what_is_no_fault_is_refused_and_the_exchange_lives_on(
    client: Client, wrong: dict[str, object]
) -> None:
    refused = client.control("faults", **wrong)

    assert "expected" in refused["error"] or "should be" in refused["error"]
    assert client.state()["faults"] == []
    assert client.order("Sell", "0.01")["retCode"] == 0


def test_a_gap_goes_through_the_stop(client: Client) -> None:
    client.short()
    stop = Decimal(client.position()["stopLoss"])

    fault(client, "price_gap", symbol=BTC, fraction="0.08")
    fill = eventually(lambda: [r for r in client.executions() if r["stopOrderType"] == "StopLoss"])

    assert Decimal(fill[0]["execPrice"]) > stop * Decimal("1.04")


def test_a_symbol_that_is_delisted_opens_nothing_and_what_is_open_can_be_closed(
    client: Client,
) -> None:
    client.short()
    fault(client, "delisted", symbol=BTC)

    listed = client.public("/v5/market/instruments-info", category="linear")["result"]["list"]
    refused = client.order("Sell", "0.01")
    candles = client.public("/v5/market/kline", symbol=BTC, interval="5", category="linear")

    assert {row["symbol"] for row in listed} == {"ETHUSDT", "SOLUSDT"}
    assert (refused["retCode"], candles["retCode"]) == (110074, 10001)
    client.order("Buy", "0.01", reduceOnly=True, orderLinkId="out")
    assert client.done("out")["orderStatus"] == "Filled"
