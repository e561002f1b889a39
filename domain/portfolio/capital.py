"""The part of the wallet that the system may use (multi-pair 10)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from domain.rules import CapitalChange
from domain.trading.positions import ZERO


@dataclass(frozen=True, slots=True)
class Capital:
    """A limit of the capital, and what was earned or lost since it was set."""

    limit: Decimal | None
    """Quote; None: the whole wallet."""
    changes: tuple[CapitalChange, ...] = ()
    """Changes of the limit, oldest first."""
    earned: tuple[Decimal, ...] = ()
    """Earned by all executions, then by those since each change; empty before the first."""

    def booked(self, ts_ms: int, cash: Decimal) -> "Capital":
        """Return the capital after an execution has moved money."""
        if self.limit is None and not self.changes:
            return self
        since = (0, *(change.ts_ms for change in self.changes))
        earned = tuple(
            before + cash if ts_ms >= from_ms else before
            for before, from_ms in zip(self._earned(), since, strict=True)
        )
        return replace(self, earned=earned)

    def of(self, balance: Decimal) -> Decimal:
        """Return the part of a wallet balance that sizing and limits use."""
        # Called several times per close, nearly always without a limit.
        if self.limit is None:
            return balance
        return _capped(balance, self.limit, self._earned()[-1])

    def moved_after(self, t_ms: int, balance: Decimal) -> Decimal:
        """Return how far changes of the limit after a time have moved the capital."""
        earned, moved = self._earned(), ZERO
        for index, change in enumerate(self.changes):
            if change.ts_ms > t_ms:
                before = _capped(balance, change.before, earned[index])
                moved += _capped(balance, change.limit, earned[index + 1]) - before
        return moved

    def _earned(self) -> Sequence[Decimal]:
        return self.earned or (ZERO,) * (len(self.changes) + 1)


def _capped(balance: Decimal, limit: Decimal | None, earned: Decimal) -> Decimal:
    return balance if limit is None else min(balance, limit + earned)
