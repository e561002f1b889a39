"""From a closed candle to the order that it leads to, through all actors at the pace of a market.

Real are the reading of the stream's messages, the actors, the journal and the trace. The sockets
and the exchange behind the orders are not there: what they take is not this system's.
"""

import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from actors.core.system import Probe
from actors.pace import NoticePace
from actors.watch import LiveChecks
from bin.bootstrap.recorded import build_replay
from bin.bootstrap.run import Run
from domain.market.candles import CandleSeries
from domain.market.instruments import Candle
from domain.trading.orders import OrderRequest, Purpose
from infra.net.live_clock import LiveClock
from infra.process.garbage import spare_the_old
from infra.process.processor import on_one_processor
from infra.settings import Settings, load_settings
from infra.venues.bybit.feed import BybitFeed
from infra.venues.bybit.public_stream import PublicStream
from infra.venues.replay.lockstep import LockStep
from tests.benchmarks.floor import Floor
from tests.benchmarks.made_market import made_market
from tests.system.floor import SETTINGS

WARM_UP = 1_600
CLOSES = 400
RUNS = 3
PERIOD_S = 0.05
"""Between two closes; the fills come in the middle of it, and all is quiet before the next."""
_FOREVER_MS = 10**15
_MIXED = Path(__file__).resolve().parents[2] / "examples/mixed.yaml"


def measure(_candles: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the time from the stream's message to the order handed to the exchange's client."""
    watch, cores = best([one_run() for _ in range(RUNS)])
    yield (
        f"candle close in to order request at the exchange client, 3 assets, best of {RUNS} runs",
        shown(watch.taken_ms()),
        "p50 <= 1 ms, p99 <= 5 ms",
    )
    yield "- entries, by way of the portfolio", shown(sorted(watch.entries_ms)), ""
    yield "- exits, straight from the asset", shown(sorted(watch.exits_ms)), ""
    yield "- one bare row, synced to this disk in between", shown(sorted(watch.floor_ms)), ""
    yield f"- processor, {1 / PERIOD_S:.0f} closes of 3 assets a second", f"{cores:.2f} cores", ""
    watch, cores = best([one_run(changes=two_strategies()) for _ in range(RUNS)])
    yield (
        f"the same, 12 pairs closing at once, two strategies, best of {RUNS} runs",
        shown(watch.taken_ms()),
        "p50 <= 3 ms, p99 <= 10 ms",
    )
    yield f"- processor, {1 / PERIOD_S:.0f} closes of 12 pairs a second", f"{cores:.2f} cores", ""


def two_strategies() -> Mapping[str, Any]:
    """Return the settings of three shorts and nine longs in one account, which trade often."""
    example = yaml.safe_load(_MIXED.read_text(encoding="utf-8"))
    portfolio = example["portfolio"] | SETTINGS["portfolio"]
    return {
        "replay": example["replay"],
        "instruments": example["instruments"],
        "portfolio": portfolio,
        "strategy": SETTINGS["strategy"] | {"warmup_candles": 220},
    }


Beside = Callable[[Run, Settings, Path], AbstractContextManager[object]]
"""What goes on beside a run, while its market is played."""


def one_run(
    beside: Beside | None = None, changes: Mapping[str, Any] | None = None
) -> tuple["Stopwatch", float]:
    """Return the times of one run, and how many cores it kept busy; see `running`."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), changes=changes) as (market, watch),
    ):
        others = (
            nullcontext() if beside is None else beside(market.run, market.settings, Path(folder))
        )
        with others:
            began_s, began_cpu_s = time.perf_counter(), time.process_time()
            market.play(CLOSES, PERIOD_S)
            return watch, (time.process_time() - began_cpu_s) / (time.perf_counter() - began_s)


def best(runs: list[tuple["Stopwatch", float]]) -> tuple["Stopwatch", float]:
    """Return the run that the machine disturbed least."""
    return min(runs, key=lambda run: _cut(run[0].taken_ms(), 0.5))


