"""Numbers and words as strings: plain notation, without trailing zeros."""

from decimal import Decimal
from typing import Any

from domain.market.instruments import Side

Json = dict[str, Any]


def text(number: Decimal) -> str:
    """Return a number as the exchange writes it: plain notation, without trailing zeros."""
    written = format(number, "f")
    if "." in written:
        written = written.rstrip("0").rstrip(".")
    return "0" if written in {"-0", ""} else written


def money(number: Decimal) -> str:
    """Return an amount with at most eight decimals."""
    return text(number.quantize(Decimal("1e-8")))


def optional(number: Decimal | None) -> str:
    """Return a number; empty if there is none."""
    return "" if number is None else text(number)


def side_word(side: Side | None) -> str:
    """Return Buy, Sell or an empty text."""
    return "" if side is None else side.value.capitalize()
