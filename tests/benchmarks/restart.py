"""How long an actor takes from its crash to being ready, its history in memory."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import quantiles

from actors.core.system import Moment
from bin.bootstrap.recorded import build_replay
from infra.candles.files import read_candles
from infra.process.garbage import spare_the_old
from infra.process.processor import on_one_processor
from infra.settings import load_settings

CRASHES = 100


def measure(candles: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the times from a crash to the ready successor, back-off left out."""
    for names in (("asset/BTC",), ("portfolio",), ("asset/BTC", "portfolio")):
        at_once = " while another restarts" if len(names) > 1 else ""
        for name, times in _crash_all(candles, names).items():
            cuts = quantiles(times, n=100)
            figures = f"p50 {cuts[49] * 1000:.1f} ms, p99 {cuts[98] * 1000:.1f} ms"
            yield f"restart of {name} to its first message{at_once}", figures, "<= 50 ms"


def _crash_all(candles: Path, names: Sequence[str]) -> dict[str, list[float]]:
    """Return the seconds that each restart took, by actor; all crash at the same messages."""
    settings = load_settings(None, environ={}, dotenv=None)
    rules = settings.trading_rules()
    symbols = {asset.instrument.symbol: asset.asset for asset in rules.assets}
    read = read_candles(candles, list(symbols), candle_ms=rules.candles.candle_ms)
    series = {symbols[symbol]: found for symbol, found in read.items()}
    starts: dict[str, float] = {}
    taken: dict[str, list[float]] = {name: [] for name in names}
    is_on = [False]

    def probe(address: str, moment: Moment) -> None:
        if address not in taken or not is_on[0]:
            return
        if moment is Moment.START:
            starts[address] = time.perf_counter()
        elif moment is Moment.BEFORE_WORK:
            if address in starts:
                taken[address].append(time.perf_counter() - starts.pop(address))
            if len(taken[address]) < CRASHES:
                raise RuntimeError("benchmark")

    with tempfile.TemporaryDirectory() as folder, on_one_processor():
        run, lockstep = build_replay(
            settings, series, Path(folder), make_probe=lambda _now_ms: probe, is_lenient=True
        )
        run.start()
        spare_the_old()
        for t_ms, _ in lockstep.steps(run.wait_quiet):
            if t_ms >= int(series["BTC"].open_time_ms[-CRASHES]):
                is_on[0] = True
        run.stop(30.0)
    return taken
