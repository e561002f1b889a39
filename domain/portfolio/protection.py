"""When the whole portfolio is protected (strategy section 8)."""

from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import NamedTuple

from domain.market.instruments import utc_day
from domain.rules import ProtectionRules
from domain.trading.orders import ExitReason

_HAIR = Decimal("0.0001")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionState:
    """What the portfolio remembers of its equity. Stored whenever it changes.

    Always true: peak_equity >= every equity since the last rearm; epoch never falls.
    """

    t_ms: int
    close_ms: int
    """The newest close that was decided on it; `t_ms` may be later, between closes."""
    equity: Decimal
    balance: Decimal
    peak_equity: Decimal
    day: int
    """Number of the UTC day that `day_start_equity` belongs to."""
    day_start_equity: Decimal
    is_reduced: bool = False
    """New entries at reduced size."""
    is_emergency_armed: bool = True
    is_halted: bool = False
    daily_loss_day: int | None = None
    """The UTC day in which the daily loss fired."""
    cooldown_end_ms: int = 0
    """End of the cooldown that the last emergency started."""
    epoch: int = 0

    @property
    def drawdown(self) -> Decimal:
        """Fraction of the peak that is lost."""
        return (self.peak_equity - self.equity) / self.peak_equity

    @property
    def daily_loss(self) -> Decimal:
        """Fraction of the day's start that is lost; negative on a winning day."""
        return (self.day_start_equity - self.equity) / self.day_start_equity

    def equals_but_for_time(self, other: "ProtectionState") -> bool:
        """Tell whether nothing but the time differs."""
        return all(getattr(self, name) == getattr(other, name) for name in _LASTING)

    def is_worth_storing(self, stored: "ProtectionState") -> bool:
        """Tell whether more than the value has changed between closes, or the peak by a hair.

        Equity moves with every price; each close stores it, and what a crash before the next one
        may forget of the peak is a hundredth of a percent.
        """
        valued = replace(
            self, equity=stored.equity, balance=stored.balance, peak_equity=stored.peak_equity
        )
        risen = self.peak_equity - stored.peak_equity
        is_higher = risen >= stored.peak_equity * _HAIR
        return is_higher or not valued.equals_but_for_time(stored)


_LASTING = tuple(
    field.name for field in fields(ProtectionState) if field.name not in {"t_ms", "close_ms"}
)


def initial_state(balance: Decimal, t_ms: int, *, is_halted: bool = False) -> ProtectionState:
    """Return the state at the start: peak and day start are the starting balance."""
    return ProtectionState(
        t_ms=t_ms,
        close_ms=t_ms,
        equity=balance,
        balance=balance,
        peak_equity=balance,
        day=utc_day(t_ms),
        day_start_equity=balance,
        is_halted=is_halted,
    )


def sample(
    state: ProtectionState,
    *,
    equity: Decimal,
    balance: Decimal,
    t_ms: int,
    rules: ProtectionRules,
) -> ProtectionState:
    """Return the state after a close's equity: peak, day start and the size of entries."""
    day = utc_day(t_ms)
    day_start = state.day_start_equity if day == state.day else equity
    return _valued(state, equity, balance, t_ms, rules, _Begun(t_ms, day, day_start))


def watch(
    state: ProtectionState,
    *,
    equity: Decimal,
    balance: Decimal,
    t_ms: int,
    rules: ProtectionRules,
) -> ProtectionState:
    """Return the state after an equity between closes. A day begins at its first close only."""
    begun = _Begun(state.close_ms, state.day, state.day_start_equity)
    return _valued(state, equity, balance, t_ms, rules, begun)


class _Begun(NamedTuple):
    """The newest close, and the day that it began or goes on with."""

    close_ms: int
    day: int
    day_start_equity: Decimal


