"""Keys, signatures, timestamps, rate limits, and the envelope around answers."""

import json
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from infra.venues.simulator.clock import wall_ms
from infra.venues.simulator.gate import RateLimits
from tests.venues.simulator.clients import BTC, Client, Listener, running

WALLET = "/v5/account/wallet-balance"


def test_the_envelope_is_that_of_the_documentation(client: Client) -> None:
    answer = client.public("/v5/market/time")

    assert list(answer) == ["retCode", "retMsg", "result", "retExtInfo", "time"]
    assert answer["result"]["timeSecond"] == str(answer["time"] // 1000)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"X-BAPI-API-KEY": "other"}, 10003),
        ({"X-BAPI-SIGN": "0" * 64}, 10004),
        ({"X-BAPI-SIGN": ""}, 10001),
    ],
)
def test_wrong_credentials_are_refused(client: Client, wrong: dict, code: int) -> None:
    answer = client.get_raw(WALLET, wrong=wrong, accountType="UNIFIED").json()

    assert answer["retCode"] == code


@pytest.mark.parametrize(("off_ms", "code"), [(-6_000, 10002), (1_500, 10002), (-3_000, 0)])
def test_timestamps_must_lie_in_the_window(client: Client, off_ms: int, code: int) -> None:
    stamp_ms = client.public("/v5/market/time")["time"] + off_ms

    answer = client.get_raw(WALLET, stamp_ms=stamp_ms, accountType="UNIFIED").json()

    assert answer["retCode"] == code
    if code:
        assert f"req_timestamp[{stamp_ms}],server_timestamp[" in answer["retMsg"]
        assert "recv_window[5000]" in answer["retMsg"]


def test_the_raw_query_is_what_is_signed(client: Client) -> None:
    answer = client.get("/v5/order/history", cursor="page_token=99&", symbol=BTC, limit="5")

    assert answer["retCode"] == 0


def test_the_eleventh_order_of_a_second_is_limited_and_says_when_to_come_back(
    client: Client,
) -> None:
    stamp_ms = client.public("/v5/market/time")["time"]
    body = json.dumps({"category": "linear"})
    headers = client.signed(body, stamp_ms=stamp_ms)
    url = f"{client.sim.base_url}/v5/order/cancel"

    answers = [client.session.post(url, data=body, headers=headers) for _ in range(11)]

    assert [a.json()["retCode"] for a in answers] == [10001] * 10 + [10006]
    assert answers[0].headers["X-Bapi-Limit-Status"] == "9"
    last = answers[-1]
    assert last.headers["X-Bapi-Limit"] == "10"
    assert 0 < int(last.headers["X-Bapi-Limit-Reset-Timestamp"]) - last.json()["time"] <= 1_001


def test_an_address_that_asks_too_often_is_shut_out_for_a_while() -> None:
    now_s = [0.0]
    limits = RateLimits(lambda: now_s[0], ban_s=600.0)

    answers = [limits.is_banned("a") for _ in range(601)]
    now_s[0] = 599.0
    still = limits.is_banned("a")
    now_s[0] = 601.0

    assert answers == [False] * 600 + [True]
    assert still
    assert not limits.is_banned("a")


def test_texts_are_those_that_were_seen(client: Client, shared_data: Path) -> None:
    observed = json.loads((shared_data / "bybit-fixtures" / "errors-observed.json").read_text())
    seen = {(row["retCode"], row["retMsg"]) for row in observed["http"]}

    body = {"symbol": BTC, "side": "Sell", "orderType": "Market", "qty": "0.01"}
    made = [
        client.post("/v5/order/create", **(body | more))
        for more in ({"qty": "0"}, {"side": "Up"}, {"positionIdx": 1}, {"reduceOnly": True})
    ]
    made.append(client.post("/v5/order/cancel", symbol=BTC))
    made.append(client.post("/v5/order/cancel", symbol=BTC, orderId="none"))
    made.append(client.post("/v5/position/switch-mode", symbol=BTC, mode=0))

    assert all((answer["retCode"], answer["retMsg"]) in seen for answer in made), made


