"""The streams: subscriptions, candles that close, private news."""

import pytest

from tests.venues.simulator.clients import BTC, Client, Listener, running

PUBLIC, PRIVATE = "/v5/public/linear", "/v5/private"
CANDLE_MS = 300_000


def test_a_candle_ends_with_confirm_and_rest_then_has_it() -> None:
    with running(speed=500.0) as client:
        stream = Listener(client, PUBLIC, f"kline.5.{BTC}")

        first = stream.rows(f"kline.5.{BTC}", lambda row: row["confirm"])
        second = stream.rows(f"kline.5.{BTC}", lambda row: row["confirm"])

        assert second["start"] == first["start"] + CANDLE_MS == first["end"] + 1
        assert second["open"] == first["close"]
        rows = client.public(
            "/v5/market/kline", symbol=BTC, interval="5", start=first["start"], end=first["start"]
        )["result"]["list"]
        assert rows[0][:6] == [
            str(first["start"]),
            *(first[name] for name in ("open", "high", "low", "close", "volume")),
        ]
        stream.close()


def test_a_ticker_begins_with_a_snapshot_and_goes_on_with_what_changed(client: Client) -> None:
    stream = Listener(client, PUBLIC, f"tickers.{BTC}")

    snapshot = stream.next(lambda m: m.get("topic") == f"tickers.{BTC}")
    client.control("price", symbol=BTC, factor="1.001")
    delta = stream.next(lambda m: m.get("type") == "delta")

    assert snapshot["type"] == "snapshot"
    assert delta["data"].keys() < snapshot["data"].keys()
    assert delta["data"]["symbol"] == BTC
    stream.close()


@pytest.mark.parametrize("category", ["spot", "inverse", "option"])
def test_streams_of_other_categories_have_no_topics(client: Client, category: str) -> None:
    public = Listener(client, f"/v5/public/{category}")
    private = Listener(client, PRIVATE, f"order.{category}", f"execution.{category}")

    public.send(op="subscribe", args=[f"tickers.{BTC}"])
    refused = public.next(lambda m: m.get("op") == "subscribe")
    client.order("Sell", "0.01", orderLinkId="o")
    client.done("o")
    private.send(op="ping")
    private.next(lambda m: m.get("op") == "pong")

    assert refused["ret_msg"] == f"error:handler not found,topic:tickers.{BTC}"
    assert [m for m in private.heard if "topic" in m] == []
    public.close()
    private.close()


def test_the_pool_against_losses_is_told_at_once_and_alarms_each_second(client: Client) -> None:
    stream = Listener(client, PUBLIC, "insurance.USDT", "adlAlert.USDT")

    told = stream.rows("insurance.USDT")
    alarms = [stream.next(lambda m: m.get("topic") == "adlAlert.USDT") for _ in range(2)]

    assert told.keys() == {"coin", "symbols", "balance", "updateTime"}
    assert {row["s"] for row in alarms[0]["data"]} >= {BTC, "ETHUSDT"}
    assert alarms[1]["ts"] - alarms[0]["ts"] > 0
    stream.close()


def test_one_unknown_topic_rejects_the_whole_request(client: Client) -> None:
    stream = Listener(client, PUBLIC)

    stream.send(op="subscribe", args=[f"kline.5.{BTC}", f"orderbook.300.{BTC}"], req_id=7)
    answer = stream.next(lambda m: m.get("op") == "subscribe")

    assert not answer["success"]
    assert answer["ret_msg"] == f"error:handler not found,topic:orderbook.300.{BTC}"
    assert answer["req_id"] == 7
    assert client.state()["streams"][0]["topics"] == []
    stream.close()


@pytest.mark.parametrize("expires", ["late", "text"])
def test_private_topics_need_a_valid_signature(client: Client, expires: str) -> None:
    now_ms, keys = client.public("/v5/market/time")["time"], client.sim.keys
    stamp = now_ms - 1 if expires == "late" else str(now_ms + 10_000)
    stream = Listener(client, "/v5/private?max_active_time=1m")

    stream.send(op="auth", args=[keys.api_key, stamp, keys.sign(f"GET/realtime{stamp}")])
    answer = stream.next(lambda m: m.get("op") == "auth")
    stream.send(op="subscribe", args=["order"])
    order = stream.next(lambda m: m.get("op") == "subscribe")

    assert answer["success"] is order["success"] is (expires == "text")
    stream.close()


def test_an_entry_is_told_on_all_private_topics(client: Client) -> None:
    stream = Listener(client, PRIVATE, "order.linear", "execution", "position", "wallet")

    client.order("Sell", "0.01", orderLinkId="e", stopLoss=client.at("1.02"))

    execution = stream.rows("execution")
    order = stream.rows("order.linear", lambda row: row["orderLinkId"] == "e")
    stop = stream.rows("order.linear", lambda row: row["stopOrderType"] == "StopLoss")
    position = stream.rows("position")
    wallet = stream.rows("wallet")
    assert execution["orderId"] == order["orderId"]
    assert order["orderStatus"] == "Filled"
    assert stop["orderStatus"] == "Untriggered"
    assert (position["side"], position["entryPrice"]) == ("Sell", execution["execPrice"])
    assert wallet["coin"][0]["coin"] == "USDT"
    stream.close()
