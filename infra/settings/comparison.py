"""Compares the settings of two runs as text; secrets are compared without being shown."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, SecretStr

from infra.settings.sections.assets import AssetSettings

_HIDDEN = "secret "
_PRIVATE = frozenset({"telegram_channel_id", "telegram_admin_chat_id", "telegram_user_ids"})
"""Not secret, but private."""
ABSENT = "nothing"
"""Stands for a value that one of the two does not have."""
NONE = "none"
"""Stands for a pair's explicit null, "none"; without a value, its section counts."""


def flat(settings: BaseModel, salt: str) -> dict[str, str]:
    """Return every setting as text by its key.

    A secret becomes four digits of its salted hash: enough to see a change, too few to guess it.
    """
    return dict(_flat(settings, "", salt))


def differences(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """Return the differences of two results of `flat` with the same salt, by key: was -> is now."""
    found = {}
    for key in sorted({*old, *new}):
        was, is_now = old.get(key, ABSENT), new.get(key, ABSENT)
        if was != is_now:
            other = "another secret" if was.startswith(_HIDDEN) else "a secret"
            found[key] = f"{_shown(was, 'a secret')} -> {_shown(is_now, other)}"
    return found


def differences_of_runs(
    one: Mapping[str, str], other: Mapping[str, str]
) -> dict[str, tuple[str, str]]:
    """Return the differences between two runs' results of `flat`, by key, with both values.

    Their salts differ: it is known whether each has a secret, but not whether it is the same.
    """
    found = {}
    for key in sorted({*one, *other}):
        values = (one.get(key, ABSENT), other.get(key, ABSENT))
        here, there = (_shown(value, "a secret") for value in values)
        if here != there:
            found[key] = (here, there)
    return found


def is_hidden(text: str) -> bool:
    """Tell whether a value stands for a secret."""
    return text.startswith(_HIDDEN)


def _shown(text: str, in_place_of_secret: str) -> str:
    return in_place_of_secret if text.startswith(_HIDDEN) else text


def _flat(value: Any, key: str, salt: str) -> Iterator[tuple[str, str]]:
    match value:
        case BaseModel():
            for name, inner in value:
                if inner is None and isinstance(value, AssetSettings) and value.says(name):
                    yield _below(key, name), NONE
                    continue
                is_private = name in _PRIVATE and inner is not None
                yield from _flat(SecretStr(inner) if is_private else inner, _below(key, name), salt)
        case Mapping():
            for name, inner in value.items():
                yield from _flat(inner, f"{key}[{name}]", salt)
        case [BaseModel(), *_]:
            for place, inner in enumerate(value):
                name = getattr(inner, "symbol", str(place))
                yield from _flat(inner, f"{key}[{name}]", salt)
        case _:
            yield key, _text(value, salt)


def _below(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _text(value: Any, salt: str) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case SecretStr():
            secret = f"{salt}{value.get_secret_value()}"
            return f"{_HIDDEN}{hashlib.sha256(secret.encode()).hexdigest()[:4]}"
        case str():
            return value
        case Iterable():
            return f"[{', '.join(_text(item, salt) for item in value)}]"
        case _:
            return str(value)
