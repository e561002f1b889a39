"""When the whole portfolio is protected (strategy section 8)."""

from dataclasses import dataclass, fields, replace
from decimal import Decimal
from operator import attrgetter

from domain.fast_init import fast_init
from domain.market.instruments import utc_day
from domain.rules import ProtectionRules
from domain.trading.orders import ExitReason

_HAIR = Decimal("0.0001")


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionState:
    """What the portfolio remembers about its equity. Stored whenever it changes.

    Always true: peak_equity >= every equity since the last rearm; epoch never falls.
    """

    t_ms: int
    close_ms: int
    """The newest close that was decided with it; `t_ms` may be later, between closes."""
    equity: Decimal
    balance: Decimal
    peak_equity: Decimal
    day: int
    """Number of the UTC day of `day_start_equity`."""
    day_start_equity: Decimal
    reduction_step: int = 0
    """The drawdown step that sizes new entries, from 1; 0: full size."""
    is_emergency_armed: bool = True
    is_halted: bool = False
    daily_loss_day: int | None = None
    """The UTC day on which the daily loss fired."""
    cooldown_end_ms: int = 0
    """End of the cooldown after the last emergency."""
    epoch: int = 0
    entry_capital: Decimal = Decimal(0)
    """What `capital_loss_fraction` is measured against: the starting balance, with transfers."""
    is_capital_armed: bool = True
    """Whether the loss of entry capital can fire; it fires once until the operator's rearm."""

    @property
    def is_reduced(self) -> bool:
        """Tell whether new entries have a reduced size."""
        return self.reduction_step > 0

    @property
    def drawdown(self) -> Decimal:
        """Lost fraction of the peak."""
        return (self.peak_equity - self.equity) / self.peak_equity

    @property
    def daily_loss(self) -> Decimal:
        """Lost fraction of the day's first equity; negative on a winning day."""
        return (self.day_start_equity - self.equity) / self.day_start_equity

    def equals_but_for_time(self, other: "ProtectionState") -> bool:
        """Tell whether only the time differs."""
        return bool(_lasting(self) == _lasting(other))

    def is_worth_storing(self, stored: "ProtectionState") -> bool:
        """Tell whether more has changed between closes than the equity and a little of the peak.

        Equity moves with every price, and each close stores it; a crash before the next close
        loses at most a hundredth of a percent of the peak.
        """
        valued = replace(
            self, equity=stored.equity, balance=stored.balance, peak_equity=stored.peak_equity
        )
        risen = self.peak_equity - stored.peak_equity
        is_higher = risen >= stored.peak_equity * _HAIR
        return is_higher or not valued.equals_but_for_time(stored)


_lasting = attrgetter(
    *(field.name for field in fields(ProtectionState) if field.name not in {"t_ms", "close_ms"})
)


