"""A tolerant reader of one JSON object; its texts hold only printable characters."""

import re
from decimal import Decimal, DecimalException
from typing import Never

from domain.errors import BadDataError
from domain.market.instruments import Side
from domain.text import plain

SIDES = {"Buy": Side.BUY, "Sell": Side.SELL}

_LONGEST = 500
_LARGEST_EXPONENT = 18
"""Power of ten: no price, quantity or balance is larger, or smaller than its inverse."""
_LARGEST_INT = 10**18
_LATEST_MS = 10**14
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{0,40})?([eE][+-]?[0-9]{1,3})?")
_NO_WORDS = frozenset({"", "UNKNOWN", "EC_NoError", "None"})
"""What the venue writes for "none"."""


class Row:
    """One JSON object of the venue."""

    def __init__(self, what: str, raw: object) -> None:
        """Take parsed JSON.

        Args:
            what: its name in errors.
            raw: anything.

        Raises:
            BadDataError: it is not an object.
        """
        if not isinstance(raw, dict):
            raise BadDataError(f"{what}: expected an object, found {shown(raw)}")
        self._what = what
        self._raw = raw

    def text(self, name: str) -> str:
        """Return a required, non-empty text."""
        found = self.maybe_text(name)
        return self._missing(name, "a text") if found is None else found

    def maybe_text(self, name: str) -> str | None:
        """Return a text; None if it is missing or empty."""
        found = self._raw.get(name)
        return plain(found) if isinstance(found, str) and 0 < len(found) <= _LONGEST else None

    def text_if_any(self, name: str) -> str | None:
        """Return a text; None if it is missing or empty; other values are errors."""
        found = self.maybe_text(name)
        return self._missing(name, "a text") if found is None and self._says(name) else found

    def word(self, name: str) -> str | None:
        """Return a meaningful text; None for the venue's ways to say "none"."""
        found = self.maybe_text(name)
        return None if found in _NO_WORDS else found

    def decimal(self, name: str) -> Decimal:
        """Return a required finite number."""
        found = self.maybe_decimal(name)
        return self._missing(name, "a number") if found is None else found

    def decimal_within(self, name: str, limit: Decimal) -> Decimal:
        """Return a required number between -limit and limit."""
        found = self.decimal(name)
        if abs(found) > limit:
            self._missing(name, f"a number of at most {limit:f}")
        return found

    def maybe_decimal(self, name: str) -> Decimal | None:
        """Return a finite number; None if it is missing, empty or unreadable."""
        return _decimal(self._raw.get(name))

    def price(self, name: str) -> Decimal:
        """Return a required number above zero."""
        found = self.maybe_price(name)
        return self._missing(name, "a number above zero") if found is None else found

    def maybe_price(self, name: str) -> Decimal | None:
        """Return a number above zero; None if it is missing or zero, the venue's "none"."""
        found = self.maybe_decimal(name)
        return found if found is not None and found > 0 else None

    def price_if_any(self, name: str) -> Decimal | None:
        """Return a price; None if it is missing, empty or zero; other values are errors."""
        if not self._says(name):
            return None
        found = self.maybe_decimal(name)
        if found is None or found < 0:
            self._missing(name, "a price")
        return found or None

    def qty(self, name: str) -> Decimal:
        """Return a required non-negative number."""
        found = self.maybe_decimal(name)
        return self._missing(name, "a qty") if found is None or found < 0 else found

    def integer(self, name: str) -> int:
        """Return a required whole number."""
        found = self.maybe_integer(name)
        return self._missing(name, "a whole number") if found is None else found

    def maybe_integer(self, name: str) -> int | None:
        """Return a whole number; None if it is missing or unreadable."""
        return _integer(self._raw.get(name))

    def time_ms(self, name: str) -> int:
        """Return a required time, ms since 1970 UTC."""
        found = self.maybe_time_ms(name)
        return self._missing(name, "ms") if found is None else found

    def maybe_time_ms(self, name: str) -> int | None:
        """Return a time, ms since 1970 UTC; None if it is missing or unreadable."""
        found = self.maybe_integer(name)
        return found if found is not None and 0 < found < _LATEST_MS else None

    def flag(self, name: str) -> bool:
        """Return whether a flag is set; a missing one is not."""
        return self._raw.get(name) in (True, 1, "true", "1")

    def side(self, name: str) -> Side:
        """Return a required side."""
        found = self.maybe_side(name)
        return self._missing(name, "Buy or Sell") if found is None else found

    def maybe_side(self, name: str) -> Side | None:
        """Return a side; None if there is none."""
        return SIDES.get(self.maybe_text(name) or "")

    def row(self, name: str) -> "Row":
        """Return a required nested object."""
        return Row(f"{self._what}.{name}", self._raw.get(name))

    def items(self, name: str) -> list[object]:
        """Return a required nested list."""
        found = self._raw.get(name)
        return found if isinstance(found, list) else self._missing(name, "a list")

    def maybe_items(self, name: str) -> list[object]:
        """Return a nested list, empty if there is none."""
        found = self._raw.get(name)
        return found if isinstance(found, list) else []

    def rows(self, name: str) -> list["Row"]:
        """Return a required nested list of objects."""
        return [Row(f"{self._what}.{name}", item) for item in self.items(name)]

    def row_of_symbol(self, symbol: str) -> "Row":
        """Return the required row of a perpetual in the nested list."""
        for row in self.rows("list"):
            if row.maybe_text("symbol") == symbol:
                return row
        raise BadDataError(f"{self._what}: expected {symbol} in field list, found none")

    def boolean(self, name: str) -> bool:
        """Return a required boolean, given as true or false only."""
        found = self._raw.get(name)
        return found if isinstance(found, bool) else self._missing(name, "true or false")

    def has(self, name: str) -> bool:
        """Tell whether a field is present, whatever its value."""
        return name in self._raw

    def _says(self, name: str) -> bool:
        return self._raw.get(name) not in (None, "")

    def _missing(self, name: str, expected: str) -> Never:
        found = shown(self._raw[name]) if name in self._raw else "nothing"
        raise BadDataError(f"{self._what}: expected {expected} in field {name}, found {found}")


def _decimal(raw: object) -> Decimal | None:
    """Return a finite number of a sane size; floats are read as printed."""
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        return None
    try:
        text = raw if isinstance(raw, str) else repr(raw)
        found = Decimal(text) if _NUMBER.fullmatch(text) else None
    except (DecimalException, ValueError):
        return None
    if found is None or (found and abs(found.adjusted()) > _LARGEST_EXPONENT):
        return None
    return found


def _integer(raw: object) -> int | None:
    if type(raw) is int:  # as most are given
        return raw if abs(raw) <= _LARGEST_INT else None
    found = _decimal(raw)
    if found is None or found != found.to_integral_value() or abs(found) > _LARGEST_INT:
        return None
    return int(found)


def shown(raw: object) -> str:
    """Return raw JSON in short."""
    if isinstance(raw, str | int | float) or raw is None:
        return repr(raw)[:60]
    return f"a {type(raw).__name__}"
