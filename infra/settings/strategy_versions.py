"""Which version of each strategy of the user's own decides, so that a later reader can tell."""

import hashlib
import inspect
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from domain.errors import ConfigError
from domain.strategies.registry import is_built_in, strategy_class
from infra.settings.comparison import ABSENT
from infra.settings.sections.whole import Settings

PREFIX = "strategy_versions["
"""Of the keys under which they are noted beside the settings."""
_DIGITS = 12


def strategy_versions(settings: Settings) -> dict[str, str]:
    """Return the class's version and a hash of its source file, for each that is used, by key."""
    names = {asset.strategy for asset in settings.portfolio.enabled_assets}
    return {_key(name): _version(name) for name in sorted(names) if not is_built_in(name)}


def changed_since(noted: Mapping[str, str]) -> Iterator[str]:
    """Yield, in a sentence each, which noted strategies are others by now."""
    for key, was in noted.items():
        if key.startswith(PREFIX):
            name = key.removeprefix(PREFIX).removesuffix("]")
            now = _version_or_absent(name)
            if now != was:
                yield f"strategy {name} has changed since that run: {was} -> {now}"


def _key(name: str) -> str:
    return f"{PREFIX}{name}]"


def _version_or_absent(name: str) -> str:
    try:
        return _version(name)
    except ConfigError:
        return ABSENT


# Once a process: a file that is edited later is not what runs here.
@cache
def _version(name: str) -> str:
    kind = strategy_class(name)
    file = inspect.getsourcefile(kind)
    source = b"" if file is None else Path(file).read_bytes()
    digest = hashlib.sha256(source).hexdigest()[:_DIGITS]
    version = "".join(character for character in str(kind.version) if character.isprintable())
    return f"{version[:40]} (source {digest})"
