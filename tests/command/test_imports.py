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


def test_chaos_runs_need_no_package_that_a_user_s_environment_lacks() -> None:
    others = "'psycopg', 'pytest', 'hypothesis', 'playwright', 'redis', 'dask', 'sqlcipher3'"
    code = f"import sys; sys.modules.update(dict.fromkeys(({others})))"

    done = subprocess.run(
        [sys.executable, "-c", f"{code}; import tests.chaos.harness.command"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == ""
    assert done.returncode == 0
