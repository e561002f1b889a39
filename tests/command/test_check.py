"""`bin/check` as a user meets it: its lines, its exit code, and that it changes nothing."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.command.mode_runs import environment, settings_at
from tests.operator.notices.bot_api import TOKEN, running_bot_api
from tests.postgres_cluster import running_cluster
from tests.postgres_server import made_cluster, wait_until_streaming
from tests.programs import run_program
from tests.venues.simulator.clients import Client, running


@pytest.fixture
def bybit() -> Iterator[Client]:
    """Yield a client of an exchange whose clock is the machine's."""
    with running(speed=1) as client:
        yield client


def check(
    folder: Path, mode: str, settings: dict[str, Any], *more: str, **env: str
) -> tuple[int, dict[str, list[str]], str]:
    """Return exit code, levels by name, and everything shown."""
    (folder / "settings.yaml").write_text(json.dumps(settings))
    done = run_program(
        *("bin.check", "--mode", mode, "--run-dir", str(folder / "run")),
        *("--settings", str(folder / "settings.yaml"), *more),
        cwd=folder,
        env=environment(folder, **env),
        timeout_s=100,
    )
    assert done.stderr == ""
    levels: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        levels.setdefault(line[5:29].strip(), []).append(line[:5].strip())
    return done.returncode, levels, done.stdout


def keys(client: Client) -> dict[str, str]:
    return {
        "BYBIT_API_KEY": client.sim.keys.api_key,
        "BYBIT_API_SECRET": client.sim.keys.api_secret,
    }


def settings(client: Client, **more: object) -> dict[str, Any]:
    return settings_at(client, speed=1, **more)


def test_an_account_is_looked_at_and_left_as_it_is(tmp_path: Path, bybit: Client) -> None:
    code, levels, shown = check(tmp_path, "testnet", settings(bybit), **keys(bybit))

    assert code == 0, shown
    assert levels["margin mode"] == ["warn"]
    assert levels["API key"] == ["warn"]
    for name in (
        "settings",
        "run directory",
        "disk",
        "database",
        "network",
        "clock offset",
        "public stream",
        "private stream",
        "account type",
        "balance",
        *(f"{asset}USDT {what}" for asset in ("BTC", "ETH", "SOL") for what in ("size", "stop")),
        *(f"{asset}USDT {what}" for asset in ("BTC", "ETH") for what in ("leverage",)),
    ):
        assert levels[name] == ["ok"], shown
    assert bybit.get("/v5/account/info")["result"]["marginMode"] == "REGULAR_MARGIN"
    assert not (tmp_path / "run").exists()
    assert bybit.sim.keys.api_secret not in shown


def test_what_cannot_be_set_fails_with_the_reason(tmp_path: Path, bybit: Client) -> None:
    bybit.post("/v5/position/switch-mode", symbol="BTCUSDT", mode=3)
    bybit.control("position", action="open", symbol="BTCUSDT", side="Sell", qty="0.01")

    code, levels, shown = check(tmp_path, "live", settings(bybit), **keys(bybit))

    assert code == 1
    assert levels["BTCUSDT position mode"] == levels["margin mode"] == ["FAIL"]
    assert levels["LIVE_TRADING"] == ["warn"]
    assert "--mode live should not start: margin mode, BTCUSDT position mode" in shown
    assert "hedge; expected one-way; close the position" in shown


def test_a_position_of_no_asset_is_told(tmp_path: Path, bybit: Client) -> None:
    bybit.control("position", action="open", symbol="SOLUSDT", side="Sell", qty="5")
    assets = [
        {"symbol": f"{name}USDT", "allocation_pct": 0.07, "leverage": 10, "enabled": True}
        for name in ("BTC", "ETH")
    ]

    _, levels, shown = check(
        tmp_path, "testnet", settings(bybit, portfolio={"assets": assets}), **keys(bybit)
    )

    assert levels["positions"] == ["warn"]
    assert "SELL 5 SOLUSDT, which has no stop" in shown


def test_a_balance_too_small_for_the_smallest_order_fails(tmp_path: Path, bybit: Client) -> None:
    small = settings(bybit, replay={"initial_balance": 60})

    code, levels, shown = check(tmp_path, "paper", small)

    assert code == 1
    assert levels["BTCUSDT size"] == ["FAIL"]
    assert "the smallest order" in shown
    assert levels["balance"] == ["ok"]
    assert "API key" not in levels


def test_a_capital_below_what_is_recommended_is_warned_of_in_figures(
    tmp_path: Path, bybit: Client
) -> None:
    limited = settings(bybit, portfolio={"total_capital": 150})

    code, levels, shown = check(tmp_path, "testnet", limited, **keys(bybit))

    (line,) = (line for line in shown.splitlines() if line[5:].startswith("capital "))
    assert (code, levels["capital"]) == (0, ["warn"]), shown
    assert "150.00 USDT: " in line
    assert "expected at least 10,000 USDT" in line
    assert "too small for reduced entries of BTCUSDT (" in line
    assert "ETHUSDT" not in line


def test_missing_keys_and_a_damaged_database_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "journal.sqlite").write_text("this is no database, but long enough" * 9)

    code, levels, shown = check(tmp_path, "demo", {})

    assert code == 1
    assert levels["database"] == levels["mode"] == ["FAIL"]
    assert "file is not a database" in shown
    assert "BYBIT_API_KEY and BYBIT_API_SECRET must be set" in shown


def test_a_server_of_the_journal_that_is_not_there_fails_with_what_to_do(tmp_path: Path) -> None:
    nowhere = {"url": f"postgresql:///trading?host={tmp_path}"}

    code, levels, shown = check(tmp_path, "sim", {"database": nowhere})

    assert code == 1
    assert levels["database"] == ["FAIL"]
    assert "see to the server and docs/postgresql.md" in shown


