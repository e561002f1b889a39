"""Reads the parameters sent by a client: required, optional, numeric; all are strings first."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from domain.market.instruments import Side
from infra.venues.simulator import refusals

CATEGORIES = ("linear", "spot", "inverse", "option")
_NOTHING = frozenset({"", "0", "false", "none", "market"})
"""Values that request what happens anyway."""


class Params:
    """The parameters of one request."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        self._found = found

    def text(self, name: str, default: str = "") -> str:
        """Return a string; the default if it is missing or empty."""
        found = self._found.get(name)
        return default if found is None or found == "" else str(found)

    def raw(self, name: str) -> Any:
        """Return the raw value; None if it is missing."""
        return self._found.get(name)

    def required(self, name: str) -> str:
        """Return a required string.

        Raises:
            RefusedError: it is missing.
        """
        found = self.text(name)
        if not found:
            raise refusals.invalid(name)
        return found

    def one_of(self, name: str, *allowed: str, default: str = "") -> str:
        """Return a string that must be one of a set.

        Raises:
            RefusedError: it is not.
        """
        found = self.text(name, default)
        if found not in allowed:
            raise refusals.invalid(name)
        return found

    def integer(self, name: str, default: int | None = None) -> int | None:
        """Return an integer.

        Raises:
            RefusedError: it is not one.
        """
        found = self.text(name)
        if not found:
            return default
        try:
            return int(found)
        except ValueError as error:
            raise refusals.invalid(name) from error

    def number(self, name: str) -> Decimal | None:
        """Return a decimal; None if it is missing.

        Raises:
            RefusedError: it is not one.
        """
        found = self.text(name)
        if not found:
            return None
        try:
            number = Decimal(found)
        except InvalidOperation as error:
            raise refusals.invalid(name) from error
        if not number.is_finite() or number < 0:
            raise refusals.invalid(name)
        return number

    def trigger_by(self, name: str, default: str = "LastPrice") -> str:
        """Return which price triggers.

        Raises:
            RefusedError: no such price triggers.
        """
        known = ("LastPrice", "MarkPrice", "IndexPrice")
        return self.one_of(name, *known, default=default) if self.text(name) else default

    def flag(self, name: str) -> bool:
        """Return a boolean; False if it is missing."""
        return self.text(name).lower() == "true"

    def side(self, name: str = "side") -> Side:
        """Return Buy or Sell.

        Raises:
            RefusedError: it is neither.
        """
        return Side(self.one_of(name, "Buy", "Sell").upper())

    def refuse(self, *names: str) -> None:
        """Refuse documented parameters that are not simulated, unless they have no effect.

        Raises:
            RefusedError: one of them would have an effect.
        """
        for name in names:
            if self.text(name).lower() not in _NOTHING:
                raise refusals.not_simulated(name)
