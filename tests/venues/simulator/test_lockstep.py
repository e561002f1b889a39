"""Lock-step: time stands still until it is advanced, and fills agree with the replay's engine."""

import random
from decimal import Decimal
from pathlib import Path

from domain.market.candles import Candle
from domain.market.funding import funding_rate
from domain.market.instruments import Side, exact
from domain.trading.matching import CandlePrices, MatchingEngine
from domain.trading.orders import OrderRequest
from domain.trading.sizing import ProtectiveLevels
from infra.candles.files import read_candles
from tests.venues.simulator.clients import BTC, INSTRUMENTS, RULES, Client, Listener, running

CANDLE_MS = 300_000
START_MS = 1_743_465_600_000


def recorded(folder: Path, prices: list[tuple[float, float, float, float]]) -> Path:
    lines = ["open_time,open,high,low,close,volume"]
    for i, row in enumerate(prices):
        lines.append(f"{START_MS + i * CANDLE_MS},{','.join(map(str, row))},12.5")
    for instrument in INSTRUMENTS:
        (folder / f"{instrument.symbol}.csv").write_text("\n".join(lines) + "\n")
    return folder


def walk(count: int) -> list[tuple[float, float, float, float]]:
    rows, price, chance = [], 1_000.0, random.Random(4)
    for _ in range(count):
        close = round(price * (1 + chance.gauss(0, 0.008)), 1)
        high, low = round(max(price, close) + 3.1, 1), round(min(price, close) - 2.7, 1)
        rows.append((price, high, low, close))
        price = close
    return rows


def live_through(engine: MatchingEngine, candle: Candle) -> None:
    """Let funding at a candle's open and its prices reach the position that is open."""
    rate = funding_rate(candle.open_time_ms, RULES.fills.funding)
    if rate is not None:
        engine.settle_funding(BTC, exact(candle.open), rate, candle.open_time_ms)
    prices = CandlePrices(
        open=exact(candle.open),
        high=exact(candle.high),
        low=exact(candle.low),
        close=exact(candle.close),
    )
    engine.trade_through(BTC, prices, candle.close_time_ms)


def test_time_stands_still_and_jumps_to_the_next_close(tmp_path: Path) -> None:
    with running(speed=None, candles=recorded(tmp_path, walk(12))) as client:
        stream = Listener(client, "/v5/public/linear", f"kline.5.{BTC}")
        before = client.public("/v5/market/time")["time"]
        jumps = [client.control("advance") for _ in range(7)]

        closed = [stream.rows(f"kline.5.{BTC}", lambda row: row["confirm"]) for _ in range(6)]

        assert before == START_MS + 6 * CANDLE_MS
        assert [jump["time_ms"] for jump in jumps[:2]] == [
            before + CANDLE_MS,
            before + 2 * CANDLE_MS,
        ]
        assert [jump["candles"] for jump in jumps] == [1] * 6 + [0]
        assert jumps[-1]["done"]
        rows = walk(12)[6:]
        assert [(float(row["open"]), float(row["close"])) for row in closed] == [
            (row[0], row[3]) for row in rows
        ]
        stream.close()


def test_fills_stops_funding_and_wallet_are_those_of_the_replays_engine(tmp_path: Path) -> None:
    folder = recorded(tmp_path, walk(400))
    series = read_candles(folder, [BTC], candle_ms=CANDLE_MS)[BTC]
    engine = MatchingEngine(RULES.fills)
    with running(speed=None, candles=folder, history=100) as client:
        for i in range(100, 400):
            client.control("advance")
            candle = series.candle(i)
            live_through(engine, candle)
            if BTC not in engine.positions:
                _enter(client, engine, i, Decimal(str(candle.close)))

        executions = client.records()["executions"]
        wallet = Decimal(client.state()["wallet"])

    expected = engine.executions(BTC)
    assert len(expected) > 40
    assert {event.kind.value for event in expected} == {"TRADE", "FUNDING"}
    assert [(e["execTime"], e["execQty"], Decimal(e["execPrice"])) for e in executions] == [
        (str(event.ts_ms), f"{event.qty:f}", event.price) for event in expected
    ]
    assert wallet == engine.wallet


def _enter(client: Client, engine: MatchingEngine, i: int, close: Decimal) -> None:
    now_ms = START_MS + (i + 1) * CANDLE_MS
    tick = Decimal("0.1")
    stop, target = ((close * Decimal(f)).quantize(tick) for f in ("1.015", "0.98"))
    request = OrderRequest(
        client_order_id=f"e-{i}", asset=BTC, side=Side.SELL, qty=Decimal("1.5"), reduce_only=False
    )
    engine.submit(request, now_ms)
    engine.fill(f"e-{i}", close, now_ms)
    engine.set_stops(BTC, ProtectiveLevels(stop_loss=stop, take_profit=target))
    levels = {"stopLoss": str(stop), "takeProfit": str(target)}
    answer = client.order("Sell", "1.5", orderLinkId=f"e-{i}", **levels)
    assert answer["retCode"] == 0, answer


def test_a_restart_in_lock_step_goes_on_at_the_same_candle(tmp_path: Path) -> None:
    folder = recorded(tmp_path, walk(60))
    given = {"speed": None, "candles": folder, "state": tmp_path / "state.jsonl"}
    with running(**given) as client:
        client.control("advance", candles=3)
        client.short("0.5")
        before, prices = client.state(), client.state()["prices"]

    with running(**given) as client:
        after = client.state()
        jump = client.control("advance")

    for name in ("time_ms", "wallet", "positions", "candle_open_ms"):
        assert after[name] == before[name], name
    assert after["prices"] == prices
    assert jump["time_ms"] == before["time_ms"] + CANDLE_MS
