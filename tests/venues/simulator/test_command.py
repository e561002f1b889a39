"""The command as a process: its words, its faults file, and its memory over a kill."""

import json
import os
import signal
import subprocess
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from infra.venues.simulator.gate import Keys
from tests.programs import Program, run_program
from tests.venues.simulator.clients import BTC, Client, eventually

ROOT = Path(__file__).resolve().parents[3]
_NUMBERS = count()


@contextmanager
def process(tmp_path: Path, *arguments: object):
    """Yield the running command and a client of it."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    shown = tmp_path / f"exchange-{next(_NUMBERS)}.txt"
    running = Program(
        *("bin.sim_exchange", "--port", "0", *map(str, arguments)),
        cwd=tmp_path,
        env=kept | {"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"},
        stdout=shown,
    )
    try:
        url = eventually(lambda: listening(running, shown), bool)
        keys = Keys(api_key="k", api_secret="s")
        sim = SimpleNamespace(base_url=url, ws_url=url.replace("http", "ws"), keys=keys)
        yield running, Client(sim)
    finally:
        running.kill()
        running.wait(10)


def listening(running: Program, shown: Path) -> str:
    """Return where it listens; empty where it does not yet."""
    text = shown.read_text() if shown.exists() else ""
    assert running.poll() is None, text
    line, end, _ = text.partition("\n")
    return line.removeprefix("listening on ") if end else ""


def wrong_use(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Return the end of a command that cannot start."""
    words = ("bin.sim_exchange", "--port", "0", *arguments)
    return run_program(*words, cwd=tmp_path, env=os.environ | {"COLUMNS": "200"})


KEYS = ("--api-key", "k", "--api-secret", "s")


def has_met_the_book(rows: list[dict]) -> bool:
    """Tell whether both stops rest, and the limit order is more than acknowledged."""
    limits = [row for row in rows if row["orderLinkId"] == "l"]
    return len(rows) == 3 and all(row["updatedTime"] > row["createdTime"] for row in limits)


