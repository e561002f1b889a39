"""Keys, signatures, timestamps, rate limits, and the envelope around answers."""

import json
from pathlib import Path

import pytest

from infra.simulator.gate import RateLimits
from tests.simulator.clients import BTC, Client, running

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


def test_unknown_paths_and_methods_are_not_routed() -> None:
    with running(speed=None) as client:
        answer = client.session.get(f"{client.sim.base_url}/v5/market/nothing")

        assert (answer.status_code, answer.json()["retCode"]) == (404, 10017)
