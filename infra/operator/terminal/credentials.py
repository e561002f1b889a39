"""What `bin/keys` does with the keys of an exchange."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from getpass import getpass
from pathlib import Path
from types import MappingProxyType

from msgspec.structs import replace

from domain.errors import ConfigError
from infra.secrets.keystore import Entry, Keystore, Pair, entry_of

_PATIENCE_S, _LOOK_S = 180.0, 0.5


def credentials_act(
    action: str, folder: Path, mode: str, ips: Sequence[str], source: str | None
) -> list[str]:
    """Do it, and return what there is to say.

    Raises:
        ConfigError: it cannot be done; nothing was changed.
    """
    return _ACTS[action](Keystore(folder), folder, mode, tuple(ips), source)


def _add(
    store: Keystore, folder: Path, mode: str, ips: tuple[str, ...], source: str | None
) -> list[str]:
    if source is not None:
        store.begin(source)
    if mode in store.entries():
        raise ConfigError(f"{folder}: has a key for {mode}; `bin/keys rotate {mode}` changes it")
    store.change(mode, Entry(used=_typed(ips)))
    return [f"{folder}: {mode} trades by it from the next start on"]


def _list(store: Keystore, _folder: Path, mode: str, *_: object) -> list[str]:
    found = store.entries()
    return [_shown(name, entry) for name, entry in found.items() if mode in {"", name}]


def _rotate(
    store: Keystore, folder: Path, mode: str, ips: tuple[str, ...], _source: str | None
) -> list[str]:
    known = entry_of(folder, mode)
    store.change(mode, replace(known, next=_typed(ips or known.used.ips), refused=""))
    deadline_s = time.monotonic() + _PATIENCE_S
    while (entry := entry_of(folder, mode)).next is not None:
        if time.monotonic() > deadline_s:
            return [f"no run of {mode} has tried the new key yet; one does when it starts"]
        time.sleep(_LOOK_S)
    if entry.refused:
        raise ConfigError(entry.refused)
    return [f"{mode} trades by the new key; remove the old one at the exchange"]


def _remove(store: Keystore, folder: Path, mode: str, *_: object) -> list[str]:
    entry_of(folder, mode)
    store.change(mode, None)
    return [f"{folder}: {mode} has no key any more; remove it at the exchange too"]


def _typed(ips: tuple[str, ...]) -> Pair:
    ask: Callable[[str], str] = getpass if sys.stdin.isatty() else lambda _: sys.stdin.readline()
    found = [ask(prompt).strip() for prompt in ("API key: ", "API secret: ")]
    if not all(text and text.isascii() and text.isprintable() for text in found):
        raise ConfigError("expected a key and its secret, one line each")
    return Pair(api_key=found[0], api_secret=found[1], ips=ips)


def _shown(mode: str, entry: Entry) -> str:
    allowed = ", ".join(entry.used.ips) or "any address"
    more = "; another one is to take over" if entry.next is not None else ""
    refused = f"; {entry.refused}" if entry.refused else ""
    return f"{mode}: a key that ends in {entry.used.api_key[-4:]}, {allowed}{more}{refused}"


_ACTS: Mapping[str, Callable[..., list[str]]] = MappingProxyType(
    {"add": _add, "list": _list, "rotate": _rotate, "remove": _remove}
)
ACTIONS = MappingProxyType(
    {
        "add": "Take a key of the exchange into the keystore; typed, or two lines of a pipe.",
        "list": "List the keys without showing them.",
        "rotate": "Let another key of the account take over, while the run trades on.",
        "remove": "Forget the key of a mode.",
    }
)
