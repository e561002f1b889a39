"""Losing trades in a row, and the cooldown that follows."""

from dataclasses import dataclass

from domain.fast_init import fast_init
from domain.trading.positions import Trade


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class LossStreak:
    """Losing trades in a row over the whole portfolio (8.7)."""

    losses: int = 0
    cooldown_end_ms: int = 0

    def apply(self, trade: Trade, *, limit: int | None, cooldown_ms: int) -> "LossStreak":
        """Return the streak after one more trade; reaching a limit starts a cooldown."""
        if trade.pnl >= 0:
            return LossStreak(cooldown_end_ms=self.cooldown_end_ms) if self.losses else self
        if limit is None or self.losses + 1 < limit:
            return LossStreak(losses=self.losses + 1, cooldown_end_ms=self.cooldown_end_ms)
        end_ms = max(self.cooldown_end_ms, trade.exit_ms + cooldown_ms)
        return LossStreak(cooldown_end_ms=end_ms)
