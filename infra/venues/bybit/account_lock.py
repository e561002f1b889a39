"""One process per trading account, whatever its run directory."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from loguru import logger

from infra.process.locks import FileLock
from infra.venues.bybit.shapes.account import ApiKeyInfo
from infra.venues.bybit.venues import Venue

_FOLDER = "short-trading"


class AccountLock:
    """Locks an account on this machine; other users and machines are not seen."""

    def __init__(self, venue: Venue, key: ApiKeyInfo | None, environ: Mapping[str, str]) -> None:
        """Take the lock.

        Args:
            venue: of the account.
            key: tells the account's number; otherwise the key itself identifies it.
            environ: tells where this user's programs keep their state.

        Raises:
            ConfigError: another process trades the account.
        """
        host = urlsplit(venue.rest_url).netloc.replace(":", "-")
        file = _folder(environ) / f"{host}-{_account(venue, key)}.lock"
        self._lock: FileLock | None = None
        try:
            self._lock = FileLock(file, f"{host}: another run trades this account")
        except OSError as error:
            logger.warning("nothing keeps a second run off this account: {}: {}", file, error)

    def release(self) -> None:
        """Release the lock; once."""
        if self._lock is not None:
            self._lock.release()


def _account(venue: Venue, key: ApiKeyInfo | None) -> str:
    if key is not None and key.uid is not None:
        return key.uid
    api_key = "" if venue.credentials is None else venue.credentials.api_key
    return f"key-{hashlib.sha256(api_key.encode()).hexdigest()[:16]}"


def _folder(environ: Mapping[str, str]) -> Path:
    named = environ.get("XDG_STATE_HOME", "")
    base = Path(named) if named.startswith("/") else Path("~/.local/state")
    try:
        return base.expanduser() / _FOLDER
    except RuntimeError:  # a user without a home directory
        return Path("/nonexistent") / _FOLDER
