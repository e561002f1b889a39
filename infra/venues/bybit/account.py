"""Prepares the account for trading: settings are made, read back, and refused if they differ.

Nothing is changed while a position is open. All problems are reported at once.
"""

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from domain.errors import ConfigError, OrderRefusedError, OutcomeUnknownError
from domain.rules import AssetRules
from infra.venues.bybit.api_key import read_key
from infra.venues.bybit.listings import NotTradableError, find_listing
from infra.venues.bybit.obstacles import Obstacles
from infra.venues.bybit.rest import BybitRest
from infra.venues.bybit.shapes.account import FeeRates, MarginMode
from infra.venues.bybit.shapes.market import Listing
from infra.venues.bybit.shapes.positions import PositionRow
from infra.venues.bybit.shapes.queries import plain, symbol_of

_UNIFIED = range(3, 7)
_UNIFIED_2 = range(5, 7)
_READS = 4
"""How often a setting is read back until it takes effect: reads may lag writes."""
_PAUSE_S = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedAsset:
    """One asset as configured at the venue."""

    asset: str
    listing: Listing
    position: PositionRow
    """As read back; with the leverage of the settings."""
    fees: FeeRates | None
    """None in demo trading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReport:
    """An account that matches the settings."""

    margin_mode: MarginMode
    assets: tuple[PreparedAsset, ...]
    """In the requested order, without delisted ones."""
    changes: tuple[str, ...]
    """What was changed, in words."""
    warnings: tuple[str, ...]
    """Warnings for the operator."""


def prepare_account(
    rest: BybitRest,
    assets: Sequence[AssetRules],
    margin_mode: MarginMode,
    *,
    delisted: Collection[str] = (),
    sleep: Callable[[float], None] = time.sleep,
) -> AccountReport:
    """Set margin mode, one-way mode and leverage, and return them as read back.

    Args:
        rest: the account.
        assets: to be traded.
        margin_mode: required of the whole account.
        delisted: symbols that are no longer traded; nothing is set for them.
        sleep: waits some seconds between two reads of the same setting.

    Raises:
        ConfigError: the key or the account cannot be used; lists all problems.
        AccessDeniedError: the venue refuses the key.
        UnavailableError: the venue does not answer, or does not apply a change.
        BadDataError: its answer cannot be read.
    """
    tradable = [rules for rules in assets if symbol_of(rules.asset) not in delisted]
    return _Preparation(rest, sleep).run(tradable, margin_mode, watched=assets)


class _Preparation:
    def __init__(self, rest: BybitRest, sleep: Callable[[float], None]) -> None:
        self._rest = rest
        self._sleep = sleep
        self._obstacles = Obstacles("the account cannot be traded:")
        self._warnings: list[str] = []
        self._changes: list[str] = []

    def run(
        self,
        assets: Sequence[AssetRules],
        margin_mode: MarginMode,
        *,
        watched: Sequence[AssetRules],
    ) -> AccountReport:
        self._check_key()
        # With an unsafe key nothing is changed.
        self._obstacles.check()
        self._prepare_margin_mode(margin_mode)
        prepared = [self._prepare_asset(rules) for rules in assets]
        self._obstacles.check()
        self._warnings += unwatched(self._rest.open_positions(), watched)
        return AccountReport(
            margin_mode=margin_mode,
            assets=tuple(asset for asset in prepared if asset is not None),
            changes=tuple(self._changes),
            warnings=tuple(self._warnings),
        )

    def _check_key(self) -> None:
        key = read_key(self._rest)
        for problem in key.problems:
            self._obstacles.add(problem)
        self._warnings += key.warnings

    # The account.

    def _prepare_margin_mode(self, wanted: MarginMode) -> None:
        account = self._rest.account_info()
        if account.unified_status not in _UNIFIED:
            self._obstacles.add(
                "the account is a classic one: upgrade it to a unified trading account"
            )
            return
        if account.unified_status not in _UNIFIED_2:
            self._warnings.append("the account is a unified account 1.0; 2.0 is what was tested")
        if account.margin_mode is wanted:
            return
        found = account.margin_mode or "a mode that is not known here"
        difference = f"the margin mode is {found}, expected {wanted}"
        if self._is_blocked(difference, self._rest.open_positions()):
            return
        self._set(
            difference,
            lambda: self._rest.set_margin_mode(wanted),
            lambda: self._rest.account_info().margin_mode is wanted,
        )

    # One asset.

    def _prepare_asset(self, rules: AssetRules) -> PreparedAsset | None:
        symbol = symbol_of(rules.asset)
        try:
            listing = find_listing(self._rest, symbol, rules.leverage)
        except (ConfigError, NotTradableError) as error:
            self._obstacles.add(str(error), may_pass=isinstance(error, NotTradableError))
            return None
        if not self._prepare_one_way(symbol) or not self._prepare_leverage(symbol, rules.leverage):
            return None
        return PreparedAsset(
            asset=rules.asset,
            listing=listing,
            position=self._rest.position(symbol),
            fees=self._rest.fee_rate(symbol),
        )

    def _prepare_one_way(self, symbol: str) -> bool:
        rows = self._rest.positions(symbol)
        if _is_one_way(rows):
            return True
        difference = f"{symbol}: the position mode is hedge, expected one-way"
        return not self._is_blocked(difference, rows) and self._set(
            difference,
            lambda: self._rest.set_one_way(symbol),
            lambda: _is_one_way(self._rest.positions(symbol)),
        )

    def _prepare_leverage(self, symbol: str, wanted: Decimal) -> bool:
        position = self._rest.position(symbol)
        if position.leverage == wanted:
            return True
        found = "not reported" if position.leverage is None else plain(position.leverage)
        difference = f"{symbol}: the leverage is {found}, expected {plain(wanted)}"
        return not self._is_blocked(difference, [position]) and self._set(
            difference,
            lambda: self._rest.set_leverage(symbol, wanted),
            lambda: self._rest.position(symbol).leverage == wanted,
        )

    # Both.

    def _is_blocked(self, difference: str, rows: Iterable[PositionRow]) -> bool:
        """Tell whether a position forbids a change, and add it to the obstacles."""
        opened = [f"{plain(row.qty)} {row.symbol}" for row in rows if not row.is_flat]
        if opened:
            self._obstacles.add(
                f"{difference}; it is not changed while a position is open"
                f" ({', '.join(opened)}): close it, or change the settings"
            )
        return bool(opened)

    def _set(self, difference: str, change: Callable[[], None], stands: Callable[[], bool]) -> bool:
        """Change a setting and tell whether it took effect."""
        why = "it was set, and still reads so"
        try:
            change()
        except OrderRefusedError as error:
            why = f"the venue refused the change ({error})"
        except OutcomeUnknownError as error:
            why = f"it was set, the answer was lost ({error}), and it still reads so"
        for read in range(_READS):
            if stands():
                self._changes.append(difference)
                return True
            if read < _READS - 1:
                self._sleep(_PAUSE_S)
        # The settings are right: it is up to the venue to apply them.
        self._obstacles.add(f"{difference}; {why}", may_pass=True)
        return False


def unwatched(opened: Iterable[PositionRow], assets: Iterable[AssetRules]) -> list[str]:
    """Return, in words, the open positions in symbols that are not in the settings."""
    traded = {asset.instrument.symbol for asset in assets}
    return [
        f"the open position is not monitored: {row.side} {plain(row.qty)} {row.symbol},"
        f" {'which has no stop' if row.stop_loss is None else f'stop {plain(row.stop_loss)}'}:"
        " the settings do not have it"
        for row in opened
        if row.symbol not in traded
    ]


def _is_one_way(rows: Sequence[PositionRow]) -> bool:
    return [row.position_idx for row in rows] == [0]
