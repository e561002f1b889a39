"""A strategy of the user's own in the default run: real processes and the simulated exchange."""

import signal
from pathlib import Path

from tests.command.test_sim_run import SimRun, journal

OWN = """
simulation: {speed: 240}
strategy: {entry_max_age_ms: 120000, warmup_candles: 30, volatility_window: 10}
supervision: {shutdown_seconds: 10}
portfolio:
  assets:
    - {symbol: BTCUSDT, strategy: "examples.own_strategy:Breakout", trail_pct: 0.01,
       leverage: 2, parameters: {channel_candles: 3}}
    - {symbol: ETHUSDT, strategy: "examples.own_strategy:Breakout", trail_pct: 0.01,
       leverage: 2, parameters: {channel_candles: 3}}
"""
FAILING = """
    - {symbol: SOLUSDT, strategy: "tests.domain.foreign:QuietRaises", trail_pct: 0.01, leverage: 2}
"""


def test_it_trades_longs_at_the_simulated_exchange_while_another_fails(tmp_path: Path) -> None:
    run = SimRun(tmp_path, quick=OWN + FAILING)
    try:
        run.wait_for(lambda line: "LONG opened" in line)
        run.wait_for(lambda line: "LONG closed" in line)
        told = run.wait_for(lambda line: "asset/SOL was given up" in line)
        code = run.end(signal.SIGINT)
    finally:
        run.process.kill()
        run.process.wait(60)
        run.out.close()

    assert code == 0, run.log.read_text()[-2000:]
    assert "StrategyError" in told
    assert "raised ZeroDivisionError: a made failure" in told
    assert "Traceback" not in (tmp_path / "out.txt").read_text()
    stored = journal(run.run_dir, "SELECT DISTINCT asset FROM execution")
    assert {asset for (asset,) in stored} <= {"BTC", "ETH"}