def test_what_an_account_has_beside_its_contracts_is_nothing_but_well_formed(
    client: Client,
) -> None:
    def found(path: str, **asked: str) -> dict:
        answer = client.get_raw(path, **asked).json()
        assert answer["retCode"] == 0, answer
        return answer["result"]

    coins = [row["coin"] for row in found("/v5/asset/coin/query-info")["rows"]]
    assert coins == ["USDT", "BTC", "ETH", "SOL"]
    (one,) = found("/v5/asset/coin/query-info", coin="BTC")["rows"]
    assert (one["coin"], found("/v5/asset/coin/query-info", coin="XYZ")["rows"]) == ("BTC", [])
    assert found("/v5/asset/transfer/query-transfer-coin-list") == {"list": ["USDT"]}
    assert found("/v5/asset/exchange/order-record") == {"orderBody": [], "nextPageCursor": ""}
    assert len(found("/v5/account/fee-rate")["list"]) == 3
    former = {"list": [], "nextPageCursor": "", "category": "linear"}
    assert found("/v5/pre-upgrade/order/history", category="linear") == former
    for path in ("switch-isolated", "set-tpsl-mode"):
        assert client.post(f"/v5/position/{path}", symbol="BTCUSDT")["retCode"] == 100028


def test_unknown_paths_and_methods_are_not_routed() -> None:
    with running(speed=None) as client:
        answer = client.session.get(f"{client.sim.base_url}/v5/market/nothing")

        assert (answer.status_code, answer.json()["retCode"]) == (404, 10017)


def test_an_address_may_ask_as_often_as_it_likes_where_the_ban_is_off() -> None:
    limits = RateLimits(lambda: 0.0, ip_limit=0)

    assert not any(limits.is_banned("a") for _ in range(5_000))


def test_the_exchange_takes_its_ban_from_its_options() -> None:
    with running(ip_limit=3) as strict, running(ip_limit=0) as lenient:
        few = [strict.session.get(f"{strict.sim.base_url}/v5/market/time") for _ in range(4)]
        many = [lenient.session.get(f"{lenient.sim.base_url}/v5/market/time") for _ in range(605)]

    assert [answer.status_code for answer in few] == [200, 200, 200, 403]
    assert {answer.status_code for answer in many} == {200}


YEAR_AGO_MS = 365 * 86_400_000


@pytest.mark.parametrize(("off_ms", "code"), [(0, 0), (-4_000, 0), (-9_000, 10002), (9_000, 10002)])
def test_a_stamp_of_the_wall_clock_will_do_where_the_exchange_has_another(
    off_ms: int, code: int
) -> None:
    with running(speed=20.0, start_ms=wall_ms() - YEAR_AGO_MS) as client:
        by_wall = client.get_raw(WALLET, stamp_ms=wall_ms() + off_ms, accountType="UNIFIED").json()
        by_exchange = client.get_raw(WALLET, accountType="UNIFIED").json()

    assert (by_wall["retCode"], by_exchange["retCode"]) == (code, 0)


@pytest.mark.parametrize(("off_ms", "may_enter"), [(5_000, True), (-1, False)])
def test_a_stream_login_by_the_wall_clock_will_do_too(off_ms: int, may_enter: bool) -> None:
    with running(speed=20.0, start_ms=wall_ms() + YEAR_AGO_MS) as client:
        stamp, keys = wall_ms() + off_ms, client.sim.keys
        stream = Listener(client, "/v5/private?")
        stream.send(op="auth", args=[keys.api_key, stamp, keys.sign(f"GET/realtime{stamp}")])
        answer = stream.next(lambda m: m.get("op") == "auth")
        stream.close()

    assert answer["success"] is may_enter


@pytest.mark.parametrize("path", ["/v5/public/nothing", "/v5/private/more", "/elsewhere"])
def test_a_stream_of_another_path_is_not_found(client: Client, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(client.sim.ws_url + path, proxy=None)

    assert refused.value.response.status_code == 404