def shown(found: list[float]) -> str:
    """Return the times of orders as a line."""
    return f"p50 {_cut(found, 0.5):.2f} ms, p99 {_cut(found, 0.99):.2f} ms of {len(found)}"


def _cut(found: list[float], share: float) -> float:
    return found[int(len(found) * share)]


@dataclass
class Stopwatch:
    """Runs from the message of the stream to the order that the client is handed."""

    submit: Callable[..., Any]
    """The exchange's own, which comes after."""
    entries_ms: list[float] = field(default_factory=list)
    exits_ms: list[float] = field(default_factory=list)
    left_out: str = ""
    """An asset whose orders are not counted."""
    floor_ms: list[float] = field(default_factory=list)
    """Of rows that were synced to the same disk half a period after each close."""
    start_s: float = 0.0
    """Of all actors, with their history stored."""
    heard_s: dict[int, dict[str, float]] = field(default_factory=dict)
    """By close, ms, and asset."""

    def taken_ms(self) -> list[float]:
        return sorted(self.entries_ms + self.exits_ms)

    def __call__(self, order: OrderRequest, is_ours: Callable[[], bool]) -> Any:
        sent_s = time.perf_counter()
        _, second, purpose, _ = order.client_order_id.split("-")
        heard = self.heard_s[int(second) * 1000]
        if order.asset == self.left_out:
            return self.submit(order, is_ours)
        if purpose == Purpose.ENTRY:
            # It is granted once all assets have reported the close.
            self.entries_ms.append((sent_s - max(heard.values())) * 1000)
        elif purpose == Purpose.EXIT:
            self.exits_ms.append((sent_s - heard[order.asset]) * 1000)
        return self.submit(order, is_ours)


class _Lines:
    """A thread for each asset's stream, as connections have them, and no socket."""

    def __init__(self, watch: Stopwatch) -> None:
        self._watch = watch
        self._read: dict[str, Callable[[Any], None]] = {}
        self._next: dict[str, Any] = {}
        self._barrier: threading.Barrier | None = None

    def subscribe(self, topic: str, read: Callable[[Any], None], **_: Any) -> "_Lines":
        self._read[topic.rpartition(".")[2]] = read
        return self

    def close(self) -> None:
        """End a subscription: nothing is held."""

    def connect(self, assets: Mapping[str, str]) -> None:
        self._barrier = threading.Barrier(len(assets) + 1)
        for asset, symbol in assets.items():
            threading.Thread(target=self._run, args=(asset, symbol), daemon=True).start()

    def push(self, messages: dict[str, Any]) -> None:
        assert self._barrier is not None
        self._next = messages
        self._barrier.wait()

    def _run(self, asset: str, symbol: str) -> None:
        assert self._barrier is not None
        while True:
            self._barrier.wait()
            message = self._next[asset]
            if message is None:
                return
            heard = self._watch.heard_s.setdefault(message["ts"], {})
            heard[asset] = time.perf_counter()
            self._read[symbol](message)


class _Past:
    """Answers for the candles before the first close that is played."""

    def __init__(self, candles: Mapping[str, CandleSeries]) -> None:
        self._candles = candles

    def kline(self, symbol: str, from_ms: int, until_ms: int, *, candle_ms: int) -> list[Candle]:
        del candle_ms
        series = self._candles[symbol.removesuffix("USDT")]
        every = (series.candle(place) for place in range(len(series)))
        return [c for c in every if c.open_time_ms >= from_ms and c.close_time_ms <= until_ms]


@dataclass
class _Market:
    """Hands in closes at a steady pace, and fills what was sent."""

    run: Run
    settings: Settings
    lockstep: LockStep
    lines: _Lines
    floor: Floor

    def play(self, closes: int, period_s: float) -> None:
        candles = self.lockstep.candles
        due_s = time.perf_counter()
        for place in range(WARM_UP, WARM_UP + closes):
            closing = {asset: series.candle(place) for asset, series in candles.items()}
            t_ms = next(iter(closing.values())).close_time_ms
            self.lockstep.clock.step(t_ms)
            self.lockstep.exchange.trade_inside(closing.items())
            messages = {asset: _message(asset, candle) for asset, candle in closing.items()}
            due_s = max(due_s + period_s / 2, time.perf_counter())
            time.sleep(due_s - time.perf_counter() + 0.001)
            self.lines.push(messages)
            due_s += period_s / 2
            time.sleep(max(0.0, due_s - time.perf_counter()))
            self.floor.sync()
            prices = {asset: candle.close for asset, candle in closing.items()}
            self.lockstep.exchange.fill_at_close(prices, t_ms)
        self.lines.push(dict.fromkeys(candles))


def _message(asset: str, candle: Candle) -> dict[str, Any]:
    prices = {name: str(getattr(candle, name)) for name in ("open", "high", "low", "close")}
    times = {"start": candle.open_time_ms, "end": candle.close_time_ms - 1, "interval": "5"}
    item = {**prices, **times, "volume": "1", "confirm": True, "timestamp": candle.close_time_ms}
    topic = f"kline.5.{asset}USDT"
    return {"topic": topic, "type": "snapshot", "ts": candle.close_time_ms, "data": [item]}


@contextmanager
def running(
    folder: Path, probe: Probe | None = None, changes: Mapping[str, Any] | None = None
) -> Iterator[tuple[_Market, Stopwatch]]:
    """Start all actors behind a stream that only needs to be played.

    Args:
        folder: of the run.
        probe: fails the actors, which are then restarted at once and without limit.
        changes: of the settings.
    """
    file = folder / "settings.yaml"
    file.write_text(json.dumps({**SETTINGS, **(changes or {})}))
    settings = load_settings(file, environ={}, dotenv=None)
    rules = settings.trading_rules()
    symbols = {asset.asset: asset.instrument.symbol for asset in rules.assets}
    series = made_market(list(symbols), WARM_UP + CLOSES)
    run, lockstep = build_replay(
        settings,
        series,
        folder,
        make_probe=None if probe is None else lambda _: probe,
        is_lenient=probe is not None,
    )
    exchange: Any = lockstep.exchange
    exchange.submit = watch = Stopwatch(exchange.submit)
    lines = _Lines(watch)
    pool: Any = lines
    past: Any = _Past(series)
    journals, now_ms = run.ports.journals, lockstep.clock.now_ms
    lockstep.clock.step(int(next(iter(series.values())).open_time_ms[WARM_UP]))
    feed = BybitFeed(
        past,
        PublicStream(pool, candle_minutes=5),
        lambda address: journals.open(address, lambda: None),
        journals.recent_candles,
        symbols=symbols,
        candle_ms=rules.candles.candle_ms,
        history=WARM_UP,
        now_ms=now_ms,
    )
    clock = LiveClock(now_ms)
    run.ports = replace(run.ports, feed=feed, clock=clock)
    # Once a second, at this pace.
    every_ms = int(rules.candles.candle_ms / PERIOD_S)
    run.checks = LiveChecks(every_ms=every_ms, stale_ms=_FOREVER_MS)
    run.telling = NoticePace.at_speed(1.0)
    with on_one_processor():
        with journals.connected():
            for asset in symbols:
                feed.history(asset)
        began_s = time.perf_counter()
        run.start()
        lines.connect(symbols)
        run.wait_quiet()
        watch.start_s = time.perf_counter() - began_s
        spare_the_old()
        floor = Floor(folder / "floor.sqlite")
        watch.floor_ms = floor.taken_ms
        try:
            yield _Market(run, settings, lockstep, lines, floor), watch
        finally:
            floor.close()
            run.stop(30.0)
            clock.close()
