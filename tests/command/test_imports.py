"""What a command imports before it does anything: its user waits for that each time."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("modules", "others"),
    [
        (
            "bin.backtest, bin.ctl, bin.keys, bin.parity, bin.store, bin.trace, bin.web",
            {"pybit", "requests"},
        ),
        ("bin.bootstrap.live", {"telegram", "apprise", "httpx"}),
    ],
    ids=["commands that ask no exchange", "a default start, which notifies nobody"],
)
def test_what_is_not_used_is_not_imported(modules: str, others: set[str]) -> None:
    code = f"import sys, {modules}; print({others} & set(sys.modules))"

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
