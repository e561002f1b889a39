"""nautilus_trader's live node, unmodified but for the address, over a restart."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.venues.simulator.gate import DEFAULT_KEYS
from tests.clients.cache import cached, interpreter
from tests.clients.documented import documented
from tests.venues.simulator.clients import Client, eventually, running

VERSIONS = {"1.221.0": (sys.executable,), "1.231.0": ("python3.13", "python3.12")}
"""With the interpreters that each runs on: the newer one, of other clients, on newer ones alone."""
NODE = Path(__file__).parent / "nautilus_node.py"
pytestmark = [pytest.mark.clients, pytest.mark.complete, pytest.mark.timeout(1_200)]


@pytest.fixture(scope="module", params=list(VERSIONS))
def installed(request: pytest.FixtureRequest) -> tuple[str, Path]:
    """Return a version and the interpreter that has it, installed once."""
    version = request.param
    packages = (f"nautilus_trader=={version}",)
    found = interpreter(packages, *VERSIONS[version])

    def commands(folder: Path) -> list[list[str]]:
        make = [found, "-m", "venv", str(folder / "venv")]
        return [make, [str(folder / "venv/bin/pip"), "install", "--quiet", *packages]]

    return version, cached("nautilus", packages, commands) / "venv/bin/python"


def node(python: Path, client: Client, lines: Path, *task: str) -> dict:
    """Run a node until it has done its task, and return what it saw."""
    kept = {name: v for name, v in os.environ.items() if not name.lower().endswith("_proxy")}
    kept.pop("PYTHONPATH", None)
    keys = client.sim.keys
    address = (client.sim.base_url, client.sim.ws_url, keys.api_key, keys.api_secret, str(lines))
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
    installed: tuple[str, Path], way: tuple[str, ...], tmp_path: Path
) -> None:
    version, python = installed
    is_newer = version != "1.221.0"
    lines = tmp_path / "documented.py"
    with running(keys=DEFAULT_KEYS) as client:
        word = "SimulatedDataClientFactory" if is_newer else "get_ws_base_url_public"
        lines.write_text(documented("python", word, client))
        entered = node(python, client, lines, "enter", *way)
        position, stops = client.position(), client.open_orders()
        left = node(python, client, lines, "leave", *way)
        eventually(client.position, lambda row: row["side"] == "")

    assert (entered["reconciled"], entered["filled"], entered["denied"]) == ([], ["1"], [])
    kind, behind = ("Stop", "0") if is_newer else ("TrailingStop", "900")
    assert (position["side"], position["trailingStop"]) == ("Buy", behind)
    assert [row["stopOrderType"] for row in stops] == [kind]
    assert (left["reconciled"], left["filled"], left["denied"]) == (["0.010"], ["2"], [])
    assert entered["quotes"] > 0
