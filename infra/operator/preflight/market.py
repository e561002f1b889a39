"""Checks of the market: whether it answers, and whether the assets can be traded."""

import threading
import time
from collections.abc import Collection, Iterator
from decimal import Decimal
from random import Random

from domain.errors import ConfigError
from domain.rules import AssetRules, TradingRules
from domain.trading.entry_sizes import EntrySize, entry_size
from domain.trading.sizing import ONE, target_notional
from infra.net.pool import ConnectionPool
from infra.operator.preflight.capital import capital_of, check_capital
from infra.operator.preflight.finding import Finding, fail, ok, warn
from infra.operator.preflight.tls import check_tls
from infra.venues.bybit.listings import NotListedError, NotTradableError, find_listing
from infra.venues.bybit.public_stream import PublicStream
from infra.venues.bybit.rest import BybitRest
from infra.venues.bybit.venues import Venue

_STREAM_S = 15.0
_OFFSET_MS, _LARGE_OFFSET_MS = 500, 5_000


def check_network(rest: BybitRest, venue: Venue) -> Iterator[Finding]:
    """Yield whether the venue answers, and how far its clock is from ours.

    Raises:
        UnavailableError: it does not answer.
    """
    encrypted = check_tls(venue.rest_url, venue.least_tls)
    if encrypted is not None:
        yield encrypted
    began_s = time.monotonic()
    rest.sync_clock()
    took_ms = (time.monotonic() - began_s) * 1000 / 3
    yield ok("network", f"{venue.rest_url} answers in {took_ms:.0f} ms")
    offset_ms = rest.clock.offset_ms or 0
    found, expected = f"{offset_ms:+} ms to the exchange", f"within {_OFFSET_MS} ms"
    advice = "synchronize the machine's clock (timedatectl set-ntp true)"
    if abs(offset_ms) <= _OFFSET_MS:
        yield ok("clock offset", found, expected)
    elif abs(offset_ms) <= _LARGE_OFFSET_MS:
        # Requests carry the exchange's time as measured, whatever this clock shows.
        yield warn("clock offset", found, expected, advice)
    else:
        yield fail("clock offset", found, expected, advice)


def check_public_stream(venue: Venue, rules: TradingRules) -> Finding:
    """Return whether market data arrives."""
    flows = threading.Event()
    rng = Random()  # noqa: S311 (jitter)
    pool = ConnectionPool(venue.public_stream_url, rng=rng, ssl_context=venue.ssl_context)
    stream = PublicStream(pool, candle_minutes=rules.candles.candle_ms // 60_000)
    began_s = time.monotonic()
    try:
        stream.tickers(rules.assets[0].instrument.symbol, lambda _: flows.set())
        is_heard = flows.wait(_STREAM_S)
    finally:
        pool.close()
    expected = f"a price within {_STREAM_S:g} s"
    if not is_heard:
        return fail(
            "public stream",
            f"{venue.public_stream_url} is silent",
            expected,
            "let the network pass websockets (port 443)",
        )
    return ok("public stream", f"a price after {time.monotonic() - began_s:.1f} s", expected)


def check_assets(
    rest: BybitRest,
    rules: TradingRules,
    balance: Decimal | None,
    added: Collection[str] = (),
) -> Iterator[Finding]:
    """Yield for each asset whether it can be traded as configured.

    Args:
        rest: the venue; no key is needed.
        rules: of the settings.
        balance: USDT; None if unknown.
        added: symbols added by a command.

    Raises:
        UnavailableError: the venue does not answer.
        BadDataError: its answer cannot be read.
    """
    capital = None if balance is None else capital_of(balance, rules)
    sizes = []
    for asset in rules.assets:
        symbol = asset.instrument.symbol
        try:
            listing = find_listing(rest, symbol, asset.leverage)
        except (ConfigError, NotTradableError) as error:
            if symbol in added and isinstance(error, NotListedError):
                advice = "none: a command has added it, and the start lets it leave"
                yield warn(symbol, str(error), "a trading perpetual", advice)
            else:
                yield fail(symbol, str(error), "a trading perpetual", "change portfolio.assets")
            continue
        if capital is not None:
            price = rest.ticker(symbol).last_price
            sizes.append(entry_size(asset, listing.instrument, rules, price, capital))
            yield _size(sizes[-1])
        yield _liquidation(rest, asset, rules, capital)
    if capital is not None:
        yield check_capital(capital, sizes)


def _size(size: EntrySize) -> Finding:
    """Return whether entries, even reduced ones, reach the venue's smallest order."""
    name = f"{size.symbol} size"
    found = f"an entry of {size.full:,.2f} USDT"
    expected = f"at least {size.least:,.2f} USDT, the smallest order"
    if size.full < size.least:
        return fail(name, found, expected, "more balance, allocation_pct or leverage")
    if size.reduced < size.least:
        found = f"a reduced entry of {size.reduced:,.2f} USDT"
        return warn(name, found, expected, "none is made when entries are smallest")
    return ok(name, found, expected)


def _liquidation(
    rest: BybitRest, asset: AssetRules, rules: TradingRules, capital: Decimal | None
) -> Finding:
    """Return whether the stop comes before the liquidation price."""
    symbol = asset.instrument.symbol
    notional = target_notional(capital or Decimal(0), asset, ONE)
    rate = rest.maintenance_rate(symbol, notional)
    distance = 1 / asset.leverage - rate - 2 * rules.fills.taker_fee_rate
    stop = asset.stops.first_distance + rules.fills.slippage_fraction
    name, found = f"{symbol} stop", f"{stop:.2%} from the entry"
    expected = f"inside liquidation at {distance:.2%} (leverage {asset.leverage:f}, {rate:.2%})"
    if stop >= distance:
        return fail(name, found, expected, "a smaller stop_loss_pct or leverage")
    return ok(name, found, expected)
