"""`bin/trace ... --pdb` in a process of its own: a debugger traces the whole interpreter."""

import os
from pathlib import Path

from tests.programs import run_program

ROOT = Path(__file__).resolve().parents[2]


def debug(run_dir: Path, *arguments: str, typed: str) -> str:
    """Return what the command shows to somebody who types this."""
    found = run_program(
        *("bin.trace", "--run-dir", str(run_dir), *arguments, "--pdb"),
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        timeout_s=100,
        stdin=typed,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout
