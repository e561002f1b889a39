"""The running system at a simulated exchange in a process of its own: its way from a close to an
order, and its memory.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from bin.bootstrap import Run, build_live
from bin.simulated import SimulatedVenue
from domain.market import Candle
from domain.orders import OrderRequest, Purpose
from infra.settings import load_settings
from tests.system.floor import SETTINGS

SPEED = 600.0
ORDERS = 80
PATIENCE_S = 90.0
MEMORY_S = 25.0
_ROOT = Path(__file__).resolve().parents[2]


def measure(_candles: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the time from a close to the order that it leads to, and the memory of the default."""
    with tempfile.TemporaryDirectory() as folder, _running(Path(folder)) as watch:
        deadline_s = time.monotonic() + PATIENCE_S
        while len(watch.taken_ms) < ORDERS and time.monotonic() < deadline_s:
            time.sleep(0.5)
        found = sorted(watch.taken_ms)
    assert found, "no order was sent"
    p50, p99 = (found[int(len(found) * share)] for share in (0.5, 0.99))
    yield (
        f"candle close in to order request at the exchange client, 3 assets, {len(found)} orders",
        f"p50 {p50:.2f} ms, p99 {p99:.2f} ms",
        "p50 <= 1 ms, p99 <= 5 ms",
    )
    yield "memory of the running system, 3 assets", f"{_memory_mib():.0f} MiB", "<= 150 MB"


class _Stopwatch:
    """Runs from the candle that the stream hands over to the order that the client is handed."""

    def __init__(self, run: Run) -> None:
        self.taken_ms: list[float] = []
        self._heard_s: dict[int, dict[str, float]] = {}
        feed: Any = run.ports.feed
        exchange: Any = run.ports.exchange
        self._subscribe, feed.subscribe = feed.subscribe, self.subscribe
        self._submit, exchange.submit = exchange.submit, self.submit

    def subscribe(self, asset: str, on_candle: Callable[[Candle], None], *others: Any) -> Any:
        def timed(candle: Candle) -> None:
            heard = self._heard_s.setdefault(candle.close_time_ms // 1000, {})
            heard[asset] = time.perf_counter()
            on_candle(candle)

        return self._subscribe(asset, timed, *others)

    def submit(self, order: OrderRequest, is_ours: Callable[[], bool]) -> Any:
        sent_s = time.perf_counter()
        _, second, purpose, attempt = order.client_order_id.split("-")
        heard = self._heard_s.get(int(second), {})
        if attempt == "1" and heard:
            # An entry is granted once all assets have reported the close.
            began_s = max(heard.values()) if purpose == Purpose.ENTRY else heard[order.asset]
            self.taken_ms.append((sent_s - began_s) * 1000)
        return self._submit(order, is_ours)


@contextmanager
def _running(folder: Path) -> Iterator[_Stopwatch]:
    file = folder / "settings.yaml"
    file.write_text(json.dumps(SETTINGS))
    settings = load_settings(file, environ={}, dotenv=None)
    market = {"--speed": str(SPEED), "--seed": "1"}
    exchange = SimulatedVenue(settings, folder, market, file)
    run, connection = build_live(settings, replace(exchange.venue, speed=SPEED), folder, "sim")
    watch = _Stopwatch(run)
    connection.start()
    run.start()
    try:
        yield watch
    finally:
        run.stop(10.0)
        connection.close()
        exchange.close()


def _memory_mib() -> float:
    """Return the most that the default run held, without its simulated exchange."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "bin.run_actors", "--run-dir", folder],
            cwd=_ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        most, deadline_s = 0, time.monotonic() + MEMORY_S
        try:
            while time.monotonic() < deadline_s and process.poll() is None:
                most = max(most, psutil.Process(process.pid).memory_info().rss)
                time.sleep(0.5)
            assert process.poll() is None, "the system ended by itself"
        finally:
            process.terminate()
            process.wait(30)
    return most / 2**20