def test_a_server_whose_standbys_may_lag_behind_is_warned_of(tmp_path: Path) -> None:
    with running_cluster() as primary, made_cluster(primary):
        wait_until_streaming(primary)

        code, levels, shown = check(tmp_path, "sim", {"database": {"url": primary.url()}})

    assert code == 0, shown
    assert levels["database"] == ["warn", "ok"]
    assert "a failover may lose the latest facts; expected a synchronous standby; set " in shown


def test_a_server_that_may_lose_what_it_confirms_fails(tmp_path: Path) -> None:
    with running_cluster() as server:
        server.kill()
        server.start(fsync="off")

        code, levels, shown = check(tmp_path, "sim", {"database": {"url": server.url()}})

    assert (code, levels["database"]) == (1, ["FAIL"]), shown
    assert "set fsync = on" in shown


def test_wrong_settings_are_all_told_and_end_the_check(tmp_path: Path) -> None:
    code, levels, shown = check(tmp_path, "sim", {"risk": {"stop_loss_pct": 7, "nonsense": 1}})

    assert code == 1
    assert levels["settings"] == ["FAIL", "FAIL"]
    assert "network" not in levels
    assert "should not start: settings" in shown


def test_an_exchange_that_is_not_there_fails_in_a_line(tmp_path: Path) -> None:
    gone = {
        "exchange": {
            "rest_url": "http://127.0.0.1:9",
            "public_stream_url": "ws://127.0.0.1:9/v5/public/linear",
            "private_stream_url": "ws://127.0.0.1:9/v5/private",
        }
    }

    code, levels, _ = check(tmp_path, "paper", gone)

    assert code == 1
    assert levels["exchange"] == ["FAIL"]


def test_the_default_mode_needs_no_exchange(tmp_path: Path) -> None:
    code, levels, shown = check(tmp_path, "sim", {})

    assert code == 0, shown
    assert levels["exchange"] == ["ok"]


TELEGRAM = {"TELEGRAM_CHANNEL_ID": "-1", "TELEGRAM_ADMIN_CHAT_ID": "77"}


def test_the_key_and_the_place_of_backups_are_tried(tmp_path: Path) -> None:
    wanted = {"backup": {"url": str(tmp_path / "backups"), "key": f"file:{tmp_path / 'key'}"}}

    code, levels, shown = check(tmp_path, "sim", wanted)
    assert (code, levels["backup"]) == (1, ["FAIL"])
    assert f"{tmp_path / 'key'}: cannot be read" in shown

    (tmp_path / "key").write_text("ab" * 32)
    (tmp_path / "key").chmod(0o600)
    code, levels, shown = check(tmp_path, "sim", wanted)
    assert (code, levels["backup"]) == (0, ["ok"])
    assert f"{tmp_path / 'backups' / 'sim'}, 0 files" in shown
    assert not (tmp_path / "backups").exists()


def test_a_test_message_goes_to_each_channel_once(tmp_path: Path) -> None:
    with running_bot_api() as api:
        env = {**TELEGRAM, "TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_SERVER": api.url}
        code, _, shown = check(tmp_path, "sim", {}, **env)
        assert (code, api.attempts) == (0, 0), shown

        code, levels, shown = check(tmp_path, "sim", {}, "--send-test", **env)

    assert code == 0, shown
    assert levels["telegram test"] == levels["telegram_admin test"] == ["ok"]
    assert sorted(sent.chat_id for sent in api.sent) == ["-1", "77"]
    assert all(text.startswith("[sim] A test of this channel") for text in api.texts())


def test_a_refused_token_fails_the_check_and_is_not_shown(tmp_path: Path) -> None:
    with running_bot_api() as api:
        api.is_refusing = True
        env = {**TELEGRAM, "TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_SERVER": api.url}
        code, levels, shown = check(tmp_path, "sim", {}, "--send-test", **env)

    assert code == 1
    assert levels["telegram test"] == levels["telegram_admin test"] == ["FAIL"]
    assert TOKEN.partition(":")[2] not in shown


def test_a_group_in_which_nobody_is_obeyed_is_named(tmp_path: Path) -> None:
    env = {"TELEGRAM_ADMIN_CHAT_ID": "-5", "TELEGRAM_BOT_TOKEN": TOKEN}
    code, levels, shown = check(tmp_path, "sim", {}, **env)

    assert (code, levels["notifications"]) == (0, ["warn"])
    assert "set TELEGRAM_USER_IDS" in shown


def test_what_holds_for_each_pair_is_explained_before_the_checks(tmp_path: Path) -> None:
    more = {"risk": {"leverage_per_asset": "5"}}

    code, levels, shown = check(tmp_path, "sim", more, "--explain")

    lines = shown.splitlines()
    assert code == 0, shown
    assert levels["settings"] == ["ok"]
    assert lines[0].endswith("risk.leverage_per_asset: read as portfolio.assets[*].leverage")
    assert "BTCUSDT: ema_cross_short" in lines
    row = next(line for line in lines if line.startswith("  leverage "))
    assert row.split()[1] == "5"
    assert row.endswith("settings.yaml:1 (risk.leverage_per_asset)")


def test_variables_without_effect_are_warned_of(tmp_path):
    told = environment(tmp_path, BYBIT_DEMO="true", MAX_PATIENCE="4")
    found = run_program("bin.check", cwd=tmp_path, env=told)

    assert found.returncode == 0
    told = [line for line in found.stdout.splitlines() if line.startswith("warn variables")]
    assert len(told) == 2
    assert "--mode demo does" in told[0]
    assert "nothing reads the variable MAX_PATIENCE" in told[1]
