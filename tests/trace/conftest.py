"""A replay of real candles in which actors crash, and its trace."""

import fcntl
from dataclasses import dataclass
from pathlib import Path

import pytest

from actors.drills.probes import CrashDrill
from bin.bootstrap.recorded import build_replay
from infra.candles.files import read_candles
from infra.process.times import read_time
from infra.settings import load_settings
from infra.store.reader import FactReader
from infra.trace.reader import TraceReader
from tests.replay.runs import finish

SECRETS = {
    "BYBIT_API_KEY": "planted-api-key-8314",
    "BYBIT_API_SECRET": "planted-api-secret-8314",
}


@dataclass(frozen=True, kw_only=True)
class Traced:
    folder: Path
    restarts: int

    @property
    def trace(self) -> Path:
        return self.folder / "trace"

    def reader(self) -> TraceReader:
        return TraceReader(self.trace)

    def facts(self) -> FactReader:
        return FactReader(self.folder / "journal.sqlite")


@pytest.fixture(scope="session")
def traced(tmp_path_factory: pytest.TempPathFactory, worker_id: str, shared_data: Path) -> Traced:
    """Play real candles until a day and a half after the warm-up, with crashes at random."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    folder, done = shared / "traced", shared / "traced.done"
    with (shared / "traced.lock").open("w") as lock:
        # The first of pytest's processes plays it for all.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            folder.mkdir()
            done.write_text(str(_play(folder, shared_data)))
    return Traced(folder=folder, restarts=int(done.read_text()))


def _play(folder: Path, shared_data: Path) -> int:
    settings = load_settings(None, environ=SECRETS, dotenv=None)
    rules = settings.trading_rules()
    series = read_candles(
        shared_data / "market" / "bybit_perp_2025-04_2025-07",
        [asset.instrument.symbol for asset in rules.assets],
        candle_ms=rules.candles.candle_ms,
        from_ms=None,
        to_ms=read_time("--to", "2025-04-17T12:00"),
    )
    candles = {asset.asset: series[asset.instrument.symbol] for asset in rules.assets}
    drill = CrashDrill(0.01, 1)
    run, lockstep = build_replay(
        settings, candles, folder, make_probe=lambda _now_ms: drill, is_lenient=True
    )
    return finish(run, lockstep).restarts
