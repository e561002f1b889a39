"""What forbids all entries of a close, for every asset."""

from collections.abc import Mapping
from dataclasses import dataclass

from domain.fast_init import fast_init
from domain.portfolio.approvals import Blocked
from domain.portfolio.protection import ProtectionState
from domain.rules import TradingRules
from domain.trading.decisions import DenialReason, Protection


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class EntryGate:
    """The portfolio's blocks on entries at a close."""

    t_ms: int
    now_ms: int
    protection: ProtectionState
    cooldown_end_ms: int
    cooldown_reason: str
    panic_since_ms: int | None
    """During a panic: since when."""
    malfunctions: Mapping[str, str]
    """What is broken, by its source."""

    @property
    def age_ms(self) -> int:
        """How long ago the close was."""
        return self.now_ms - self.t_ms


def blocked_before(entry_gate: EntryGate, rules: TradingRules) -> Blocked | None:
    """Return what forbids entries before the protection has checked the close."""
    if entry_gate.panic_since_ms is not None:
        return DenialReason.PAUSED, f"panic_since_ms={entry_gate.panic_since_ms}"
    if entry_gate.protection.is_halted:
        return DenialReason.HALTED, f"drawdown={entry_gate.protection.drawdown:.4f}"
    if entry_gate.t_ms < entry_gate.cooldown_end_ms:
        figures = f"until_ms={entry_gate.cooldown_end_ms} cooldown={entry_gate.cooldown_reason}"
        return DenialReason.GLOBAL_COOLDOWN, figures
    limit_ms = rules.candles.entry_max_age_ms
    if entry_gate.age_ms > limit_ms:
        return DenialReason.STALE, f"age_ms={entry_gate.age_ms} limit_ms={limit_ms}"
    if entry_gate.malfunctions:
        return DenialReason.MALFUNCTION, "; ".join(entry_gate.malfunctions.values())
    return None


def blocked_now(
    entry_gate: EntryGate, fired: Protection | None, rules: TradingRules
) -> Blocked | None:
    """Return what forbids entries after the protection has checked the close."""
    if fired is not None:
        return DenialReason.EMERGENCY, f"reason={fired.reason} {fired.figures}"
    state, limit = entry_gate.protection, rules.protection.max_daily_loss_fraction
    if state.daily_loss_day == state.day:
        return DenialReason.DAILY_LOSS, f"daily_loss={state.daily_loss:.4f} limit={limit}"
    return None


def kept_limits(entry_gate: EntryGate, rules: TradingRules) -> list[Blocked]:
    """Return the limits of the whole portfolio, with figures, when none of them blocks."""
    state, halt = entry_gate.protection, rules.protection.drawdown_halt_fraction
    lost, limit_ms = rules.protection.max_daily_loss_fraction, rules.candles.entry_max_age_ms
    return [
        (DenialReason.HALTED, f"drawdown={state.drawdown:.4f} limit={halt}"),
        (DenialReason.GLOBAL_COOLDOWN, f"until_ms={entry_gate.cooldown_end_ms}"),
        (DenialReason.STALE, f"age_ms={entry_gate.age_ms} limit_ms={limit_ms}"),
        (DenialReason.DAILY_LOSS, f"daily_loss={state.daily_loss:.4f} limit={lost}"),
    ]
