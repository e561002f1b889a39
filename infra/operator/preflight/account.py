"""Checks of the account: its key, its type, its modes, and obstacles to setting them."""

import threading
from collections.abc import Iterator
from decimal import Decimal
from random import Random

from domain.errors import AccessDeniedError, ConfigError
from domain.market.instruments import Side
from domain.rules import TradingRules
from domain.trading.orders import OrderUpdate
from domain.trading.positions import Execution
from infra.operator.preflight.finding import Finding, fail, ok, warn
from infra.operator.terminal.confirm import account_words
from infra.venues.bybit.account import unwatched
from infra.venues.bybit.api_key import check_asset_keys, read_key
from infra.venues.bybit.private_stream import PrivateStream
from infra.venues.bybit.rest import BybitRest
from infra.venues.bybit.shapes.account import AccountInfo, MarginMode
from infra.venues.bybit.shapes.positions import PositionRow
from infra.venues.bybit.venues import Venue

_STREAM_S = 15.0
_UNIFIED, _UNIFIED_2 = range(3, 7), range(5, 7)
_SET_AT_START = "nothing: the start sets it"
_CLOSE_FIRST = "close the position, or change the settings: it is not changed while one is open"


def check_account(rest: BybitRest, rules: TradingRules) -> Iterator[Finding]:
    """Yield the findings about the account.

    Raises:
        AccessDeniedError: the venue refuses the key.
        UnavailableError: the venue does not answer.
        BadDataError: its answer cannot be read.
    """
    yield from _key(rest)
    account = rest.account_info()
    opened = rest.open_positions()
    yield _account_type(account)
    yield _margin_mode(account, opened)
    for words in unwatched(opened, rules.assets):
        yield warn(
            "positions",
            words,
            "only those of assets in the settings",
            "close it, or name its asset",
        )
    for asset in rules.assets:
        symbol = asset.instrument.symbol
        rows = rest.positions(symbol)
        yield _position_mode(symbol, rows)
        yield _leverage(symbol, rows, asset.leverage)
        yield from (_open_stop(row) for row in rows if not row.is_flat)


def check_balance(rest: BybitRest) -> tuple[Finding, Decimal]:
    """Return the balance, USDT."""
    wallet = rest.wallet(rest.account_info().margin_mode)
    found = f"{wallet.balance:,.2f} USDT, {wallet.available:,.2f} available"
    if wallet.balance <= 0:
        return fail("balance", found, "some USDT", "transfer USDT to the account"), wallet.balance
    return ok("balance", found), wallet.balance


def check_keys_of_assets(venue: Venue, rest: BybitRest) -> Iterator[Finding]:
    """Yield whether the keys of single assets, if there are any, can trade the account."""
    name, expected = "keys of assets", "keys that trade the same account"
    if not venue.of_assets:
        return
    others = {asset: rest.beside(credentials) for asset, credentials in venue.of_assets.items()}
    try:
        warnings = check_asset_keys(rest, others)
    except ConfigError as error:
        yield fail(name, str(error), expected, "bin/keys remove MODE --asset ASSET")
        return
    finally:
        for other in others.values():
            other.close()
    for warning in warnings:
        yield warn(name, warning, expected, "replace the key in time")
    if not warnings:
        yield ok(name, ", ".join(others))


def check_private_stream(venue: Venue, rest: BybitRest) -> Finding:
    """Return whether the account's stream accepts the key."""
    if venue.credentials is None:
        raise ValueError("expected a venue with a key")
    listener = _Ear()
    stream = PrivateStream(
        venue.private_stream_url,
        api_key=venue.credentials.api_key,
        api_secret=venue.credentials.api_secret,
        assets={},
        listener=listener,
        now_ms=rest.clock.now_ms,
        rng=Random(),  # noqa: S311 (jitter)
        ssl_context=venue.ssl_context,
    )
    stream.start()
    try:
        listener.heard.wait(_STREAM_S)
    finally:
        stream.close()
    if listener.denied is not None:
        advice = "check the key, and whether it belongs to this --mode"
        return fail("private stream", str(listener.denied), "a login", advice)
    if not listener.heard.is_set():
        found = f"{venue.private_stream_url} is silent"
        advice = "let the network pass websockets (port 443)"
        return fail("private stream", found, f"a login within {_STREAM_S:g} s", advice)
    return ok("private stream", "the login is accepted")


