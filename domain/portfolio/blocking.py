"""What forbids every entry of a close, whichever asset wishes for it."""

from collections.abc import Mapping
from dataclasses import dataclass

from domain.portfolio.grants import Blocked
from domain.portfolio.protection import ProtectionState
from domain.rules import TradingRules
from domain.trading.decisions import Protection, RefusalReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the portfolio stands at a close."""

    t_ms: int
    now_ms: int
    protection: ProtectionState
    cooldown_end_ms: int
    panic_since_ms: int | None
    """While the operator lets nothing be open at all: since when."""
    malfunctions: Mapping[str, str]
    """What is broken, by its source."""

    @property
    def age_ms(self) -> int:
        """How long ago the close was."""
        return self.now_ms - self.t_ms


def blocked_before(standing: Standing, rules: TradingRules) -> Blocked | None:
    """Return what forbids entries before the protection has looked at the close."""
    if standing.panic_since_ms is not None:
        return RefusalReason.PAUSED, f"panic_since_ms={standing.panic_since_ms}"
    if standing.protection.is_halted:
        return RefusalReason.HALTED, f"drawdown={standing.protection.drawdown:.4f}"
    if standing.t_ms < standing.cooldown_end_ms:
        return RefusalReason.GLOBAL_COOLDOWN, f"until_ms={standing.cooldown_end_ms}"
    limit_ms = rules.strategy.entry_max_age_ms
    if standing.age_ms > limit_ms:
        return RefusalReason.STALE, f"age_ms={standing.age_ms} limit_ms={limit_ms}"
    if standing.malfunctions:
        return RefusalReason.MALFUNCTION, "; ".join(standing.malfunctions.values())
    return None


def blocked_now(
    standing: Standing, fired: Protection | None, rules: TradingRules
) -> Blocked | None:
    """Return what forbids entries after the protection has looked at the close."""
    if fired is not None:
        return RefusalReason.EMERGENCY, f"reason={fired.reason} {fired.figures}"
    state, limit = standing.protection, rules.protection.max_daily_loss_fraction
    if state.daily_loss_day == state.day:
        return RefusalReason.DAILY_LOSS, f"daily_loss={state.daily_loss:.4f} limit={limit}"
    return None


def kept_limits(standing: Standing, rules: TradingRules) -> list[Blocked]:
    """Return the limits of the whole portfolio, where none of them blocks, with figures."""
    state, halt = standing.protection, rules.protection.drawdown_halt_fraction
    lost, limit_ms = rules.protection.max_daily_loss_fraction, rules.strategy.entry_max_age_ms
    return [
        (RefusalReason.HALTED, f"drawdown={state.drawdown:.4f} limit={halt}"),
        (RefusalReason.GLOBAL_COOLDOWN, f"until_ms={standing.cooldown_end_ms}"),
        (RefusalReason.STALE, f"age_ms={standing.age_ms} limit_ms={limit_ms}"),
        (RefusalReason.DAILY_LOSS, f"daily_loss={state.daily_loss:.4f} limit={lost}"),
    ]
