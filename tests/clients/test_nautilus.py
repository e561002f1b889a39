"""nautilus_trader's live node, unmodified but for the address, over a restart."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.cache import cached
from tests.venues.simulator.clients import Client, eventually, running

PACKAGES = ("nautilus_trader==1.221.0",)
NODE = Path(__file__).parent / "nautilus_node.py"
pytestmark = [pytest.mark.clients, pytest.mark.complete, pytest.mark.timeout(1_200)]


@pytest.fixture(scope="module")
def python() -> Path:
    """Return the interpreter that has the package, installed once."""

    def commands(folder: Path) -> list[list[str]]:
        make = [sys.executable, "-m", "venv", str(folder / "venv")]
        return [make, [str(folder / "venv/bin/pip"), "install", "--quiet", *PACKAGES]]

    return cached("nautilus", PACKAGES, commands) / "venv/bin/python"


def node(python: Path, client: Client, *task: str) -> dict:
    """Run a node until it has done its task, and return what it saw."""
    kept = {name: v for name, v in os.environ.items() if not name.lower().endswith("_proxy")}
    kept.pop("PYTHONPATH", None)
    keys = client.sim.keys
    address = (client.sim.base_url, client.sim.ws_url, keys.api_key, keys.api_secret)
    done = subprocess.run(
        [str(python), str(NODE), *address, *task],
        env=kept,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("way", [(), ("ws",)], ids=["orders by REST", "orders by WebSocket"])
def test_it_trades_with_its_stop_and_reconciles_after_a_restart(
    python: Path, way: tuple[str, ...]
) -> None:
    with running() as client:
        entered = node(python, client, "enter", *way)
        position, stops = client.position(), client.open_orders()
        left = node(python, client, "leave", *way)
        eventually(client.position, lambda row: row["side"] == "")

    assert (entered["reconciled"], entered["filled"], entered["denied"]) == ([], ["1"], [])
    assert (position["side"], position["trailingStop"]) == ("Buy", "900")
    assert [row["stopOrderType"] for row in stops] == ["TrailingStop"]
    assert (left["reconciled"], left["filled"], left["denied"]) == (["0.010"], ["2"], [])
    assert entered["quotes"] > 0
