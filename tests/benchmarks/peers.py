"""Our backtest beside those of other libraries, in one run on one machine."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from domain.candles import CandleSeries
from tests.benchmarks.backtest import ROOT, run_process, write_market
from tests.benchmarks.made_market import YEAR, made_market

ENVIRONMENT = ROOT / ".venv-peers"
PACKAGES = ("backtesting==0.6.6", "vectorbt==1.2.0", "empyrical-reloaded==0.7.1")
PEERS = ("backtesting", "vectorbt")


def measure() -> Iterator[tuple[str, str, str]]:
    """Yield seconds of each, and how many times ours they are; ours keeps all portfolio rules."""
    python = _environment()
    with tempfile.TemporaryDirectory() as folder:
        write_market(Path(folder))
        process_s, figures, _ = min((run_process(Path(folder)) for _ in range(3)), key=_seconds)
        engine_s = float(figures["engine_seconds"])
        ours = f"{engine_s:.2f} s, whole process {process_s:.2f} s, {figures['trades']} trades"
        yield "ours, 3 x 4 years, all portfolio rules", ours, "1"
        _write_arrays(Path(folder), made_market(["BTCUSDT", "ETHUSDT", "SOLUSDT"], 4 * YEAR))
        for peer in PEERS:
            peer_s, found = _run(python, peer, Path(folder))
            engines = [f"{seconds / engine_s:.0f}" for seconds in found["seconds"]]
            times = " then ".join(f"{seconds:.2f} s" for seconds in found["seconds"])
            shown = f"{times}, whole process {peer_s:.1f} s, {found['trades']} trades"
            ratio = f"{' then '.join(engines)} x, process {peer_s / process_s:.0f} x"
            yield f"{peer}, no portfolio rules", shown, ratio


def _seconds(run: tuple[float, dict[str, float], int]) -> float:
    return run[0]


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
    script = Path(__file__).with_name("peer_runs.py")
    began_s = time.perf_counter()
    done = subprocess.run(
        [python, "-I", script, peer, folder], capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - began_s
    if done.returncode:
        raise RuntimeError(f"{peer} failed:\n{done.stderr}")
    found = json.loads(done.stdout.splitlines()[-1])
    if peer == "vectorbt":
        seconds -= found["seconds"][1]
    return seconds, found
