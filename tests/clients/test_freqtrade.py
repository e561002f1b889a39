"""freqtrade, live and unmodified but for the address, with its stop on the exchange."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from infra.venues.simulator.gate import DEFAULT_KEYS
from tests.clients.cache import cached
from tests.clients.documented import documented
from tests.venues.simulator.clients import BTC, Client, eventually, running

PACKAGES = ("freqtrade==2026.9",)
RUN_S = 600
"""How long it trades."""
STRATEGY = """
from freqtrade.strategy import IStrategy

class Always(IStrategy):
    can_short, timeframe, startup_candle_count = True, "5m", 1
    minimal_roi, stoploss = {"0": 10}, -0.02
    order_types = {"entry": "market", "exit": "market", "stoploss": "market",
                   "stoploss_on_exchange": True}
    def populate_indicators(self, candles, metadata): return candles
    def populate_entry_trend(self, candles, metadata): return candles.assign(enter_long=1)
    def populate_exit_trend(self, candles, metadata): return candles
    def leverage(self, **_): return 3.0
"""
pytestmark = [pytest.mark.clients, pytest.mark.complete, pytest.mark.timeout(RUN_S + 1_800)]


@pytest.fixture(scope="module")
def program() -> Path:
    """Return the command, installed once."""

    def commands(folder: Path) -> list[list[str]]:
        make = [sys.executable, "-m", "venv", str(folder / "venv")]
        return [make, [str(folder / "venv/bin/pip"), "install", "--quiet", *PACKAGES]]

    return cached("freqtrade", PACKAGES, commands) / "venv/bin/freqtrade"


def configuration(client: Client, folder: Path) -> dict:
    """Return the documented one, with what it does not say of files and pace."""
    return json.loads(documented("json", "ccxt_config", client)) | {
        "internals": {"process_throttle_secs": 1},
        "db_url": f"sqlite:///{folder}/trades.sqlite",
        "user_data_dir": str(folder),
    }


@contextmanager
def trading(program: Path, client: Client, folder: Path) -> Iterator[subprocess.Popen]:
    (folder / "strategies").mkdir(exist_ok=True)
    (folder / "strategies/always.py").write_text(STRATEGY)
    (folder / "config.json").write_text(json.dumps(configuration(client, folder)))
    kept = {name: v for name, v in os.environ.items() if not name.lower().endswith("_proxy")}
    kept.pop("PYTHONPATH", None)
    options = ("--config", "config.json", "--strategy", "Always", "--userdir", str(folder))
    with (folder / "output").open("w") as output:
        bot = subprocess.Popen(
            [str(program), "trade", *options],
            cwd=folder,
            env=kept,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield bot
        finally:
            bot.terminate()
            bot.wait(60)


def closed_trades(folder: Path) -> list[str]:
    """Return why its own books say that each closed trade was closed."""
    with sqlite3.connect(f"file:{folder}/trades.sqlite?mode=ro", uri=True) as books:
        rows = books.execute("SELECT exit_reason FROM trades WHERE NOT is_open ORDER BY id")
        return [reason for (reason,) in rows]


def test_it_trades_for_ten_minutes_and_its_stops_are_on_the_exchange(
    program: Path, tmp_path: Path
) -> None:
    ends_s, stops = time.monotonic() + RUN_S, 0
    with running(keys=DEFAULT_KEYS) as client, trading(program, client, tmp_path) as bot:
        while time.monotonic() < ends_s:
            # Each of its entries gets a stop, is stopped out, and is followed by another.
            stop = _wait_for_stop(client, bot)
            client.control("price", symbol=BTC, price=str(float(stop["triggerPrice"]) - 50))
            stops += 1
            eventually(
                lambda: closed_trades(tmp_path), lambda rows, least=stops: len(rows) >= least
            )
            assert bot.poll() is None
        executions = client.records()["executions"]

    assert stops > 1
    assert closed_trades(tmp_path)[:stops] == ["stoploss_on_exchange"] * stops
    assert len({row["orderId"] for row in executions if row["side"] == "Sell"}) == stops
    assert "Traceback" not in (tmp_path / "output").read_text()


def _wait_for_stop(client: Client, bot: subprocess.Popen) -> dict:
    ends_s = time.monotonic() + 400  # after a stop it waits for the next candle
    while time.monotonic() < ends_s and bot.poll() is None:
        found = [row for row in client.state()["open_orders"] if row["stopOrderType"] == "Stop"]
        if found:
            return found[0]
        with suppress(subprocess.TimeoutExpired):
            bot.wait(0.5)
    raise AssertionError("the bot set no stop")
