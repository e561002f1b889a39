"""Every message has the fields and JSON types of the documentation's own examples."""

import json
from pathlib import Path

import pytest

from tests.venues.simulator.clients import BTC, Client, Listener, running

# What an example has and ours does not, or the other way round, each with its reason.
ABSENT = {
    "retExtInfo.list": "only batch requests have it",
    "result.list[].usdIndexPrice": "spot only",
    "data[].orderIv": "options only",
    "result.permissions.FiatBitPay[]": "the key of the example may do more than ours",
}
EXTRA = {
    "result.list[].createType": "newer than the example; order, execution and stream have it",
    "data[].createType": "newer than the example",
    "result.list[].openFee": "newer than the example",
    "result.list[].closeFee": "newer than the example",
    "result.list[].slippageToleranceType": "order/history has it, realtime's example is older",
    "result.list[].slippageTolerance": "the same",
    "result.list[].extraFees": "the same",
    "result.list[].rpiTakerAccess": "the same",
    "result.list[].rpiMatchedQty": "the same",
    "result.list[].cumFeeDetail.USDT": "the fee's coin is the key; the example paid in MNT",
    "data[].cumFeeDetail.USDT": "the same",
    "retExtInfo": "the example of account-info is cut short",
    "time": "the same",
    "result.reasons": "only the failure has an example",
    "data.usdIndexPrice": "spot only",
    **dict.fromkeys(
        (
            "result.list[].parentOrderLinkId",
            "result.list[].marketUnit",
            "result.list[].execFeeV2",
            "result.list[].openTime",
            "result.list[].mmrSysUpdatedTime",
            "result.list[].singleOpenInterest",
            "result.list[].singleOpenInterestValue",
            "result.list[].coin[].colRes",
            "data[].parentOrderLinkId",
            "data[].marketUnit",
            "data[].isLeverage",
            "data[].slippageTolerance",
            "data[].slippageToleranceType",
            "data[].openTime",
            "data[].netDeltaRatio",
            "data[].coin[].colRes",
            "data[].RPI",
            "data.singleOpenInterest",
            "data.singleOpenInterestValue",
        ),
        "in the tables of the documentation, or seen on the wire; the examples are older",
    ),
}
OTHER_COIN = {"result.list[].cumFeeDetail.MNT", "data[].cumFeeDetail.MNT"}


def paths(found: object, where: str = "") -> dict[str, str]:
    """Return every path in a JSON value with the type that stands there."""
    if isinstance(found, dict):
        made = {}
        for name, value in found.items():
            made |= paths(value, f"{where}.{name}" if where else name)
        return made or {where: "object"}
    if isinstance(found, list):
        made = {}
        for value in found:
            made |= paths(value, f"{where}[]")
        return made or {where: "list"}
    kind = "null" if found is None else type(found).__name__
    return {where: "number" if kind in {"int", "float"} else kind}


def differences(ours: object, example: object) -> set[str]:
    mine, theirs = paths(ours), paths(example)
    missing = {p for p in theirs if p not in mine and not _is_empty_list(p, mine)}
    more = {p for p in mine if p not in theirs and not _is_empty_list(p, theirs)}
    types = {
        f"{p}: {mine[p]} for {theirs[p]}"
        for p in mine.keys() & theirs.keys()
        if mine[p] != theirs[p]
    }
    return (missing - ABSENT.keys() - OTHER_COIN) | (more - EXTRA.keys()) | types


def _is_empty_list(path: str, other: dict[str, str]) -> bool:
    # What is empty on one side says nothing of what it would hold.
    steps = [i for i in range(len(path)) if path[i] in ".["]
    if any(other.get(path[:i]) in {"list", "object"} for i in steps):
        return True
    return any(name.startswith((f"{path}[]", f"{path}.")) for name in other)


