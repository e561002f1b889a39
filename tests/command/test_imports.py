"""What a command imports before it does anything: its user waits for that each time."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_a_command_that_asks_no_exchange_imports_no_client_of_one() -> None:
    commands = "bin.backtest, bin.ctl, bin.keys, bin.parity, bin.store, bin.trace, bin.web"
    code = f"import sys, {commands}; print({{'pybit', 'requests'}} & set(sys.modules))"

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "set()"
