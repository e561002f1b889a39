"""The secrets of a run, to keep them out of everything stored or shown."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from pydantic import BaseModel, SecretStr

from infra.secrets.keystore import opened_keys

_SHOWN = "(secret)"
_SEPARATORS = re.compile(r"[/:@?&=]+")
_LONG = 16
"""Parts of an address at least this long are tokens; shorter ones are hosts and users."""


def secrets_of(settings: BaseModel) -> tuple[str, ...]:
    """Return all secrets of the settings and the tokens inside them, the longest first."""
    whole = {text for text in _secrets(settings) if text}
    parts = {part for text in whole for part in _SEPARATORS.split(text) if len(part) >= _LONG}
    return _longest_first(whole | parts)


def with_opened(secrets: Sequence[str]) -> Sequence[str]:
    """Return secrets together with keys read from keystores so far, the longest first."""
    opened = opened_keys()
    return _longest_first({*secrets, *opened}) if opened else secrets


def hiding(secrets: Sequence[str]) -> Callable[[str], str]:
    """Return a function that removes secrets, and keys read from keystores, from a text."""

    def hide(text: str) -> str:
        for secret in with_opened(secrets):
            text = text.replace(secret, _SHOWN)
        return text

    return hide


def _longest_first(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(texts, key=lambda text: (-len(text), text)))


def _secrets(part: BaseModel) -> Iterator[str]:
    for _, value in part:
        if isinstance(value, SecretStr):
            yield value.get_secret_value()
        elif isinstance(value, BaseModel):
            yield from _secrets(value)
