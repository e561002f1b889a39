"""Clients in JavaScript, unmodified but for the address: a whole trade with its stop each."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from infra.venues.simulator.gate import DEFAULT_KEYS
from tests.clients.cache import cached
from tests.clients.documented import documented
from tests.venues.simulator.clients import Client, running

HERE = Path(__file__).parent
PACKAGES = ("bybit-api@4.7.7", "ccxt@4.5.84")
pytestmark = [pytest.mark.clients, pytest.mark.complete, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def packages() -> Path:
    """Return a folder with the clients, installed once."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("Node and npm, which these clients need, are not there")
    install = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", *PACKAGES]
    return cached("npm", PACKAGES, lambda folder: [[*install, "--prefix", str(folder)]])


def seen_by(script: str, packages: Path, client: Client) -> dict:
    """Return what a script saw of a fresh exchange."""
    keys = client.sim.keys
    arguments = (client.sim.base_url, client.sim.ws_url, keys.api_key, keys.api_secret)
    done = run((HERE / script).read_text(), packages, *arguments)
    return json.loads(done[-1])


def run(code: str, packages: Path, *arguments: str) -> list[str]:
    """Return the lines that a script prints."""
    copy = packages / "script.mjs"  # packages are found from where a script lies
    copy.write_text(code)
    direct = {name: v for name, v in os.environ.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run(
        ["node", str(copy), *arguments],
        env=direct,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


def test_bybit_api_is_pointed_at_the_exchange_as_documented(packages: Path) -> None:
    with running(keys=DEFAULT_KEYS) as client:
        block = documented("js", "bybit-api", client)
        lines = run(block + 'stream.on("response", () => process.exit(0));', packages)

    assert float(lines[0] if lines[0][0].isdigit() else lines[-1]) > 0
    assert "subscribe true" in lines


def test_bybit_api_trades_with_its_stop_and_hears_of_it(packages: Path) -> None:
    with running() as client:
        seen = seen_by("bybit_api.mjs", packages, client)

    assert seen["codes"] == {
        "entry": 0,
        "raised stop": 0,
        "same stop": 34040,
        "trailing": 0,
        "wrong qty": 10001,
        "batch": 0,
        "cancel all": 0,
        "exit": 0,
    }
    assert seen["stops"] == ["StopLoss", "TrailingStop"]
    assert (seen["closed"], seen["executions"], seen["entry"]) == (1, 2, "Filled")
    heard = {topic.partition(".")[0] for topic in seen["topics"]}
    assert heard == {"kline", "tickers", "orderbook", "order", "execution", "position", "wallet"}
    assert "exception" not in seen


def test_ccxt_trades_with_its_stop_by_rest_and_by_websocket(packages: Path) -> None:
    with running() as client:
        seen = seen_by("ccxt.mjs", packages, client)

    assert seen["errors"] == {
        "same leverage": "BadRequest",
        "too dear": "InsufficientFunds",
        "gone": "OrderNotFound",
    }
    assert (seen["order"], seen["side"], seen["stops"], seen["closed"]) == (
        "closed",
        "long",
        2,
        True,
    )
    assert (seen["trades"], seen["history"]) == (2, 1)
    assert all(seen["public"].values())
    assert seen["watched"]["book"] == 50
    assert 9_990 < seen["balance"] < 10_000
