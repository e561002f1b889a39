"""Cooldowns of an asset after its trades (strategy section 9)."""

from enum import StrEnum

from domain.market.instruments import DAY_MS, HOUR_MS, MINUTE_MS, utc_day
from domain.rules import CooldownRules
from domain.trading.positions import Trade


class CooldownReason(StrEnum):
    """Why there is a cooldown."""

    SHORT_HOLD = "SHORT_HOLD"
    LOSS_STREAK = "LOSS_STREAK"
    TRADES_PER_HOUR = "TRADES_PER_HOUR"
    TRADES_PER_DAY = "TRADES_PER_DAY"


class AssetCooldown:
    """The fold of one asset's closed trades.

    Always true: `end_ms` never moves back.
    """

    __slots__ = ("_exits_ms", "_rules", "end_ms", "loss_streak", "reason")

    def __init__(self, rules: CooldownRules) -> None:
        """Start before the first trade."""
        self._rules = rules
        self._exits_ms: list[int] = []
        self.loss_streak = 0
        self.end_ms = 0
        """The asset is in its cooldown at each t before this."""
        self.reason: CooldownReason | None = None

    def apply(self, trade: Trade) -> None:
        """Fold one more closed trade."""
        self._exits_ms = [*self._recent(trade.exit_ms), trade.exit_ms]
        self.loss_streak = self.loss_streak + 1 if trade.pnl < 0 else 0
        for reason, length_ms in self._earned(trade):
            end_ms = trade.exit_ms + length_ms
            if length_ms and end_ms > self.end_ms:
                self.end_ms, self.reason = end_ms, reason

    def is_active(self, t_ms: int) -> bool:
        """Tell whether the asset is in its cooldown at t."""
        return t_ms < self.end_ms

    def minutes_left(self, t_ms: int) -> int:
        """Return the whole minutes left at t, 0 when it is over."""
        return max(0, self.end_ms - t_ms) // MINUTE_MS

    def _recent(self, now_ms: int) -> list[int]:
        oldest_ms = min(now_ms - HOUR_MS, utc_day(now_ms) * DAY_MS)
        return [exit_ms for exit_ms in self._exits_ms if exit_ms >= oldest_ms]

    def _of_hour(self, exit_ms: int) -> int:
        return sum(exit_ms - other_ms <= HOUR_MS for other_ms in self._exits_ms)

    def _of_day(self, exit_ms: int) -> int:
        return sum(utc_day(other_ms) == utc_day(exit_ms) for other_ms in self._exits_ms)

    def _earned(self, trade: Trade) -> list[tuple[CooldownReason, int]]:
        rules, exit_ms = self._rules, trade.exit_ms
        earned = []
        if rules.short_hold_ms is not None and exit_ms - trade.entry_ms < rules.short_hold_ms:
            earned.append((CooldownReason.SHORT_HOLD, rules.short_hold_cooldown_ms))
        if rules.loss_streak is not None and self.loss_streak >= rules.loss_streak:
            earned.append((CooldownReason.LOSS_STREAK, rules.loss_streak_cooldown_ms))
        if rules.trades_per_hour is not None and self._of_hour(exit_ms) > rules.trades_per_hour:
            earned.append((CooldownReason.TRADES_PER_HOUR, rules.trades_per_hour_cooldown_ms))
        if rules.trades_per_day is not None and self._of_day(exit_ms) >= rules.trades_per_day:
            earned.append((CooldownReason.TRADES_PER_DAY, rules.trades_per_day_cooldown_ms))
        return earned
