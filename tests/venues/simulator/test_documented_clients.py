"""The documentation's lines for Python clients, run word for word but for the port."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from infra.venues.simulator.gate import DEFAULT_KEYS
from tests.venues.simulator.clients import running

PAGE = Path(__file__).resolve().parents[3] / "docs/simulated-exchange.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.parametrize("name", ["pybit", "ccxt"])
def test_a_client_is_pointed_at_the_exchange_as_documented(name: str) -> None:
    (block,) = [block for block in BLOCKS if name in block]
    kept = {key: v for key, v in os.environ.items() if not key.lower().endswith("_proxy")}

    with running(keys=DEFAULT_KEYS) as client:
        code = block.replace("127.0.0.1:8899", f"127.0.0.1:{client.sim.port}")
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=kept,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    assert done.returncode == 0, done.stderr
    assert float(done.stdout) > 0
