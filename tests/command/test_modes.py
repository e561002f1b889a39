"""Modes that trade an account: their addresses, keys, locks and questions, as real processes."""

import signal
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command.mode_runs import PATIENCE_S, ModeRun, settings_at
from tests.venues.simulator.clients import Client

Start = Callable[..., ModeRun]


def keys(client: Client) -> dict[str, str]:
    return {
        "BYBIT_API_KEY": client.sim.keys.api_key,
        "BYBIT_API_SECRET": client.sim.keys.api_secret,
    }


def margin_mode(client: Client) -> str:
    return client.get("/v5/account/info")["result"]["marginMode"]


def mode_of(run_dir: Path) -> str:
    database = sqlite3.connect(run_dir / "journal.sqlite")
    try:
        return database.execute("SELECT value FROM meta WHERE key = 'mode'").fetchone()[0]
    finally:
        database.close()


@pytest.mark.parametrize("mode", ["testnet", "demo"])
def test_an_account_of_play_money_is_traded_at_once(start: Start, bybit: Client, mode: str) -> None:
    run = start(mode, settings_at(bybit), **keys(bybit))

    run.wait_for("the account's stream works")
    run.wait_for("Check the account")
    code = run.end()

    assert code == 0, run.shown()
    assert mode_of(run.run_dir) == mode
    assert margin_mode(bybit) == "ISOLATED_MARGIN"
    assert bybit.sim.keys.api_secret not in run.shown() + run.log.read_text()


def test_live_shows_account_balance_and_limits_waits_and_then_trades(
    start: Start, bybit: Client
) -> None:
    limited = settings_at(bybit, portfolio={"total_capital": 50})
    run = start("live", limited, LIVE_TRADING="yes", **keys(bybit))

    run.wait_for("the account's stream works")
    code = run.end()

    assert code == 0
    shown = " ".join(run.shown().split())
    for words in (
        "REAL MONEY",
        "uid 592324",
        "10,000.00 USDT",
        "2.50 USDT: closes all",
        "capital 50.00 USDT: too small for BTCUSDT (an entry is 35.00, the smallest order",
        "expected at least 10,000 USDT",
        "mean correlation above 0.9",
    ):
        assert words in shown
    assert "not bound to an IP address" in shown
    assert bybit.sim.keys.api_key not in shown + run.log.read_text()


def test_live_that_is_stopped_while_it_waits_has_done_nothing(start: Start, bybit: Client) -> None:
    run = start("live", settings_at(bybit), LIVE_TRADING="yes", **keys(bybit))
    run.wait_until_shown("Ctrl-C stops it")

    code = run.end()

    assert code == 0
    assert "nothing was done" in run.shown()
    assert margin_mode(bybit) == "REGULAR_MARGIN"
    assert not (run.run_dir / "journal.sqlite").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_start_at_an_exchange_that_says_nothing_stops_when_asked(
    start: Start, number: signal.Signals
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(PATIENCE_S)
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        exchange = {
            "rest_url": f"http://{place}",
            "public_stream_url": f"ws://{place}/v5/public/linear",
            "private_stream_url": f"ws://{place}/v5/private",
        }
        run = start("testnet", {"exchange": exchange}, BYBIT_API_KEY="k", BYBIT_API_SECRET="s")
        asked, _ = silent.accept()

        code = run.end(number)

        asked.close()
    assert code == 0, run.shown()
    assert run.shown().rstrip().endswith("Stopped before it traded.")
    assert "Traceback" not in run.shown()


def test_live_needs_its_word_and_both_keys_and_says_all_of_it(start: Start) -> None:
    run = start("live", {}, LIVE_TRADING="true", BYBIT_API_KEY="a-key", BYBIT_TESTNET="true")

    assert run.code() == 2
    shown = run.shown()
    assert "needs LIVE_TRADING=yes in the environment" in shown
    assert "- BYBIT_API_SECRET must be set" in shown
    assert "exchange.testnet (BYBIT_TESTNET) is true, expected false or nothing" in shown
    assert "Traceback" not in shown


def test_the_word_for_live_does_not_count_in_a_file(start: Start, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LIVE_TRADING=yes\nBYBIT_API_KEY=k\nBYBIT_API_SECRET=s\n")

    run = start("live", {})

    assert run.code() == 2
    assert "needs LIVE_TRADING=yes in the environment" in run.shown()
    assert "must be set" not in run.shown()


def test_one_account_has_one_process_until_that_dies(start: Start, bybit: Client) -> None:
    first = start("testnet", settings_at(bybit), **keys(bybit))
    first.wait_for("the account's stream works")

    elsewhere = start("testnet", settings_at(bybit), run_dir="other", **keys(bybit))
    code, shown = elsewhere.code(), elsewhere.shown()
    first.end(signal.SIGKILL)
    after = start("testnet", settings_at(bybit), run_dir="other", **keys(bybit))
    after.wait_for("the account's stream works")

    assert code == 2
    assert f"another run trades this account (process {first.process.pid})" in shown


def test_hedge_mode_with_a_position_stops_the_start(start: Start, bybit: Client) -> None:
    assert bybit.post("/v5/position/switch-mode", symbol="BTCUSDT", mode=3)["retCode"] == 0
    bybit.control("position", action="open", symbol="BTCUSDT", side="Sell", qty="0.01")

    run = start("testnet", settings_at(bybit), **keys(bybit))

    assert run.code() == 2
    assert "BTCUSDT: the position mode is hedge, expected one-way" in run.shown()
    assert "not changed while a position is open" in run.shown()


def test_a_wrong_key_is_told_in_a_line(start: Start, bybit: Client) -> None:
    wrong = keys(bybit) | {"BYBIT_API_KEY": "not-the-key"}

    run = start("testnet", settings_at(bybit), **wrong)

    assert run.code() == 2
    assert "the exchange cannot be used" in run.shown()
    assert "Traceback" not in run.shown()
    assert "not-the-key" not in run.shown()