def initial_state(
    balance: Decimal, t_ms: int, *, limit: Decimal | None = None, is_halted: bool = False
) -> ProtectionState:
    """Return the state at the start: peak and day start are the capital.

    Args:
        balance: the wallet's balance.
        t_ms: the present time.
        limit: the limit of the capital; None: the whole wallet.
        is_halted: whether nothing may be opened.
    """
    capital = balance if limit is None else min(balance, limit)
    return ProtectionState(
        t_ms=t_ms,
        close_ms=t_ms,
        equity=capital,
        balance=balance,
        peak_equity=capital,
        day=utc_day(t_ms),
        day_start_equity=capital,
        is_halted=is_halted,
        entry_capital=capital,
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
    return _valued(
        state, equity, balance, t_ms, rules, close_ms=t_ms, day=day, day_start_equity=day_start
    )


def watch(
    state: ProtectionState,
    *,
    equity: Decimal,
    balance: Decimal,
    t_ms: int,
    rules: ProtectionRules,
) -> ProtectionState:
    """Return the state after an equity between closes. A day begins only at its first close."""
    return _valued(
        state,
        equity,
        balance,
        t_ms,
        rules,
        close_ms=state.close_ms,
        day=state.day,
        day_start_equity=state.day_start_equity,
    )


def _valued(
    state: ProtectionState,
    equity: Decimal,
    balance: Decimal,
    t_ms: int,
    rules: ProtectionRules,
    *,
    close_ms: int,
    day: int,
    day_start_equity: Decimal,
) -> ProtectionState:
    """Return the state with an equity; the last three are the newest close, and its day."""
    peak_equity = max(state.peak_equity, equity)
    drawdown = (peak_equity - equity) / peak_equity
    # Made for every close and price: `replace` costs three times as much.
    return ProtectionState(
        t_ms=t_ms,
        close_ms=close_ms,
        equity=equity,
        balance=balance,
        peak_equity=peak_equity,
        day=day,
        day_start_equity=day_start_equity,
        reduction_step=_reduction_step(drawdown, rules, before=state.reduction_step),
        is_emergency_armed=state.is_emergency_armed or drawdown < rules.drawdown_rearm_fraction,
        is_halted=state.is_halted,
        daily_loss_day=state.daily_loss_day,
        cooldown_end_ms=state.cooldown_end_ms,
        epoch=state.epoch,
        entry_capital=state.entry_capital,
        is_capital_armed=state.is_capital_armed,
    )


def _reduction_step(drawdown: Decimal, rules: ProtectionRules, *, before: int) -> int:
    """Return the deepest step reached; a step ends below the next shallower level."""
    steps = rules.drawdown_steps
    step = min(before, len(steps))  # the settings may have had more of them
    while step and drawdown < (steps[step - 2][0] if step > 1 else rules.drawdown_restore_fraction):
        step -= 1
    while step < len(steps) and drawdown >= steps[step][0]:
        step += 1
    return step


def drawdown_multiplier(state: ProtectionState, rules: ProtectionRules) -> Decimal:
    """Return the factor that the drawdown sets on the size of new entries."""
    step = min(state.reduction_step, len(rules.drawdown_steps))
    return rules.drawdown_steps[step - 1][1] if step else Decimal(1)


def fire(
    state: ProtectionState, *, open_correlation: float | None, rules: ProtectionRules
) -> tuple[ProtectionState, ExitReason | None]:
    """Return the state after all protections that fire, and the reason of the first.

    Args:
        state: after `sample`, or `watch`.
        open_correlation: mean pairwise correlation of the open positions; None: not judged.
        rules: the limits.
    """
    fired = _firing(state, open_correlation, rules)
    if not fired:
        return state, None
    is_halt = ExitReason.HALT in fired or ExitReason.CAPITAL_LOSS in fired
    spends_drawdown = is_halt or ExitReason.DRAWDOWN in fired
    state = replace(
        state,
        is_halted=state.is_halted or is_halt,
        is_emergency_armed=state.is_emergency_armed and not spends_drawdown,
        is_capital_armed=state.is_capital_armed and not _has_lost_capital(state, rules),
        daily_loss_day=state.day if ExitReason.DAILY_LOSS in fired else state.daily_loss_day,
        cooldown_end_ms=max(state.cooldown_end_ms, state.t_ms + rules.emergency_cooldown_ms),
        epoch=state.epoch + 1,
    )
    return state, fired[0]


def _firing(
    state: ProtectionState, open_correlation: float | None, rules: ProtectionRules
) -> list[ExitReason]:
    drawdown, fired = state.drawdown, []
    if _reaches(drawdown, rules.drawdown_halt_fraction) and not state.is_halted:
        fired.append(ExitReason.HALT)
    if state.is_capital_armed and _has_lost_capital(state, rules):
        fired.append(ExitReason.CAPITAL_LOSS)
    is_emergency = _reaches(drawdown, rules.drawdown_emergency_fraction)
    if is_emergency and state.is_emergency_armed and not fired:
        fired.append(ExitReason.DRAWDOWN)
    # Between midnight and the first close the day's first equity is not known yet.
    is_of_today = utc_day(state.t_ms) == state.day
    lost_today = is_of_today and _reaches(state.daily_loss, rules.max_daily_loss_fraction)
    if lost_today and state.daily_loss_day != state.day:
        fired.append(ExitReason.DAILY_LOSS)
    limit = rules.high_correlation_threshold
    if limit is not None and open_correlation is not None and open_correlation > limit:
        fired.append(ExitReason.CORRELATION)
    return fired


def halt(state: ProtectionState) -> ProtectionState:
    """Return the halted state, in which nothing is opened until rearm, with a new epoch."""
    return replace(state, is_halted=True, epoch=state.epoch + 1)


def _reaches(value: Decimal, limit: Decimal | None) -> bool:
    return limit is not None and value >= limit


def _has_lost_capital(state: ProtectionState, rules: ProtectionRules) -> bool:
    limit = rules.capital_loss_fraction
    return limit is not None and state.equity <= state.entry_capital * (1 - limit)


def rearm(state: ProtectionState) -> ProtectionState:
    """Return the state after the operator's rearm (8.4): the peak is the equity."""
    return replace(
        state,
        is_halted=False,
        reduction_step=0,
        is_emergency_armed=True,
        peak_equity=state.equity,
        entry_capital=state.equity,
        is_capital_armed=True,
        epoch=state.epoch + 1,
    )


def transfer(
    state: ProtectionState, amount: Decimal, *, capital: Decimal | None = None
) -> ProtectionState:
    """Return the state after a payment in (positive) or out: neither gain nor loss (8.1).

    Args:
        state: before.
        amount: change of the wallet.
        capital: change of the capital because of it; None: the same.
    """
    capital = amount if capital is None else capital
    return replace(
        state,
        equity=state.equity + capital,
        balance=state.balance + amount,
        peak_equity=state.peak_equity + capital,
        day_start_equity=state.day_start_equity + capital,
        entry_capital=state.entry_capital + capital,
    )
