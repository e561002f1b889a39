"""How `bin/ctl` finds a running system: its address and token, in the run directory."""

import json
import os
import re
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from domain.errors import ConfigError
from infra.files import NotAFileError, read_regular

ADDRESS_FILE, TOKEN_FILE = "control.json", "control.token"
PAGE_TOKEN_FILE = "web.token"  # noqa: S105 (a file name)
"""File with the token of the web page, which may get the snapshot and pass on commands."""
_TOKEN_BYTES = 32
_TOKEN = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlAddress:
    """Where a running system takes commands."""

    host: str
    port: int
    pid: int

    @property
    def url(self) -> str:
        """Its base URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def own_token(directory: Path, name: str = TOKEN_FILE) -> str:
    """Return a token of the run directory, created at the first start, readable only by its owner.

    Raises:
        ConfigError: others can read it, or it is not a token.
    """
    file = directory / name
    if not file.exists():
        _write_private(file, secrets.token_urlsafe(_TOKEN_BYTES))
    token = read_token(directory, name)
    if file.stat().st_mode & 0o077:
        raise ConfigError(f"{file}: others can read it; chmod 600, or delete it for a new one")
    return token


def read_token(directory: Path, name: str = TOKEN_FILE) -> str:
    """Return a token of a run directory.

    Raises:
        ConfigError: there is none, or it cannot be read.
    """
    file = directory / name
    try:
        token = read_regular(file).decode().strip()
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        token = ""
    if len(token) < _TOKEN_BYTES or not _TOKEN.fullmatch(token):
        raise ConfigError(f"{file}: is not a token; delete it, and the next start creates one")
    return token


def check_address_file(directory: Path) -> None:
    """Refuse a folder at the path that the address is written to.

    Raises:
        ConfigError: there is a folder.
    """
    file = directory / ADDRESS_FILE
    if file.is_dir() and not file.is_symlink():
        raise ConfigError(f"{file}: found a folder, expected a file or nothing; move it away")


def write_address(directory: Path, address: ControlAddress) -> None:
    """Write down where this process listens.

    Raises:
        OSError: the file cannot be written.
    """
    _write_private(directory / ADDRESS_FILE, json.dumps(asdict(address)))


def forget_address(directory: Path) -> None:
    """Delete the address: nothing listens any more."""
    (directory / ADDRESS_FILE).unlink(missing_ok=True)


def read_address(directory: Path) -> ControlAddress | None:
    """Return where the system of a run directory listens; None if none does, or it is not known.

    Raises:
        ConfigError: the address file is not a file, or belongs to another user.
    """
    file = directory / ADDRESS_FILE
    try:
        found = json.loads(read_regular(file))
    except PermissionError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}; it is its user's") from error
    except NotAFileError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}; move it away") from error
    except (OSError, ValueError, RecursionError):
        return None
    match found:
        case {"host": str(host), "port": int(port), "pid": int(pid)}:
            return ControlAddress(host=host, port=port, pid=pid)
        case _:
            return None


def _write_private(file: Path, text: str) -> None:
    """Write a file whole or not at all."""
    made = file.with_name(f"{file.name}.{os.getpid()}")
    made.unlink(missing_ok=True)
    with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
    made.replace(file)
