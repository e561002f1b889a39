"""The secrets of the settings, so that they can be kept out of whatever is stored or shown."""

import re
from collections.abc import Callable, Iterator, Sequence

from pydantic import BaseModel, SecretStr

_SHOWN = "(secret)"
_SEPARATORS = re.compile(r"[/:@?&=]+")
_LONG = 16
"""A part of an address as long as this is a token; shorter ones are hosts and users."""


def secrets_of(settings: BaseModel) -> tuple[str, ...]:
    """Return all secrets, the longest first, and the tokens inside them."""
    whole = {text for text in _secrets(settings) if text}
    parts = {part for text in whole for part in _SEPARATORS.split(text) if len(part) >= _LONG}
    return tuple(sorted(whole | parts, key=lambda text: (-len(text), text)))


def hiding(secrets: Sequence[str]) -> Callable[[str], str]:
    """Return what takes secrets out of a text."""

    def hide(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, _SHOWN)
        return text

    return hide


def _secrets(part: BaseModel) -> Iterator[str]:
    for _, value in part:
        if isinstance(value, SecretStr):
            yield value.get_secret_value()
        elif isinstance(value, BaseModel):
            yield from _secrets(value)
