"""What is shown before real money is traded, and a pause to reconsider."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal

from rich.table import Table

from domain.errors import ConfigError
from domain.market.instruments import HOUR_MS
from domain.portfolio.capital import Capital
from domain.rules import StopPolicy, TradingRules
from domain.text import counted
from infra.operator.terminal.screen import Screen
from infra.process.signals import call_at_signals
from infra.venues.bybit.api_key import KeyReport, read_key
from infra.venues.bybit.rest import BybitRest
from infra.venues.bybit.shapes.account import AccountInfo, ApiKeyInfo, Wallet
from infra.venues.bybit.shapes.positions import PositionRow

THINK_S = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSummary:
    """What the operator should see of an account before it is traded."""

    key: KeyReport
    account: AccountInfo
    wallet: Wallet
    positions: tuple[PositionRow, ...]


def read_summary(rest: BybitRest) -> AccountSummary:
    """Return an account's summary; nothing is changed.

    Raises:
        ConfigError: the key cannot be used.
        AccessDeniedError: the exchange refuses the key.
        UnavailableError: the exchange does not answer.
        BadDataError: its answer cannot be read.
    """
    key, account = read_key(rest), rest.account_info()
    if key.problems:
        raise ConfigError("\n".join(["the account cannot be traded:", *key.problems]))
    return AccountSummary(
        key=key,
        account=account,
        wallet=rest.wallet(account.margin_mode),
        positions=rest.open_positions(),
    )


def confirm_live(
    found: AccountSummary,
    rules: TradingRules,
    place: str,
    screen: Screen,
    warnings: Sequence[str] = (),
) -> bool:
    """Show account, balance and limits, wait, and return whether the operator let it go on.

    Args:
        found: the account.
        rules: the limits.
        place: of the account.
        screen: to show it on.
        warnings: besides those about the key.
    """
    table = Table(box=None, show_header=False)
    for name, text in (
        ("account", _account_text(found.key.info, found.account)),
        ("balance", _balance_text(found.wallet)),
        ("open", _positions_text(found.positions)),
        *(
            ("limit", line)
            for line in limits(rules, Capital(rules.total_capital).of(found.wallet.balance))
        ),
        *(("warning", warning) for warning in (*found.key.warnings, *warnings)),
    ):
        table.add_row(name, text)
    stopped = threading.Event()
    with ExitStack() as held:
        held.callback(call_at_signals(stopped.set))
        screen.print(f"REAL MONEY at {place}", style="bold red")
        screen.print(table)
        screen.print(f"It starts in {THINK_S} s. Ctrl-C stops it, with nothing done.")
        return not stopped.wait(THINK_S)


def limits(rules: TradingRules, capital: Decimal) -> Iterator[str]:
    """Yield all risk limits, in amounts based on the capital that sizing may use, USDT."""

    def money(fraction: Decimal) -> str:
        return f"{capital * fraction:,.2f} USDT"

    for asset in rules.assets:
        notional = asset.allocation_fraction * asset.leverage
        yield (
            f"{asset.asset}: margin {asset.allocation_fraction:.2%} of the balance x leverage "
            f"{asset.leverage:f} = {money(notional)} at most"
        )
        yield f"{asset.asset}: {stops_text(asset.stops)}"
    approval = rules.approval
    yield (
        f"exposure {approval.max_total_exposure:.0%} of the balance = "
        f"{money(approval.max_total_exposure)}; "
        f"{counted(approval.max_positions, 'position')}, "
        f"{_entries(approval.max_simultaneous_entries)} at a close"
    )
    yield from _protections(rules, money)
    if approval.max_correlated_exposure is not None:
        yield (
            f"exposure of a correlated group {approval.max_correlated_exposure:.0%} = "
            f"{money(approval.max_correlated_exposure)}"
        )


def account_words(account: AccountInfo) -> str:
    """Return the type of the account as text."""
    kind = {1: "classic", 3: "unified 1.0", 4: "unified 1.0"}.get(
        account.unified_status, "unified 2.0"
    )
    return f"{kind}, {account.margin_mode or 'margin mode not known'}"


def _account_text(key: ApiKeyInfo | None, account: AccountInfo) -> str:
    uid = "not reported" if key is None or key.uid is None else key.uid
    return f"uid {uid}, {account_words(account)}"


def _balance_text(wallet: Wallet) -> str:
    return f"{wallet.balance:,.2f} USDT, equity {wallet.equity:,.2f}"


def _positions_text(positions: tuple[PositionRow, ...]) -> str:
    shown = [f"{row.side} {row.qty:f} {row.symbol}" for row in positions]
    return ", ".join(shown) or "no position"


def stops_text(stops: StopPolicy) -> str:
    """Return how a position is protected, and when it ends by itself."""
    parts = [f"stop {stops.first_distance:.2%}"]
    if stops.trail_fraction is not None:
        parts.append(f"trailing {stops.trail_fraction:.2%} behind the best price")
    if stops.take_profit_fraction is not None:
        parts.append(f"take profit {stops.take_profit_fraction:.2%}")
    if stops.max_hold_ms is not None:
        parts.append(f"held at most {stops.max_hold_ms / HOUR_MS:g} h")
    return ", ".join(parts)


def _protections(rules: TradingRules, money: Callable[[Decimal], str]) -> Iterator[str]:
    approval, protection = rules.approval, rules.protection
    if protection.max_daily_loss_fraction is not None:
        yield (
            f"daily loss {protection.max_daily_loss_fraction:.2%} = "
            f"{money(protection.max_daily_loss_fraction)}: closes all"
        )
    for level, multiplier in protection.drawdown_steps:
        yield f"drawdown {level:.0%}: entries at {multiplier:.0%} of their size"
    if protection.drawdown_emergency_fraction is not None:
        yield f"drawdown {protection.drawdown_emergency_fraction:.0%}: closes all"
    if protection.drawdown_halt_fraction is not None:
        yield f"drawdown {protection.drawdown_halt_fraction:.0%}: closes all and halts"
    if protection.capital_loss_fraction is not None:
        yield f"entry capital {-protection.capital_loss_fraction:.0%}: closes all and halts"
    if approval.correlation_limit is not None:
        yield f"correlation above {approval.correlation_limit:g}: no entry beside it"
    if protection.high_correlation_threshold is not None:
        yield f"mean correlation above {protection.high_correlation_threshold:g}: closes all"
    if protection.loss_streak is not None:
        yield (
            f"{counted(protection.loss_streak, 'loss', 'losses')} in a row: no entries for "
            f"{protection.loss_streak_cooldown_ms / HOUR_MS:g} h"
        )
    yield f"after an emergency: no entries for {protection.emergency_cooldown_ms / HOUR_MS:g} h"


def _entries(most: int | None) -> str:
    return "any number of entries" if most is None else counted(most, "entry", "entries")
