"""Our backtest beside those of other libraries, in one run on one machine."""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from domain.backtesting.market import Market
from domain.backtesting.run import run_backtest
from domain.market.candles import CandleSeries
from infra.settings import load_settings
from tests.benchmarks.backtest import ROOT, write_market
from tests.benchmarks.made_market import YEAR, made_market

ENVIRONMENT = ROOT / ".venv-peers"
PACKAGES = (
    "backtesting==0.6.6",
    "vectorbt==1.2.0",
    "empyrical-reloaded==0.7.1",
    "raptorbt==0.13.4",
)
PEERS = {
    "backtesting": "no portfolio rules",
    "vectorbt": "no portfolio rules",
    "raptorbt": "one account, most positions, a halt by drawdown; signals made before it",
}
"""With what each has of rules for a portfolio."""


def measure() -> Iterator[tuple[str, str, str]]:
    """Yield the processor time of each, and how many times ours it is.

    Ours keeps all portfolio rules, the others none or their own. "then" is the second run in one
    process, since vectorbt compiles in its first.
    """
    python = _environment()
    with tempfile.TemporaryDirectory() as folder:
        write_market(Path(folder))
        ours_s = min(_processor_seconds(_ours(Path(folder))) for _ in range(3))
        market = made_market(["BTCUSDT", "ETHUSDT", "SOLUSDT"], 4 * YEAR)
        engine_s, trades = min(_engine(market) for _ in range(3))
        shown = f"{engine_s:.2f} s, whole process {ours_s:.1f} s, {trades:,} trades"
        yield "ours, 3 assets x 4 years, all portfolio rules", shown, "1"
        _write_arrays(Path(folder), market)
        for peer, has in PEERS.items():
            peer_s, found = _run(python, peer, Path(folder))
            times = " then ".join(f"{seconds:.3g} s" for seconds in found["seconds"])
            ratios = " then ".join(f"{seconds / engine_s:.2g}" for seconds in found["seconds"])
            shown = f"{times}, whole process {peer_s:.1f} s, {found['trades']:,} trades"
            yield f"{peer}, {has}", shown, f"{ratios}, process {peer_s / ours_s:.2g}"


def _engine(market: dict[str, CandleSeries]) -> tuple[float, int]:
    rules = load_settings(None, environ={}, dotenv=None).trading_rules()
    candles = {asset.asset: market[asset.instrument.symbol] for asset in rules.assets}
    began_s = time.process_time()
    result = run_backtest(Market(candles), rules)
    return time.process_time() - began_s, len(result.trades)


def _ours(folder: Path) -> list[str]:
    files = ["--candles", str(folder), "--trades", str(folder / "trades.csv")]
    return [sys.executable, "-m", "bin.backtest", *files, "--json"]


def _processor_seconds(command: list[str]) -> float:
    def used_s() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    before_s = used_s()
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return used_s() - before_s


def _environment() -> Path:
    python, stamp = ENVIRONMENT / "bin/python", ENVIRONMENT / ".installed"
    if not stamp.exists() or stamp.read_text() != " ".join(PACKAGES):
        print(f"installing {', '.join(PACKAGES)} into {ENVIRONMENT.name}, once", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True)
        log = (ENVIRONMENT / "pip.log").open("w")
        pip = [python, "-m", "pip", "install", *PACKAGES]
        if subprocess.run(pip, stdout=log, stderr=log, check=False).returncode:
            raise RuntimeError(f"pip failed; its words: {log.name}")
        stamp.write_text(" ".join(PACKAGES))
    return python


def _write_arrays(folder: Path, market: dict[str, CandleSeries]) -> None:
    for symbol, series in market.items():
        prices = {name: getattr(series, name) for name in ("open", "high", "low", "close")}
        np.savez(folder / f"{symbol}.npz", open_time=series.open_time_ms, **prices)


def _run(python: Path, peer: str, folder: Path) -> tuple[float, dict]:
    printed = folder / f"{peer}.json"
    script = Path(__file__).with_name("peer_runs.py")
    command = [python, "-I", script, peer, folder, printed]
    seconds = _processor_seconds([str(part) for part in command])
    found = json.loads(printed.read_text())
    return seconds - sum(found["seconds"][1:]), found
