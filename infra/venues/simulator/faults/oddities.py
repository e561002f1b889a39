"""Unexpected values for a field; never one that could be valid."""

import random
from typing import Any

_NOT_FLAT: tuple[Any, ...] = ([], {}, [[]], ["1"], {"a": None}, -(10**17))
_NO_NUMBERS: tuple[Any, ...] = ("x", "NaN", "1e999", "-1", "9" * 400)


def with_an_oddity(chance: random.Random, found: Any) -> Any:
    """Return parsed JSON in which one field, somewhere, holds an unexpected value."""
    if isinstance(found, dict) and found:
        name = chance.choice(list(found))
        return {**found, name: with_an_oddity(chance, found[name])}
    if isinstance(found, list) and found:
        index = chance.randrange(len(found))
        return [*found[:index], with_an_oddity(chance, found[index]), *found[index + 1 :]]
    # In place of a name any text could be valid.
    return chance.choice((*_NOT_FLAT, *_NO_NUMBERS) if _is_numeric(found) else _NOT_FLAT)


def _is_numeric(found: Any) -> bool:
    return isinstance(found, str) and found.replace(".", "", 1).isdecimal()
