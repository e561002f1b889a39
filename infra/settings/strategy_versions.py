"""Versions of user-defined strategies, recorded so that a later reader can tell them apart."""

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
"""Prefix of the keys under which they are recorded beside the settings."""
_DIGITS = 12


def strategy_versions(settings: Settings) -> dict[str, str]:
    """Return version and hash of the source file of each used class, by key."""
    names = {asset.strategy for asset in settings.portfolio.enabled_assets}
    return {_key(name): _version(name) for name in sorted(names) if not is_built_in(name)}


def changed_since(noted: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each recorded strategy that has changed since."""
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


# Once per process: a file that is edited later is not what runs here.
@cache
def _version(name: str) -> str:
    kind = strategy_class(name)
    file = inspect.getsourcefile(kind)
    source = b"" if file is None else Path(file).read_bytes()
    digest = hashlib.sha256(source).hexdigest()[:_DIGITS]
    version = "".join(character for character in str(kind.version) if character.isprintable())
    return f"{version[:40]} (source {digest})"
