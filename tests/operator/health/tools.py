"""The tools that judge what we ship: promtool and systemd-analyze."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"


def tool(name: str, package: str) -> str:
    """Return where a tool is; without it the test is skipped, and fails where CI=true."""
    found = shutil.which(name)
    if found is not None:
        return found
    reason = f"{name} is not there; on Debian or Ubuntu: apt-get install {package}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def judged(*command: str | Path, stdin: bytes = b"") -> str:
    """Return what a tool says of something that it finds right; fail with its words else."""
    done = subprocess.run(
        command, input=stdin, capture_output=True, timeout=60, check=False, cwd=DEPLOY
    )
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    return said
