"""A process that one C call keeps from running: it ends itself, and the next start goes on."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = """
simulation: {speed: 60}
supervision: {freeze_seconds: 2}
"""
FROZEN_S = 300


def test_a_frozen_process_ends_itself_and_says_what_it_did(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text(SETTINGS)

    run = subprocess.run(
        [
            sys.executable,
            *("-m", "bin.run_actors", "--settings", "settings.yaml", "--run-dir", "run"),
            *("--drill", f"freeze={FROZEN_S}@3"),
        ],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1", "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=FROZEN_S / 3,
        check=False,
    )

    assert run.returncode == 1
    stacks = (tmp_path / "run" / "frozen.txt").read_text()
    assert "Timeout" in stacks
    assert "supervisor.py" in stacks
