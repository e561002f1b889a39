"""Unexpected values for a field; never one that could be valid."""

import random
from typing import Any

_NOT_FLAT: tuple[Any, ...] = ([], {}, [[]], ["1"], {"a": None}, -(10**17))
_NO_NUMBERS: tuple[Any, ...] = ("x", "NaN", "1e999", "9" * 400)
_NEGATIVE = "-1"
_SIGNED = frozenset({"execFee", "fee", "funding", "change", "cashFlow", "fundingRate"})
"""Fields that may well be negative: costs that are received, and payments."""


def with_an_oddity(chance: random.Random, found: Any, field: str = "") -> Any:
    """Return parsed JSON in which one field, somewhere, holds an unexpected value.

    Args:
        chance: draws the field and the value.
        found: parsed JSON.
        field: the name under which it was found; empty: none.
    """
    if isinstance(found, dict) and found:
        name = chance.choice(list(found))
        return {**found, name: with_an_oddity(chance, found[name], name)}
    if isinstance(found, list) and found:
        index = chance.randrange(len(found))
        return [*found[:index], with_an_oddity(chance, found[index]), *found[index + 1 :]]
    # In place of a name any text could be valid.
    if not _is_numeric(found):
        return chance.choice(_NOT_FLAT)
    odd = (*_NOT_FLAT, *_NO_NUMBERS)
    return chance.choice(odd if field in _SIGNED else (*odd, _NEGATIVE))


def _is_numeric(found: Any) -> bool:
    return isinstance(found, str) and found.replace(".", "", 1).isdecimal()
