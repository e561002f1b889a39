"""A strategy of the user's own in the default run: real processes and the simulated exchange."""

import json
import re
import signal
from pathlib import Path

import pytest

from infra.settings.pairs import instrument_text
from infra.venues.simulator.prices.listed import others_than
from tests.command.test_sim_max import run, write_candles
from tests.command.test_sim_run import SimRun, journal
from tests.replay.runs import made_up_market

PAGE = Path(__file__).resolve().parents[2] / "docs" / "own-strategy.md"

OWN = """
simulation: {speed: 240}
strategy: {entry_max_age_ms: 120000, warmup_candles: 30, volatility_window: 10}
supervision: {shutdown_seconds: 10, max_restarts: 1, hang_seconds: 4, start_seconds: 8}
portfolio:
  total_allocation_pct: 0.5
  assets:
    - {symbol: BTCUSDT, strategy: "examples.own_strategy:Breakout", trail_pct: 0.01,
       leverage: 2, parameters: {channel_candles: 3}}
    - {symbol: ETHUSDT, strategy: "examples.own_strategy:Breakout", trail_pct: 0.01,
       leverage: 2, parameters: {channel_candles: 3}}
"""
FAILING = {
    "SOL": ("QuietRaises", "raised ZeroDivisionError: a made failure"),
    "AVAX": ("QuietNan", "expected one to be a finite number, found nan"),
    "ADA": ("QuietLoops", "8.0 s are allowed"),
    "XRP": ("Guesses", "the same decision whenever the same candles are folded"),
}
"""Strategies by asset, and what is told of each."""


def failing() -> str:
    """Return the lines of the assets whose strategies fail, and their instruments."""
    own = "trail_pct: 0.01, leverage: 2, parameters: {channel_candles: 3}"
    lines = [
        f'    - {{symbol: {asset}USDT, strategy: "tests.domain.foreign:{kind}", {own}}}\n'
        for asset, (kind, _) in FAILING.items()
    ]
    listed = {each.symbol: instrument_text(each) for each in others_than(())}
    wanted = {symbol: listed[symbol] for symbol in (f"{asset}USDT" for asset in list(FAILING)[1:])}
    return f"{''.join(lines)}instruments: {json.dumps(wanted)}\n"


def test_it_trades_longs_at_the_simulated_exchange_while_others_fail(tmp_path: Path) -> None:
    run = SimRun(tmp_path, quick=OWN + failing())
    try:
        told = {
            asset: run.wait_for(lambda line, asset=asset: f"asset/{asset} was given up" in line)
            for asset in FAILING
        }
        # Those that are left open and close once all others are suspended.
        before = len(run.lines())
        for words in ("LONG opened", "LONG closed"):
            run.wait_for(lambda line, words=words: words in line and line in run.lines()[before:])
        code = run.end(signal.SIGINT)
    finally:
        run.process.kill()
        run.process.wait(60)
        run.out.close()

    assert code == 0, run.log.read_text()[-2000:]
    for asset, (_, words) in FAILING.items():
        assert words in told[asset]
    assert "Traceback" not in (tmp_path / "out.txt").read_text()
    stored = journal(run.run_dir, "SELECT DISTINCT asset FROM execution")
    assert {asset for (asset,) in stored} <= {"BTC", "ETH"}


def documented() -> tuple[str, list[list[str]]]:
    """Return the settings and the commands of the page."""
    blocks = re.findall(r"(?ms)^```(\w*)\n(.*?)^```", PAGE.read_text(encoding="utf-8"))
    (settings,) = (text for kind, text in blocks if kind == "yaml")
    commands = next(text for kind, text in blocks if not kind and "bin/check" in text)
    return settings, [line.split() for line in commands.splitlines()]


def test_the_commands_of_the_page_work_in_its_order(tmp_path: Path) -> None:
    settings, commands = documented()
    quick = "\nstrategy: {warmup_candles: 40, volatility_window: 20}\n"
    (tmp_path / "my.yaml").write_text(settings + quick)
    candles = tmp_path / "candles"
    candles.mkdir()
    write_candles(candles, {"BTC": made_up_market(3, 400)["BTC"]})

    *over_files, simulated = commands
    shown = [done(tmp_path, candles, words) for words in over_files]

    assert "No look-ahead" in shown[1]
    for text in shown[2:]:
        assert re.search(r"(?i)breakout|trades", text)
    assert simulated == ["bin/run-actors", "--settings", "my.yaml"]


def done(folder: Path, candles: Path, words: list[str]) -> str:
    command, *options = words
    module = command.replace("/", ".").replace("-", "_")
    given = [str(candles) if word == "DIR" else word for word in options]
    more = ["--run-dir", str(folder / "run")] if module == "bin.run_actors" else []
    found = run(folder, *given, *more, module=module)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


@pytest.mark.parametrize(
    "more", [(), ("--sweep", "risk.stop_loss_pct=0.01,0.02")], ids=["backtest", "sweep"]
)
def test_a_failure_in_a_backtest_or_a_sweep_is_one_line(
    tmp_path: Path, more: tuple[str, ...]
) -> None:
    settings = documented()[0].replace(
        "examples.own_strategy:Breakout", "tests.domain.foreign:QuietRaises"
    )
    (tmp_path / "my.yaml").write_text(settings)
    candles = tmp_path / "candles"
    candles.mkdir()
    write_candles(candles, {"BTC": made_up_market(3, 150)["BTC"]})

    options = ("--candles", candles, "--settings", "my.yaml", *more)
    found = run(tmp_path, *options, module="bin.backtest")

    told = "strategy tests.domain.foreign:QuietRaises, at the close of "
    assert found.returncode == 1, found.stderr
    assert len(found.stderr.splitlines()) == 1, found.stderr
    assert told in found.stderr
    assert "raised ZeroDivisionError: a made failure" in found.stderr
