"""Prices of many assets over shared sockets, through an actor each, to the actors' end."""

import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from actors.core.actor import Incarnation
from actors.core.supervisor import ChildSpec
from actors.execution.actor import ExecutionActor
from actors.messages import Message, PositionMarked
from actors.names import execution_name
from bin.bootstrap.recorded import build_replay
from bin.bootstrap.run import Run
from domain.rules import TradingRules
from domain.trading.positions import FLAT, VenuePosition
from infra.net.pool import MAX_CONNECTIONS, ConnectionPool
from infra.process.processor import on_one_processor
from infra.settings import Settings, load_settings
from infra.venues.bybit.public_stream import PublicStream
from infra.venues.bybit.shapes.market import Ticker
from tests.benchmarks.made_market import made_market
from tests.benchmarks.streams import ASSETS, PACED_S, PATIENT, PER_SECOND, Server

START_S = 120.0
_SETTINGS = {"trace": {"tick_every": 100}, "supervision": {"start_seconds": START_S}}


def measure(_candles: Path) -> Iterator[tuple[str, str, str]]:
    """Yield how old prices are when their actors are done with them, and the load of all that."""
    with tempfile.TemporaryDirectory() as folder, Server("pace") as url, on_one_processor():
        file = Path(folder) / "settings.yaml"
        file.write_text(json.dumps(_SETTINGS))
        settings = load_settings(file, environ={}, dotenv=None)
        pool = ConnectionPool(
            url, rng=random.Random(0), max_connections=MAX_CONNECTIONS, timing=PATIENT
        )
        market = PublicStream(pool, candle_minutes=5)
        late_ms: list[float] = []
        heard: set[str] = set()
        run = _run(settings, Path(folder), market, late_ms, heard)
        # All actors have started, and what waited for them meanwhile is worked off.
        _wait_for(lambda: len(heard) == ASSETS)
        late_ms.clear()
        _wait_for(lambda: len(late_ms) > 3 * PER_SECOND * ASSETS)
        late_ms.clear()
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        time.sleep(PACED_S)
        found = sorted(late_ms)
        cores = (time.process_time() - began_cpu_s) / (time.perf_counter() - began_s)
        pool.close()
        run.supervisor.stop(60.0)
        if run.recorder is not None:
            run.recorder.close()
    p50, p99 = (found[int(len(found) * share)] for share in (0.5, 0.99))
    yield (
        f"tick in to actor done, {ASSETS} assets at {PER_SECOND}/s, {MAX_CONNECTIONS} connections",
        f"{len(found) / PACED_S:,.0f}/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms, {cores:.2f} cores",
        "p99 <= 5 ms, <= 1 core",
    )


def _wait_for(is_so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + START_S
    while not is_so():
        assert time.monotonic() < deadline_s, "the prices do not reach the actors"
        time.sleep(0.2)


def _run(
    settings: Settings, folder: Path, market: PublicStream, late_ms: list[float], heard: set[str]
) -> Run:
    """Start the executions of all assets, which prices go to, on a journal and a trace."""

    class Timed(ExecutionActor):
        """Notes how old a price is once it is dealt with."""

        def __init__(self, incarnation: Incarnation, **arguments: Any) -> None:
            super().__init__(incarnation, **arguments)

        def handle(self, message: Message) -> None:
            super().handle(message)
            if isinstance(message, PositionMarked):
                heard.add(message.asset)
                late_ms.append(time.monotonic() * 1000 - message.ts_ms)

    run, lockstep = build_replay(settings, made_market(["BTC"], 10), folder)
    rules = _many(settings.trading_rules())
    exchange = _Flat(market, {a.asset: a.instrument.symbol for a in rules.assets})
    common = {
        "rules": rules,
        "clock": lockstep.clock,
        "exchange": exchange,
        "journals": run.ports.journals,
    }
    specs = [
        ChildSpec(
            address=execution_name(asset.asset),
            actor=Timed,
            arguments=common | {"asset": asset.asset},
        )
        for asset in rules.assets
    ]
    if run.recorder is not None:
        run.recorder.start([])
    run.supervisor.start(specs)
    return run


def _many(rules: TradingRules) -> TradingRules:
    first = rules.assets[0]
    names = [f"S{number}" for number in range(ASSETS)]
    assets = tuple(
        replace(first, asset=name, instrument=replace(first.instrument, symbol=f"{name}USDT"))
        for name in names
    )
    return replace(rules, assets=assets)


@dataclass
class _Flat:
    """An account in which nothing happens; every price is told of, not one in a while."""

    market: PublicStream
    symbols: dict[str, str]

    def subscribe(self, asset: str, listener: Any) -> Any:
        def tell(ticker: Ticker) -> None:
            listener.on_mark_price(ticker.ts_ms, ticker.mark_price)

        return self.market.tickers(self.symbols[asset], tell)

    def executions(self, _asset: str, _since_ms: int) -> tuple[()]:
        return ()

    def open_orders(self, _asset: str) -> tuple[()]:
        return ()

    def venue_position(self, _asset: str) -> VenuePosition:
        return FLAT
