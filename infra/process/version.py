"""The version of the program, defined here only."""

import os
import subprocess
from pathlib import Path

VERSION = "1.0.0"
_ROOT = Path(__file__).resolve().parents[2]
_GIT_S = 5.0
_LONGEST = 60


def program_version() -> str:
    """Return the version, with the commit if the program runs from a clone.

    Call this once, at the start: a pull while it runs changes the files, not the program.
    """
    commit = _commit(_ROOT)
    return VERSION if commit is None else f"{VERSION}, commit {commit}"


def _commit(root: Path) -> str | None:
    """Return the commit, marked if files differ from it; None: not a clone, or git cannot tell."""
    if not (root / ".git").exists():
        return None
    # Git's environment variables could name another repository.
    environ = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        told = subprocess.run(  # noqa: S603 (a fixed question)
            ["git", "-C", str(root), "describe", "--always", "--dirty=, changed", "--abbrev=12"],  # noqa: S607 (as found on PATH)
            check=True,
            capture_output=True,
            text=True,
            timeout=_GIT_S,
            env=environ,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return told.stdout.strip()[:_LONGEST] or None
