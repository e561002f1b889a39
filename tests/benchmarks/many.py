"""What each asset more costs: a replay of 3 to 100 assets, and the start of all their actors."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from loguru import logger

from bin.bootstrap.recorded import build_replay
from infra.process.garbage import spare_the_old
from infra.process.processor import on_one_processor
from infra.settings import load_settings
from tests.benchmarks.close import WARM_UP, running
from tests.benchmarks.made_market import made_market

COUNTS = (3, 12, 30, 100)
CLOSES = 1_000
"""Of each replay; the strategy is warm after 700."""
_ROOT = Path(__file__).resolve().parents[2]
_INSTRUMENT = {
    "qty_step": "0.1",
    "min_order_qty": "0.1",
    "tick_size": "0.01",
    "min_notional_value": "5",
    "max_market_order_qty": "9690",
}


def measure(_candles: Path) -> Iterator[tuple[str, str, str]]:
    """Yield what a candle and an asset cost, by the number of assets; each in its own process."""
    found = {count: _child(count) for count in COUNTS}
    for count, each in found.items():
        yield (
            f"replay of {count} assets, processor an asset and candle",
            f"{each['us']:.0f} us, {each['mib']:.0f} MiB",
            "linear: the same for all",
        )
    first, last = found[COUNTS[0]], found[COUNTS[-1]]
    each_mib = (last["mib"] - first["mib"]) / (COUNTS[-1] - COUNTS[0])
    yield "- memory of an asset more", f"{each_mib:.2f} MiB", ""
    yield (
        f"start of the actors of {COUNTS[-1]} assets, {WARM_UP:,} stored candles each",
        f"{last['start_s']:.2f} s",
        "<= 3 s",
    )


def settings_of(count: int) -> dict[str, Any]:
    """Return what differs from the default for assets of that number."""
    symbols = [f"A{number}USDT" for number in range(count)]
    share = 0.9 / count
    assets = [{"symbol": name, "allocation_pct": share, "leverage": 1} for name in symbols]
    portfolio = {"assets": assets, "total_allocation_pct": 1.0, "max_positions": count}
    return {
        "strategy": {"warmup_candles": 700},
        "portfolio": portfolio,
        "replay": {"initial_balance": 1_000_000},
        "instruments": dict.fromkeys(symbols, _INSTRUMENT),
    }


def _child(count: int) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.many", str(count)]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main(count: int) -> dict[str, float]:
    """Return microseconds of processor an asset's candle, MiB of memory, and seconds of a start."""
    with tempfile.TemporaryDirectory() as folder:
        found = _replayed(count, Path(folder))
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), changes=settings_of(count)) as (_, watch),
    ):
        return found | {"start_s": watch.start_s}


@on_one_processor()
def _replayed(count: int, folder: Path) -> dict[str, float]:
    file = folder / "settings.yaml"
    file.write_text(json.dumps(settings_of(count)))
    settings = load_settings(file, environ={}, dotenv=None)
    names = [asset.asset for asset in settings.trading_rules().assets]
    run, lockstep = build_replay(settings, made_market(names, CLOSES), folder)
    run.start()
    spare_the_old()
    began_s = time.process_time()
    played = sum(candles for _, candles in lockstep.steps(run.wait_quiet))
    used_s = time.process_time() - began_s
    mib = psutil.Process().memory_info().rss / 2**20
    run.stop(60.0)
    return {"us": used_s / played * 1e6, "mib": mib}


if __name__ == "__main__":
    logger.remove()
    print(json.dumps(main(int(sys.argv[1]))))