def _key(rest: BybitRest) -> Iterator[Finding]:
    report = read_key(rest)
    expected = "trade contracts, not withdraw, bound to an IP address"
    for problem in report.problems:
        found, _, advice = problem.partition(": ")
        yield fail("API key", found, expected, advice or "make another key")
    for warning in report.warnings:
        yield warn("API key", warning, expected, "replace the key in time")
    if not report.problems and not report.warnings:
        yield ok("API key", "may trade contracts and not withdraw, bound to an IP address")


def _account_type(account: AccountInfo) -> Finding:
    found, expected = account_words(account), "unified 2.0"
    if account.unified_status not in _UNIFIED:
        return fail("account type", found, expected, "upgrade it to a unified trading account")
    if account.unified_status not in _UNIFIED_2:
        return warn("account type", found, expected, "upgrade it: 2.0 is what was tested")
    return ok("account type", found, expected)


def _margin_mode(account: AccountInfo, opened: tuple[PositionRow, ...]) -> Finding:
    wanted = MarginMode.ISOLATED
    found = account.margin_mode or "a mode that is not known here"
    if account.margin_mode is wanted:
        return ok("margin mode", found, wanted)
    return _settable("margin mode", found, wanted, is_open=bool(opened))


def _position_mode(symbol: str, rows: tuple[PositionRow, ...]) -> Finding:
    name, wanted = f"{symbol} position mode", "one-way"
    if [row.position_idx for row in rows] == [0]:
        return ok(name, wanted, wanted)
    return _settable(name, "hedge", wanted, is_open=_is_open(rows))


def _leverage(symbol: str, rows: tuple[PositionRow, ...], leverage: Decimal) -> Finding:
    name, wanted = f"{symbol} leverage", f"{leverage:f}"
    values = {row.leverage for row in rows}
    if values == {leverage}:
        return ok(name, wanted, wanted)
    found = ", ".join("not reported" if value is None else f"{value:f}" for value in values)
    return _settable(name, found, wanted, is_open=_is_open(rows))


def _settable(name: str, found: str, wanted: str, *, is_open: bool) -> Finding:
    if is_open:
        return fail(name, found, wanted, _CLOSE_FIRST)
    return warn(name, found, wanted, _SET_AT_START)


def _open_stop(position: PositionRow) -> Finding:
    name = f"{position.symbol} position"
    shown = f"{position.side} {position.qty:f}"
    if position.stop_loss is None:
        return warn(name, f"{shown} without a stop", "a stop", "start the run: it sets one")
    found = f"{shown}, stop at {position.stop_loss:f}"
    if position.liq_price is None:
        return ok(name, f"{found}, no liquidation in reach")
    room = position.liq_price - position.stop_loss
    expected = f"before liquidation at {position.liq_price:f}"
    if (room if position.side is Side.SELL else -room) > 0:
        return ok(name, found, expected)
    return fail(name, found, expected, "add margin or close it: the stop comes too late")


def _is_open(rows: tuple[PositionRow, ...]) -> bool:
    return any(not row.is_flat for row in rows)


class _Ear:
    """Listens only for whether the login is accepted."""

    def __init__(self) -> None:
        self.heard = threading.Event()
        self.denied: AccessDeniedError | None = None

    def on_connected(self, down_s: float) -> None:  # noqa: ARG002
        self.heard.set()

    def on_denied(self, error: AccessDeniedError) -> None:
        self.denied = error
        self.heard.set()

    def on_lost(self, reason: str) -> None: ...

    def on_order(self, asset: str, update: OrderUpdate) -> None: ...

    def on_execution(self, execution: Execution) -> None: ...

    def on_position(self, asset: str, position: PositionRow) -> None: ...

    def on_unreadable(self, topic: str) -> None: ...
