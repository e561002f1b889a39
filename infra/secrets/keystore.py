"""Exchange keys in a folder of their own: encrypted, each under the mode that uses it.

An asset of a mode may have a key of its own, under MODE/ASSET.

The folder has a vault, like an encrypted run directory. A new key is kept beside the one in use
until the run has tried it; only that puts it into use.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from domain.errors import BadDataError, ConfigError
from infra.files import make_folder, write_whole
from infra.process.locks import FileLock
from infra.secrets.sealing import seal, unseal
from infra.secrets.vault import Vault, new_vault, vault_of

FILE: Final = "credentials.sealed"
CREDENTIALS: Final = "credentials"
"""Purpose of the encryption key."""
_PATIENCE_S, _LOOK_S = 5.0, 0.05
"""Longest wait for the lock: a change takes only milliseconds."""
_opened: Final[set[str]] = set()


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """A key of an account; never shown."""

    api_key: str
    api_secret: str
    ips: tuple[str, ...] = ()
    """IP addresses that it must allow, including those of standby machines."""

    def __repr__(self) -> str:
        return "<a key>"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of a mode, or of one of its assets."""

    used: Pair
    next: Pair | None = None
    """The key that is to replace it."""
    refused: str = ""
    """Why the last replacement failed; empty: it did not."""


class Keystore:
    """The keys in a folder; safe from several processes."""

    def __init__(self, folder: Path) -> None:
        """Take the folder, which may not exist yet."""
        self._folder, self.file = folder, folder / FILE

    def entries(self) -> dict[str, Entry]:
        """Return all entries by mode, or by mode and asset.

        Raises:
            ConfigError: it cannot be opened, or is damaged.
        """
        if not self.file.exists():
            return {}
        try:
            sealed = self.file.read_bytes()
            text = unseal(self._vault().key(CREDENTIALS), sealed)
            found = msgspec.json.decode(text, type=dict[str, Entry])
        except (OSError, BadDataError, msgspec.DecodeError) as error:
            raise ConfigError(f"{self.file}: is not a keystore, or is damaged ({error})") from error
        pairs = (pair for entry in found.values() for pair in (entry.used, entry.next) if pair)
        _opened.update(text for pair in pairs for text in (pair.api_key, pair.api_secret))
        return found

    def change(self, name: str, entry: Entry | None) -> None:
        """Store an entry; None: remove it. Raises as `update`."""
        self.update(name, lambda _: entry)

    def update(self, name: str, change: Callable[[Entry | None], Entry | None]) -> None:
        """Replace an entry by a function of it, under a lock.

        Raises:
            ConfigError: it cannot be opened or written, or another program holds the lock.
        """
        lock = self._lock()
        try:
            entries = self.entries()
            entry = change(entries.pop(name, None))
            if entry is not None:
                entries[name] = entry
            text = msgspec.json.encode(entries)
            write_whole(self.file, seal(self._vault().key(CREDENTIALS), text))
        except OSError as error:
            raise ConfigError(f"{self.file}: cannot be written: {error.strerror}") from error
        finally:
            lock.release()

    def _lock(self) -> FileLock:
        deadline_s = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return FileLock(
                    self._folder / "lock", f"{self._folder}: another program changes it"
                )
            except ConfigError:
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(_LOOK_S)

    def begin(self, source: str) -> None:
        """Create the folder, encrypted with the key of a source, unless it exists.

        Raises:
            ConfigError: it cannot be created, or there is no key.
        """
        make_folder(self._folder, mode=0o700)
        if vault_of(self._folder) is None:
            new_vault(self._folder, [source]).write()

    def _vault(self) -> Vault:
        vault = vault_of(self._folder)
        if vault is None:
            raise ConfigError(f"{self._folder}: is not a keystore; `bin/keys add` makes one")
        return vault


def opened_keys() -> tuple[str, ...]:
    """Return all keys and secrets read by this process, which it must never show."""
    return tuple(_opened)


def name_of(mode: str, asset: str | None) -> str:
    """Return the name of an entry; None: for all assets that have no key of their own."""
    return mode if asset is None else f"{mode}/{asset}"


def asset_of(name: str) -> tuple[str, str]:
    """Return mode and asset of an entry; no asset: it is for all."""
    mode, _, asset = name.partition("/")
    return mode, asset


def entry_of(folder: Path, name: str) -> Entry:
    """Return the entry of a mode, or of one of its assets.

    Raises:
        ConfigError: there is none, or the keystore cannot be opened.
    """
    entry = Keystore(folder).entries().get(name)
    if entry is None:
        words = name.replace("/", " --asset ")
        raise ConfigError(f"{folder}: has no key for {name}; `bin/keys add {words}` takes one")
    return entry
