"""Commands call themselves as people call them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.command.test_run_actors import environment

COMMANDS = {
    "bin.backtest": "backtest",
    "bin.candles": "candles",
    "tests.chaos.harness.command": "chaos",
    "bin.check": "check",
    "bin.ctl": "ctl",
    "bin.run_actors": "run-actors",
    "bin.sim_exchange": "sim-exchange",
    "bin.store": "store",
    "bin.trace": "trace",
    "bin.web": "web",
}


@pytest.mark.parametrize(("module", "name"), COMMANDS.items())
def test_a_wrong_option_is_answered_with_the_commands_own_name(
    tmp_path: Path, module: str, name: str
) -> None:
    end = subprocess.run(
        [sys.executable, "-m", module, "--no-such-option"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert end.returncode == 2
    assert f"Usage: bin/{name} " in end.stderr
    assert "python -m" not in end.stderr
