"""The actions of `bin/keys` on exchange keys."""

import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from getpass import getpass
from pathlib import Path
from types import MappingProxyType

from msgspec.structs import replace

from domain.errors import ConfigError
from infra.secrets.keystore import Entry, Keystore, Pair, asset_of, entry_of, name_of
from infra.venues.modes import Mode

_PATIENCE_S, _LOOK_S = 180.0, 0.5
_MODES = (Mode.LIVE, Mode.TESTNET, Mode.DEMO, None)
_ASSET = re.compile("[A-Z0-9]{1,20}")


def credentials_act(
    action: str,
    folder: Path,
    mode: str | None,
    ips: Sequence[str],
    source: str | None,
    asset: str | None = None,
    say: Callable[[str], object] = str,
) -> list[str]:
    """Perform an action, and return the text to show.

    Args:
        action: one of `ACTIONS`.
        folder: of the keystore.
        mode: of the key; None: live, or all when listing.
        ips: addresses that a new key must allow.
        source: of the encryption key of a new keystore.
        asset: the only one that uses the key; None: all without a key of their own.
        say: takes text to show before the action is done.

    Raises:
        ConfigError: it cannot be done; nothing was changed.
    """
    if mode not in _MODES:
        raise ConfigError(f"{mode}: expected one of {', '.join(filter(None, _MODES))}")
    if asset is not None and not _ASSET.fullmatch(asset):
        raise ConfigError(f"--asset {asset}: expected an asset of the settings, like BTC")
    named = mode if action == "list" else name_of(mode or Mode.LIVE, asset)
    return _ACTS[action](Keystore(folder), folder, named, tuple(ips), source, say)


def _add(
    store: Keystore, folder: Path, name: str, ips: tuple[str, ...], source: str | None, *_: object
) -> list[str]:
    if source is not None:
        store.begin(source)
    entries, (mode, asset) = store.entries(), asset_of(name)
    if name in entries:
        words = name.replace("/", " --asset ")
        raise ConfigError(f"{folder}: has a key for {name}; `bin/keys rotate {words}` changes it")
    if asset and mode not in entries:
        entry_of(folder, mode)
    store.change(name, Entry(used=_typed(ips)))
    return [f"{folder}: {name} uses it from the next start on"]


def _list(store: Keystore, folder: Path, mode: str | None, *_: object) -> list[str]:
    found = sorted(store.entries().items())
    shown = [_shown(name, entry) for name, entry in found if mode in {None, asset_of(name)[0]}]
    return shown or [f"{folder}: has no key{'' if mode is None else f' for {mode}'}"]


def _rotate(
    store: Keystore,
    folder: Path,
    name: str,
    ips: tuple[str, ...],
    _source: str | None,
    say: Callable[[str], object],
) -> list[str]:
    known = entry_of(folder, name)
    store.change(name, replace(known, next=_typed(ips or known.used.ips), refused=""))
    say(f"waiting until the run of {name} has tried it, {_PATIENCE_S:.0f} s at most")
    deadline_s = time.monotonic() + _PATIENCE_S
    while (entry := entry_of(folder, name)).next is not None:
        if time.monotonic() > deadline_s:
            return [f"no run of {name} has tried the new key yet; one does when it starts"]
        time.sleep(_LOOK_S)
    if entry.refused:
        raise ConfigError(entry.refused)
    return [f"{name} now uses the new key; remove the old one at the exchange"]


def _remove(store: Keystore, folder: Path, name: str, *_: object) -> list[str]:
    entry_of(folder, name)
    store.change(name, None)
    return [
        f"{folder}: {name} no longer has a key",
        "a running system still uses it: stop it before you delete the key at the exchange",
    ]


def _typed(ips: tuple[str, ...]) -> Pair:
    ask: Callable[[str], str] = getpass if sys.stdin.isatty() else lambda _: sys.stdin.readline()
    found = [ask(prompt).strip() for prompt in ("API key: ", "API secret: ")]
    if not all(text and text.isascii() and text.isprintable() for text in found):
        raise ConfigError("expected a key and its secret, one line each")
    return Pair(api_key=found[0], api_secret=found[1], ips=ips)


def _shown(name: str, entry: Entry) -> str:
    allowed = ", ".join(entry.used.ips) or "any address"
    more = "; another one is to take over" if entry.next is not None else ""
    refused = f"; {entry.refused}" if entry.refused else ""
    return f"{name}: a key that ends in {entry.used.api_key[-4:]}, {allowed}{more}{refused}"


_ACTS: Mapping[str, Callable[..., list[str]]] = MappingProxyType(
    {"add": _add, "list": _list, "rotate": _rotate, "remove": _remove}
)
ACTIONS = MappingProxyType(
    {
        "add": "Add an exchange key to the keystore; typed, or two lines from a pipe.",
        "list": "List the keys without revealing them.",
        "rotate": "Switch to another key of the account while the system keeps trading.",
        "remove": "Remove the key of a mode, or of one of its assets.",
    }
)
