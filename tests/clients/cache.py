"""Where foreign clients are installed: in a cache of their own, once per set of versions."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trading-test-clients"


def cached(
    name: str, packages: Sequence[str], commands: Callable[[Path], Sequence[Sequence[str]]]
) -> Path:
    """Return the folder in which some packages are installed; skip where they cannot be had.

    Args:
        name: of the folder.
        packages: with their versions; others get another folder.
        commands: that install them into a folder.
    """
    digest = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:12]
    folder = ROOT / f"{name}-{digest}"
    ROOT.mkdir(parents=True, exist_ok=True)
    with (ROOT / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "installed").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for command in commands(folder):
                _run(command, packages)
            (folder / "installed").touch()
    return folder


def interpreter(packages: Sequence[str], *names: str) -> str:
    """Return the first of some interpreters that is there; skip where none is.

    Some are only names of what could be there, so each is tried.
    """
    for name in names:
        found = shutil.which(name)
        if (
            found
            and not subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode
        ):
            return found
    pytest.skip(f"{', '.join(packages)} needs one of {', '.join(names)}, and none is there")


def _run(command: Sequence[str], packages: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=800, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        pytest.skip(f"{', '.join(packages)} cannot be installed: {reason[:200]}")
