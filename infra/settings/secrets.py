"""The secrets of a run, so that they can be kept out of whatever is stored or shown."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from pydantic import BaseModel, SecretStr

from infra.secrets.keystore import opened_keys

_SHOWN = "(secret)"
_SEPARATORS = re.compile(r"[/:@?&=]+")
_LONG = 16
"""A part of an address as long as this is a token; shorter ones are hosts and users."""


def secrets_of(settings: BaseModel) -> tuple[str, ...]:
    """Return all secrets of the settings, the longest first, and the tokens inside them."""
    whole = {text for text in _secrets(settings) if text}
    parts = {part for text in whole for part in _SEPARATORS.split(text) if len(part) >= _LONG}
    return _longest_first(whole | parts)


def with_opened(secrets: Sequence[str]) -> Sequence[str]:
    """Return secrets and what was read from keystores until now, the longest first."""
    opened = opened_keys()
    return _longest_first({*secrets, *opened}) if opened else secrets


def hiding(secrets: Sequence[str]) -> Callable[[str], str]:
    """Return what takes secrets, and all that is read from keystores, out of a text."""

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
