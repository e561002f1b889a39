"""cryptofeed hears of all public channels that it knows."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.clients.cache import cached, interpreter
from tests.venues.simulator.clients import BTC, eventually, running

PACKAGES = ("cryptofeed==2.5.0",)
FEED = Path(__file__).parent / "cryptofeed_feed.py"
pytestmark = [pytest.mark.clients, pytest.mark.complete, pytest.mark.timeout(1_200)]


@pytest.fixture(scope="module")
def python() -> Path:
    """Return the interpreter that has the package, installed once."""
    found = interpreter(PACKAGES, "python3.12", "python3.13")

    def commands(folder: Path) -> list[list[str]]:
        make = [found, "-m", "venv", str(folder / "venv")]
        return [make, [str(folder / "venv/bin/pip"), "install", "--quiet", *PACKAGES]]

    return cached("cryptofeed", PACKAGES, commands) / "venv/bin/python"


def test_it_hears_of_all_its_channels(python: Path) -> None:
    kept = {name: v for name, v in os.environ.items() if not name.lower().endswith("_proxy")}
    kept.pop("PYTHONPATH", None)
    with running() as client:
        arguments = (client.sim.base_url, client.sim.ws_url)
        with subprocess.Popen(
            [str(python), str(FEED), *arguments], env=kept, stdout=subprocess.PIPE, text=True
        ) as feed:
            topic = f"liquidation.{BTC}"
            eventually(
                client.state, lambda state: any(topic in one["topics"] for one in state["streams"])
            )
            client.order("Buy", "0.01", orderLinkId="e")
            client.done("e")
            client.control("position", symbol=BTC, action="liquidate")
            told, _ = feed.communicate(timeout=200)

    assert json.loads(told.splitlines()[-1]) == [
        "candles",
        "funding",
        "index",
        "l2_book",
        "liquidations",
        "open_interest",
        "ticker",
        "trades",
    ]
