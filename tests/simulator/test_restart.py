"""A generated market after a restart: the same candles, made anew only as far as they are kept."""

from pathlib import Path

import orjson

from infra.simulator.prices.generator import CANDLE_MS, CandleGenerator
from infra.simulator.prices.sources import MARK_EVERY
from tests.simulator.clients import BTC, INSTRUMENTS, Client, running

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
