"""The page's files in the run directory; all are readable only by their owner."""

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from infra.files import read_regular

ADDRESS_FILE = "web.json"
LOCK_FILE = "web.lock"
LINK_FILE = "web.link"
"""File with a login link that no terminal could show."""
ONCE_FILE = "web.once"
USERS_FILE = "web.users"
SESSIONS_FILE = "web.sessions"
ACCESS_FILE = "web.access.jsonl"
LOG_FILE = "web.log"
_MODE = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class PageAddress:
    """Where a page listens."""

    url: str
    port: int
    pid: int


def write_private(file: Path, text: str) -> None:
    """Write a file whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    made = file.with_name(f"{file.name}.{os.getpid()}")
    made.unlink(missing_ok=True)
    with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "w") as out:
        out.write(text)
    made.replace(file)


def open_private(file: Path) -> int:
    """Return the descriptor of an append-only file, which is created if missing.

    Raises:
        OSError: it cannot be opened.
    """
    return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, _MODE)


def read_json(file: Path) -> Any:
    """Return the contents of a JSON file; None if it is missing or damaged."""
    try:
        return json.loads(read_regular(file))
    except (OSError, ValueError, RecursionError):
        return None


def write_address(directory: Path, address: PageAddress) -> None:
    """Write down where this process listens.

    Raises:
        OSError: the file cannot be written.
    """
    write_private(directory / ADDRESS_FILE, json.dumps(asdict(address)))


def read_address(directory: Path) -> PageAddress | None:
    """Return where the page of a run listens, or last listened; None: unknown."""
    match read_json(directory / ADDRESS_FILE):
        case {"url": str(url), "port": int(port), "pid": int(pid)}:
            return PageAddress(url=url, port=port, pid=pid)
        case _:
            return None


def remove(file: Path) -> None:
    """Delete a file, if it exists and can be deleted."""
    with suppress(OSError):
        file.unlink(missing_ok=True)
