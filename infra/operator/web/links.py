"""One-time login links; the run directory keeps only a hash of the newest."""

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from infra.operator.web.files import LINK_FILE, ONCE_FILE, read_json, remove, write_private
from infra.operator.web.users import read_users

_VALID_S = 24 * 3600


def make_secret(directory: Path) -> str:
    """Return the secret of a new link; an older one becomes invalid.

    Raises:
        OSError: its hash cannot be written.
    """
    secret = secrets.token_urlsafe(32)
    noted = {"sha256": _hash(secret), "until_s": int(time.time()) + _VALID_S}
    remove(directory / LINK_FILE)
    write_private(directory / ONCE_FILE, json.dumps(noted))
    return secret


def new_link(directory: Path, url: str) -> str:
    """Return a new link to a page; an older one becomes invalid.

    Raises:
        OSError: its hash cannot be written.
    """
    return link_of(url, make_secret(directory))


def announced(directory: Path, url: str, *, is_terminal: bool) -> Iterator[str]:
    """Yield the lines that tell the user how to reach a page.

    If there are no passwords yet, a login link is shown on a terminal, or otherwise left in a file.

    Raises:
        ConfigError, OSError: no link can be made.
    """
    yield f"Dashboard: {url}"
    if not read_users(directory):
        link = new_link(directory, url)
        yield link if is_terminal else f"Login link: in {leave_link(directory, link)}"


def link_of(url: str, secret: str) -> str:
    """Return the link; after the # the secret is never seen by a server, proxy or log."""
    return f"{url}/login#{secret}"


def leave_link(directory: Path, link: str) -> Path:
    """Write a link to a file readable only by its owner, and return the file.

    Raises:
        OSError: it cannot be written.
    """
    file = directory / LINK_FILE
    write_private(file, f"{link}\n")
    return file


def use(directory: Path, secret: str) -> bool:
    """Tell whether a secret is that of the newest link, and invalidate the link."""
    match read_json(directory / ONCE_FILE):
        case {"sha256": str(noted), "until_s": int(until_s)}:
            is_valid = hmac.compare_digest(noted, _hash(secret)) and time.time() < until_s
        case _:
            return False
    if is_valid:
        # Deleted first: a link that cannot be deleted could be used again.
        try:
            (directory / ONCE_FILE).unlink()
        except OSError:
            return False
        remove(directory / LINK_FILE)
    return is_valid


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