def example(shared_data: Path, name: str) -> dict:
    return json.loads((shared_data / "bybit-fixtures" / "bybit-docs" / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def talk():
    """Return REST answers and stream messages of one eventful minute."""
    with running(speed=20.0) as client:
        yield {"rest": _rest(client), "ws": _streams(client)}


def _rest(client: Client) -> dict[str, dict]:
    created = client.order("Sell", "0.01", orderLinkId="a", stopLoss=client.at("1.02"))
    client.done("a")
    client.control("position", symbol=BTC, action="funding")
    limit = {"orderType": "Limit", "price": client.at("0.97")}
    client.order("Buy", "0.01", orderLinkId="b", **limit)
    client.order("Buy", "0.01", orderLinkId="c", **limit)
    named = {"symbol": BTC, "orderLinkId": "b"}
    answers = {"order-create": created}
    answers["order-amend"] = client.post("/v5/order/amend", qty="0.02", **named)
    answers["order-realtime"] = client.get("/v5/order/realtime", symbol=BTC)
    answers["order-cancel"] = client.post("/v5/order/cancel", **named)
    answers["position-list"] = client.get("/v5/position/list", symbol=BTC)
    answers["trading-stop"] = client.post(
        "/v5/position/trading-stop",
        symbol=BTC,
        tpslMode="Full",
        positionIdx=0,
        takeProfit=client.at("0.95"),
    )
    body = {"symbol": BTC, "side": "Buy", "orderType": "Market", "qty": "0.01"}
    answers["order-pre-check"] = client.post("/v5/order/pre-check", **body)
    answers["order-price-limit"] = client.public("/v5/market/price-limit", symbol=BTC)
    answers["mark-kline"] = client.public("/v5/market/mark-price-kline", symbol=BTC, interval="5")
    answers["order-cancel-all"] = client.post("/v5/order/cancel-all", symbol=BTC)
    client.order("Buy", "0.01", reduceOnly=True, orderLinkId="d")
    client.done("d")
    answers["order-history"] = client.get("/v5/order/history", symbol=BTC)
    answers["execution-list"] = client.get("/v5/execution/list", symbol=BTC)
    answers["closed-pnl"] = client.get("/v5/position/closed-pnl", symbol=BTC)
    answers["transaction-log"] = client.get("/v5/account/transaction-log")
    answers["account-info"] = client.get("/v5/account/info")
    answers["wallet-balance"] = client.get("/v5/account/wallet-balance", accountType="UNIFIED")
    answers["fee-rate"] = client.get("/v5/account/fee-rate", symbol=BTC)
    answers["query-api"] = client.get("/v5/user/query-api")
    answers["set-leverage"] = client.post(
        "/v5/position/set-leverage", symbol=BTC, buyLeverage="5", sellLeverage="5"
    )
    answers["switch-mode"] = client.post("/v5/position/switch-mode", symbol=BTC, mode=3)
    market = {"category": "linear", "symbol": BTC}
    answers["time"] = client.public("/v5/market/time")
    answers["instruments-info"] = client.public("/v5/market/instruments-info", **market)
    answers["kline"] = client.public("/v5/market/kline", interval="5", **market)
    answers["tickers"] = client.public("/v5/market/tickers", **market)
    answers["orderbook"] = client.public("/v5/market/orderbook", **market)
    answers["funding-history"] = client.public("/v5/market/funding/history", **market)
    client.post("/v5/position/switch-mode", symbol=BTC, mode=0)
    return answers


def _streams(client: Client) -> dict[str, dict]:
    topics = [f"kline.5.{BTC}", f"tickers.{BTC}", f"publicTrade.{BTC}", f"orderbook.1.{BTC}"]
    public = Listener(client, "/v5/public/linear", *topics)
    heard = {"ws-connect.3": _answer(public, "ping")}
    for topic in topics:
        found = [m for m in public.heard if m.get("topic") == topic]
        name = topic.partition(".")[0]
        key = f"ws-{name}"
        heard[key] = found[0] if found else public.next(lambda m, t=topic: m.get("topic") == t)
    heard["ws-connect.11"] = next(m for m in public.heard if m.get("op") == "subscribe")
    private = Listener(client, "/v5/private", "order", "execution", "position", "wallet")
    fast = Listener(client, "/v5/private", "execution.fast")
    heard["ws-connect.1"] = private.heard[0]
    heard["ws-connect.5"] = _answer(private, "pong")
    client.order("Sell", "0.01", orderLinkId="w")
    for name in ("execution", "order", "position", "wallet"):
        heard[f"ws-{name}.1"] = private.next(lambda m, n=name: m.get("topic") == n)
    heard["ws-execution-fast.1"] = fast.next(lambda m: m.get("topic") == "execution.fast")
    fast.close()
    public.close()
    private.close()
    alarms = Listener(client, "/v5/public/linear", f"allLiquidation.{BTC}")
    client.control("position", symbol=BTC, action="liquidate")
    heard["ws-allLiquidation"] = alarms.next(lambda m: m.get("topic") == f"allLiquidation.{BTC}")
    alarms.close()
    return heard


def _answer(listener: Listener, op: str) -> dict:
    listener.send(op="ping", req_id="r")
    return listener.next(lambda m: m.get("op") == op)


REST = (
    "account-info",
    "closed-pnl",
    "execution-list",
    "fee-rate",
    "funding-history",
    "instruments-info",
    "kline",
    "mark-kline",
    "order-amend",
    "order-pre-check",
    "order-price-limit",
    "order-cancel",
    "order-cancel-all",
    "order-create",
    "order-history",
    "order-realtime",
    "orderbook",
    "position-list",
    "query-api",
    "set-leverage",
    "switch-mode",
    "tickers",
    "time",
    "trading-stop",
    "transaction-log",
    "wallet-balance",
)
STREAMS = (
    "ws-connect.1",
    "ws-connect.3",
    "ws-connect.5",
    "ws-connect.11",
    "ws-allLiquidation",
    "ws-execution-fast.1",
    "ws-execution.1",
    "ws-kline",
    "ws-order.1",
    "ws-orderbook",
    "ws-position.1",
    "ws-publicTrade",
    "ws-tickers",
    "ws-wallet.1",
)


@pytest.mark.parametrize("name", REST)
def test_rest_answers_have_the_shape_of_the_examples(
    talk: dict, shared_data: Path, name: str
) -> None:
    answer = talk["rest"][name]

    assert answer["retCode"] == 0
    assert differences(answer, example(shared_data, name)) == set()


@pytest.mark.parametrize("name", STREAMS)
def test_stream_messages_have_the_shape_of_the_examples(
    talk: dict, shared_data: Path, name: str
) -> None:
    assert differences(talk["ws"][name], example(shared_data, name)) == set()


def test_numbers_in_results_are_strings(talk: dict) -> None:
    integers = {
        *("positionIdx", "riskId", "adlRankIndicator", "autoAddMargin", "triggerDirection"),
        *("seq", "smpGroup", "fundingInterval", "symbolId", "tradeMode", "unifiedMarginStatus"),
        *("timeWindow", "ts", "u", "cts", "readOnly", "type", "deadlineDay", "unified", "uta"),
        *("userID", "inviterID", "affiliateID", "openTime"),
        *("preImrE4", "preMmrE4", "postImrE4", "postMmrE4"),
    }

    for name, answer in talk["rest"].items():
        for path, kind in paths(answer["result"]).items():
            assert kind != "number" or path.rpartition(".")[2] in integers, (name, path)


def test_fields_that_the_examples_lack_are_there_as_they_were_seen(client: Client) -> None:
    stream = Listener(client, "/v5/private", "order", "position")
    client.short(orderLinkId="parent")

    stop = stream.rows("order", lambda row: row["stopOrderType"] == "StopLoss")
    position = stream.rows("position")
    row, entry = client.position(), client.done("parent")
    stream.close()

    assert stop["parentOrderLinkId"] == "parent"
    assert (stop["slLimitPrice"], stop["tpLimitPrice"], stop["slippageTolerance"]) == ("0",) * 3
    assert (stop["isLeverage"], stop["marketUnit"], entry["parentOrderLinkId"]) == ("",) * 3
    assert row["openTime"] == position["openTime"] == int(row["createdTime"])
    assert position["netDeltaRatio"] == "0"
    ticker = client.public("/v5/market/tickers", category="linear", symbol=BTC)
    (found,) = ticker["result"]["list"]
    assert float(found["singleOpenInterest"]) * 2 == float(found["openInterest"])


def test_an_order_without_stops_has_no_mode_of_them(client: Client) -> None:
    stream = Listener(client, "/v5/private", "order")
    client.order("Sell", "0.01")

    assert stream.rows("order")["tpslMode"] == "UNKNOWN"
    stream.close()


def test_a_last_page_has_a_cursor_and_an_empty_one_has_none(client: Client) -> None:
    client.order("Sell", "0.01", orderLinkId="o")
    client.done("o")

    last = client.get("/v5/order/history", symbol=BTC, limit=1)["result"]
    beyond = client.get("/v5/order/history", symbol=BTC, cursor=last["nextPageCursor"])["result"]

    assert (len(last["list"]), bool(last["nextPageCursor"])) == (1, True)
    assert (beyond["list"], beyond["nextPageCursor"]) == ([], "")
