"""Checks whether the capital is as large as recommended, and what it is too small for."""

from collections.abc import Collection, Iterator
from decimal import Decimal

from domain.errors import BadDataError, ConfigError, UnavailableError
from domain.portfolio.capital import Capital
from domain.rules import TradingRules
from domain.trading.entry_sizes import RECOMMENDED_CAPITAL, EntrySize, entry_size
from infra.operator.preflight.finding import Finding, ok, warn
from infra.venues.bybit.listings import find_listing
from infra.venues.bybit.rest import BybitRest

_EXPECTED = f"at least {RECOMMENDED_CAPITAL:,.0f} USDT"
_ADVICE = "trade fewer pairs or those with smaller orders, or with more capital"


def capital_of(balance: Decimal, rules: TradingRules) -> Decimal:
    """Return what sizing may use of a balance, USDT, without earnings since the limit was set."""
    return Capital(rules.total_capital).of(balance)


def check_capital(capital: Decimal, sizes: Collection[EntrySize]) -> Finding:
    """Return whether the capital is as large as recommended."""
    if capital >= RECOMMENDED_CAPITAL:
        return ok("capital", f"{capital:,.2f} USDT", _EXPECTED)
    return warn("capital", _words(capital, sizes), _EXPECTED, _ADVICE)


def small_capital(rest: BybitRest, rules: TradingRules, balance: Decimal) -> str | None:
    """Return a warning of capital below the recommendation, with what it is too small for.

    A pair that cannot be checked is left out: the start says what is wrong with it.
    """
    capital = capital_of(balance, rules)
    if capital >= RECOMMENDED_CAPITAL:
        return None
    return f"capital {_words(capital, list(_sizes(rest, rules, capital)))}; expected {_EXPECTED}"


def _sizes(rest: BybitRest, rules: TradingRules, capital: Decimal) -> Iterator[EntrySize]:
    for asset in rules.assets:
        symbol = asset.instrument.symbol
        try:
            instrument = find_listing(rest, symbol, asset.leverage).instrument
            price = rest.ticker(symbol).last_price
        except (BadDataError, ConfigError, UnavailableError):
            continue
        yield entry_size(asset, instrument, rules, price, capital)


def _words(capital: Decimal, sizes: Collection[EntrySize]) -> str:
    never = [
        f"{size.symbol} (an entry is {size.full:,.2f}, the smallest order {size.least:,.2f} USDT: "
        f"needs a capital of {size.least_capital:,.0f})"
        for size in sizes
        if size.full < size.least
    ]
    reduced = [
        f"{size.symbol} ({size.reduced:,.2f}, the smallest order {size.least:,.2f} USDT)"
        for size in sizes
        if size.reduced < size.least <= size.full
    ]
    named = (("too small for", never), ("too small for reduced entries of", reduced))
    parts = [f"{words} {', '.join(texts)}" for words, texts in named if texts]
    return f"{capital:,.2f} USDT: {'; '.join(parts) or 'large enough for every entry'}"