def test_orders_positions_stops_and_money_survive_a_kill(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    names = ("wallet", "positions", "seed", "margin_mode")
    with process(tmp_path, *KEYS, "--seed", 5, "--state", state) as (running, client):
        client.post("/v5/account/set-margin-mode", setMarginMode="ISOLATED_MARGIN")
        client.control("transfer", amount="250")
        client.short("0.02")
        client.order("Buy", "0.01", orderType="Limit", price=client.at("0.97"), orderLinkId="l")
        eventually(client.open_orders, has_met_the_book)
        before, records = client.state(), client.records()
        stops = sorted(o["triggerPrice"] for o in client.open_orders())
        running.send_signal(signal.SIGKILL)
        running.wait(10)
    with state.open("ab") as file:
        file.write(b'["order",{"half')

    with process(tmp_path, *KEYS, "--state", state) as (_, client):
        after, again = client.state(), client.records()
        assert client.order("Sell", "0.01", orderLinkId="l")["retCode"] == 110072
        assert sorted(o["triggerPrice"] for o in client.open_orders()) == stops
        client.control("price", symbol=BTC, factor="1.03")
        closed = client.get("/v5/position/closed-pnl", symbol=BTC)["result"]["list"]

    moving = {"markPrice", "unrealisedPnl", "positionIM", "positionIMByMp", "positionMM"}
    moving |= {"positionMMByMp", "positionBalance"}
    for name in names:
        assert _still(after[name], moving) == _still(before[name], moving), name
    assert again == records
    assert after["time_ms"] > before["time_ms"]
    assert closed[0]["closedSize"] == "0.02"


def test_an_order_that_was_only_acknowledged_fills_after_a_kill(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    with process(tmp_path, *KEYS, "--state", state) as (running, client):
        client.control("faults", kind="slow_matching", seconds=600)
        accepted = client.order("Sell", "0.01", orderLinkId="slow")
        running.send_signal(signal.SIGKILL)
        running.wait(10)

    with process(tmp_path, *KEYS, "--state", state) as (_, client):
        order = client.done("slow")

    assert order["orderId"] == accepted["result"]["orderId"]
    assert order["orderStatus"] == "Filled"


def test_what_is_not_traded_any_more_is_still_there(tmp_path: Path) -> None:
    state, settings = tmp_path / "state.jsonl", tmp_path / "settings.yaml"
    memory = (*KEYS, "--state", state, "--settings", settings)
    asset = {"allocation_pct": 0.07, "leverage": 10, "enabled": True}
    both = [{"symbol": symbol} | asset for symbol in (BTC, "ETHUSDT")]
    settings.write_text(json.dumps({"portfolio": {"assets": both}}))
    with process(tmp_path, *memory) as (_, client):
        client.order("Sell", "0.1", symbol="ETHUSDT", stopLoss=client.at("1.05", "ETHUSDT"))
        eventually(client.state, lambda found: found["positions"])
    settings.write_text(json.dumps({"portfolio": {"assets": both[:1]}}))

    with process(tmp_path, *memory) as (_, client):
        left = client.state()

    assert [(row["symbol"], row["size"]) for row in left["positions"]] == [("ETHUSDT", "0.1")]
    assert "SOLUSDT" in left["prices"]


def test_a_state_of_symbols_that_nobody_knows_is_refused_in_a_line(tmp_path: Path) -> None:
    state, settings = tmp_path / "state.jsonl", tmp_path / "settings.yaml"
    instruments = yaml.safe_load((ROOT / "settings.yaml").read_text())["instruments"]
    settings.write_text(json.dumps({"instruments": {"GONEUSDT": instruments["SOLUSDT"]}}))
    with process(tmp_path, *KEYS, "--state", state, "--settings", settings) as (_, client):
        client.order("Sell", "1000", symbol="GONEUSDT")
        eventually(client.state, lambda found: found["positions"])

    done = wrong_use(tmp_path, "--state", str(state))

    assert done.returncode == 2
    assert "was traded in GONEUSDT, which the settings no longer have" in done.stderr
    assert "Traceback" not in done.stderr


def _still(found: object, moving: set[str]) -> object:
    if isinstance(found, list):
        return [{k: v for k, v in row.items() if k not in moving} for row in found]
    return found


def test_faults_come_from_a_file_and_a_signal_ends_it(tmp_path: Path) -> None:
    faults = tmp_path / "faults.yaml"
    faults.write_text("- {kind: ret_code, code: 10016, path: /v5/account}\n")
    with process(tmp_path, *KEYS, "--faults", faults, "--speed", 100) as (running, client):
        first, second = (client.get("/v5/account/info")["retCode"] for _ in range(2))
        running.send_signal(signal.SIGTERM)
        code = running.wait(10)

    assert (first, second) == (10016, 0)
    assert code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--speed", "fast"], "--speed fast"),
        (["--candles", "nowhere"], "nowhere"),
        (["--faults", "nowhere.yaml"], "nowhere.yaml"),
        (["--faults", "latin.yaml"], "latin.yaml: is not UTF-8 text"),
        (["--faults", "elsewhere.yaml"], "symbol: found GONEUSDT, expected of BTCUSDT, ETHUSDT"),
        (["--faults", "more.yaml"], "fraction: found 7, expected above 0, up to 1"),
        (["--port", "99999"], "'--port'"),
        (["--history", "0"], "'--history'"),
        (["--state", "nowhere/state"], "nowhere/state: cannot be written"),
        (["--state", "latin.yaml"], "latin.yaml: is not a saved exchange state"),
    ],
)
def test_wrong_use_is_told_in_a_line(tmp_path: Path, arguments: list[str], words: str) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"caf\xe9: 1")
    (tmp_path / "elsewhere.yaml").write_text("- {kind: liquidation, symbol: GONEUSDT}")
    (tmp_path / "more.yaml").write_text("- {kind: adl, fraction: 7}")
    done = wrong_use(tmp_path, *arguments)

    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "latin.yaml").read_bytes() == b"caf\xe9: 1"


def test_the_seed_decides_the_market(tmp_path: Path) -> None:
    def closes(seed: int) -> list[str]:
        with process(tmp_path, *KEYS, "--seed", seed) as (_, client):
            rows = client.public("/v5/market/kline", symbol=BTC, interval="5", limit=1000)
            return [row[4] for row in rows["result"]["list"]][::-1]

    def is_part(past: list[str], later: list[str]) -> bool:
        """Tell whether a past goes on in one that was asked for up to 100 candles later."""
        return any(past[shift : shift + 900] == later[:900] for shift in range(100))

    one, same, other = closes(1), closes(1), closes(2)

    assert is_part(one, same) or is_part(same, one)
    assert not is_part(one, other)
    assert not is_part(other, one)
