"""A generated market after a restart: the same candles, made anew only as far as they are kept."""

from pathlib import Path

import orjson

from infra.venues.simulator.prices.generator import CANDLE_MS, CandleGenerator
from infra.venues.simulator.prices.sources import MARK_EVERY
from tests.venues.simulator.clients import BTC, INSTRUMENTS, Client, running

START_MS = 1_743_465_600_000
HISTORY = 300
PLAYED = 3 * MARK_EVERY + 10


def klines(client: Client, until_ms: int, count: int = 200) -> list[list[str]]:
    """Return candles up to a time, newest first, without their turnover, which is an estimate."""
    answer = client.public(
        "/v5/market/kline", category="linear", symbol=BTC, interval=5, end=until_ms, limit=count
    )
    return [row[:6] for row in answer["result"]["list"]]


def test_a_generator_goes_on_from_its_state() -> None:
    generator = CandleGenerator(INSTRUMENTS, 3)
    for _ in range(500):
        generator.step()
    state = orjson.loads(orjson.dumps(generator.state()))

    successor = CandleGenerator(INSTRUMENTS, 9)
    successor.resume(state)

    assert [successor.step() for _ in range(500)] == [generator.step() for _ in range(500)]


def test_a_restart_makes_the_same_candles_but_not_those_that_nobody_needs(tmp_path: Path) -> None:
    given = {"speed": None, "history": HISTORY, "start_ms": START_MS}
    state = tmp_path / "state.jsonl"
    with running(**given, state=state) as client:
        client.control("advance", candles=PLAYED)
        now_ms = client.state()["time_ms"]
        before = klines(client, now_ms)

    with running(**given, state=state) as client:
        after = klines(client, now_ms)
        kept = klines(client, now_ms - HISTORY * CANDLE_MS, 1)
        forgotten = klines(client, START_MS)
        client.control("advance", candles=PLAYED)
        later = klines(client, now_ms + PLAYED * CANDLE_MS)
    with running(**given) as client:
        client.control("advance", candles=2 * PLAYED)
        undisturbed = klines(client, now_ms + PLAYED * CANDLE_MS)

    assert len(before) == 200
    assert after == before
    assert later == undisturbed
    assert kept
    assert not forgotten


def test_a_second_restart_starts_from_what_the_first_one_kept(tmp_path: Path) -> None:
    given = {"speed": None, "history": HISTORY, "start_ms": START_MS, "state": tmp_path / "state"}
    for _ in range(3):
        with running(**given) as client:
            client.control("advance", candles=PLAYED)
            now_ms = client.state()["time_ms"]
            before = klines(client, now_ms)

    with running(**given) as client:
        assert klines(client, now_ms) == before
        assert not klines(client, now_ms - (HISTORY + 2 * MARK_EVERY) * CANDLE_MS)


TRADES = 60
KEPT = 20


def trade_a_lot(client: Client) -> None:
    """Trade to and fro; end with money brought in, a position, its stops and a resting order."""
    client.post("/v5/account/set-margin-mode", setMarginMode="ISOLATED_MARGIN")
    for number in range(TRADES):
        client.short("0.01", orderLinkId=f"entry-{number}")
        client.order("Buy", "0.01", reduceOnly=True, orderLinkId=f"exit-{number}")
        client.control("advance")
    client.control("transfer", amount="250")
    client.short("0.02")
    client.order("Buy", "0.01", orderType="Limit", price=client.at("0.97"), orderLinkId="resting")


def view(client: Client) -> dict:
    """Return what an account is, and what it shows of its newest history."""
    state, records = client.state(), client.records()
    newest = {"limit": KEPT // 2}
    return {
        **{name: state[name] for name in ("wallet", "positions", "open_orders", "margin_mode")},
        "orders": records["orders"][-KEPT:],
        "executions": records["executions"][-KEPT:],
        "stops": records["stops"][-KEPT:],
        "closed": client.get("/v5/position/closed-pnl", **newest)["result"]["list"],
        "log": client.get("/v5/account/transaction-log", **newest)["result"]["list"],
        "tiny": client.get("/v5/order/history", symbol=BTC, limit=5)["result"]["list"],
    }


def test_the_state_file_is_bounded_and_a_rewritten_one_holds_what_counts(tmp_path: Path) -> None:
    given = {"speed": None, "history": HISTORY, "start_ms": START_MS}
    short, long = tmp_path / "short", tmp_path / "long"
    sizes = []
    for file, kept in ((short, KEPT), (long, 5_000)):
        with running(**given, state=file, kept=kept) as client:
            trade_a_lot(client)
            before = view(client)
        with running(**given, state=file, kept=kept) as client:
            assert view(client) == before
            assert client.order("Sell", "0.01", orderLinkId="resting")["retCode"] == 110072
        sizes.append(file.read_bytes().count(b"\n"))

    assert sizes[0] < KEPT * 9 < sizes[1]
    assert not list(tmp_path.glob("*.new"))


def test_an_account_trades_on_after_many_rewritings(tmp_path: Path) -> None:
    given = {"speed": None, "history": HISTORY, "start_ms": START_MS}
    with running(**given, state=tmp_path / "state", kept=1) as client:
        trade_a_lot(client)

    with running(**given, state=tmp_path / "state", kept=1) as client:
        client.order("Buy", "0.02", reduceOnly=True, orderLinkId="last")
        closed = client.get("/v5/position/closed-pnl", limit=1)["result"]["list"][0]

        assert closed["orderId"] == client.done("last")["orderId"]
        assert float(closed["openFee"]) > 0
        assert client.state()["positions"] == []


def test_a_full_disk_leaves_the_old_state_in_place(tmp_path: Path) -> None:
    given = {"speed": None, "history": HISTORY, "start_ms": START_MS, "state": tmp_path / "state"}
    (tmp_path / "state.new").mkdir()  # as little to be written as on a full disk
    with running(**given, kept=1) as client:
        trade_a_lot(client)
        before = view(client)

    with running(**given, kept=1) as client:
        assert view(client) == before