def _valued(
    state: ProtectionState,
    equity: Decimal,
    balance: Decimal,
    t_ms: int,
    rules: ProtectionRules,
    begun: _Begun,
) -> ProtectionState:
    peak_equity = max(state.peak_equity, equity)
    drawdown = (peak_equity - equity) / peak_equity
    # Made for every close and price: `replace` costs three times as much.
    return ProtectionState(
        t_ms=t_ms,
        close_ms=begun.close_ms,
        equity=equity,
        balance=balance,
        peak_equity=peak_equity,
        day=begun.day,
        day_start_equity=begun.day_start_equity,
        is_reduced=_is_reduced(drawdown, rules, was_reduced=state.is_reduced),
        is_emergency_armed=state.is_emergency_armed or drawdown < rules.drawdown_rearm_fraction,
        is_halted=state.is_halted,
        daily_loss_day=state.daily_loss_day,
        cooldown_end_ms=state.cooldown_end_ms,
        epoch=state.epoch,
    )


def _is_reduced(drawdown: Decimal, rules: ProtectionRules, *, was_reduced: bool) -> bool:
    if was_reduced:
        return drawdown >= rules.drawdown_restore_fraction
    return drawdown >= rules.drawdown_reduce_fraction


def fire(
    state: ProtectionState, *, open_correlation: float | None, rules: ProtectionRules
) -> tuple[ProtectionState, ExitReason | None]:
    """Return the state after all protections that fire on it, and the first one's reason.

    Args:
        state: after `sample`, or `watch`.
        open_correlation: mean pairwise correlation of the open positions; None: not judged.
        rules: the limits.
    """
    fired = _firing(state, open_correlation, rules)
    if not fired:
        return state, None
    is_halt = ExitReason.HALT in fired
    spends_drawdown = is_halt or ExitReason.DRAWDOWN in fired
    state = replace(
        state,
        is_halted=state.is_halted or is_halt,
        is_emergency_armed=state.is_emergency_armed and not spends_drawdown,
        daily_loss_day=state.day if ExitReason.DAILY_LOSS in fired else state.daily_loss_day,
        cooldown_end_ms=max(state.cooldown_end_ms, state.t_ms + rules.emergency_cooldown_ms),
        epoch=state.epoch + 1,
    )
    return state, fired[0]


def _firing(
    state: ProtectionState, open_correlation: float | None, rules: ProtectionRules
) -> list[ExitReason]:
    drawdown, fired = state.drawdown, []
    if drawdown >= rules.drawdown_halt_fraction and not state.is_halted:
        fired.append(ExitReason.HALT)
    elif drawdown >= rules.drawdown_emergency_fraction and state.is_emergency_armed:
        fired.append(ExitReason.DRAWDOWN)
    # Between midnight and the first close nobody knows yet what the day began with.
    is_of_today = utc_day(state.t_ms) == state.day
    lost_today = is_of_today and state.daily_loss >= rules.max_daily_loss_fraction
    if lost_today and state.daily_loss_day != state.day:
        fired.append(ExitReason.DAILY_LOSS)
    if open_correlation is not None and open_correlation > rules.high_correlation_threshold:
        fired.append(ExitReason.CORRELATION)
    return fired


def halt(state: ProtectionState) -> ProtectionState:
    """Return the state in which nothing is opened until the operator ends it, from an epoch on."""
    return replace(state, is_halted=True, epoch=state.epoch + 1)


def rearm(state: ProtectionState) -> ProtectionState:
    """Return the state after the operator has ended a halt (8.4): the peak is the equity."""
    return replace(
        state,
        is_halted=False,
        is_reduced=False,
        is_emergency_armed=True,
        peak_equity=state.equity,
        epoch=state.epoch + 1,
    )


def transfer(state: ProtectionState, amount: Decimal) -> ProtectionState:
    """Return the state after money came in (positive) or went out: neither gain nor loss (8.1)."""
    return replace(
        state,
        equity=state.equity + amount,
        balance=state.balance + amount,
        peak_equity=state.peak_equity + amount,
        day_start_equity=state.day_start_equity + amount,
    )
