"""The documentation's lines for Python clients, run word for word but for the port."""

import os
import subprocess
import sys

import pytest

from infra.venues.simulator.gate import DEFAULT_KEYS
from tests.clients.documented import documented
from tests.venues.simulator.clients import running


@pytest.mark.parametrize("name", ["pybit", "ccxt"])
def test_a_client_is_pointed_at_the_exchange_as_documented(name: str) -> None:
    kept = {key: v for key, v in os.environ.items() if not key.lower().endswith("_proxy")}

    with running(keys=DEFAULT_KEYS) as client:
        done = subprocess.run(
            [sys.executable, "-c", documented("python", name, client)],
            env=kept,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    assert done.returncode == 0, done.stderr
    assert float(done.stdout) > 0
