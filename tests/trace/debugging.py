"""`bin/trace ... --pdb` in a process of its own: a debugger traces the whole interpreter."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def debug(run_dir: Path, *arguments: str, typed: str) -> str:
    """Return what the command shows to somebody who types this."""
    found = subprocess.run(
        [sys.executable, "-m", "bin.trace", "--run-dir", str(run_dir), *arguments, "--pdb"],
        input=typed,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1", "COLUMNS": "200"},
        timeout=100,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout
