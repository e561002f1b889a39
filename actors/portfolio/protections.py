"""The protections of the whole portfolio: stored, and resent until what they close is gone."""

from collections.abc import Iterable

from actors.messages import (
    ClosePosition,
    GlobalCooldownStarted,
    LossStreakReached,
    ProtectionFired,
)
from actors.names import NOTIFIER, asset_name, execution_name
from actors.portfolio.context import PortfolioContext
from domain.errors import JournalError
from domain.facts import Fact
from domain.trading.closing import closes_left
from domain.trading.decisions import Close, Decision, Protection
from domain.trading.orders import ExitReason
from domain.trading.positions import Execution


class Protections:
    """The newest protection that fired, and the newest stored state."""

    def __init__(self, context: PortfolioContext) -> None:
        """Take over what an earlier incarnation has stored."""
        self._context = context
        self._stored = context.books.protection
        self._fired = _newest(context)
        self._told_cooldown_ms = 0
        context.books.emergency_reason = _rests_because(context)

    # Storing.

    def store(self, *facts: Fact, protects: bool = False) -> None:
        """Store facts, or queue them; the protection's own state may be among them.

        Args:
            facts: to store together.
            protects: a kill must not lose them, even while they wait.
        """
        self._context.backlog.store(*facts, protects=protects)
        if self._context.books.protection in facts:
            self._stored = self._context.books.protection

    def store_now(self, *facts: Fact) -> None:
        """Store facts or fail.

        Raises:
            JournalError: they are not stored, and do not wait.
        """
        self._context.backlog.store_now(*facts)
        self._stored = self._context.books.protection

    def store_close(self, decision: Decision) -> Decision:
        """Store the decision of a close, if any, and return what is in force.

        An approval is in force only once stored; otherwise the entry is denied, and not reserved.
        """
        state = self._context.books.protection
        samples: list[Fact] = [] if state.equals_but_for_time(self._stored) else [state]
        if decision.approvals:
            try:
                self.store_now(*samples, decision)
            except JournalError as error:
                decision = self._context.books.deny(decision, str(error))
            else:
                return decision
        facts = samples if decision.is_empty else [*samples, decision]
        if facts:
            self.store(*facts, protects=decision.protection is not None)
        return decision

    def protect(self, protection: Protection | None) -> None:
        """Store and announce what fired between closes; otherwise store a notable equity change."""
        state = self._context.books.protection
        if protection is not None:
            decision = Decision(t_ms=protection.t_ms, protection=protection)
            self.store(state, decision, protects=True)
            self.fire(protection)
            self.tell_closes()
            self.tell_cooldown()
        elif state.is_worth_storing(self._stored):
            self.store(state)

    # Sending.

    def fire(self, protection: Protection) -> None:
        """Make a protection the newest, and notify of it."""
        self._fired = protection
        self.tell_fired()

    def tell_fired(self) -> None:
        """Notify of the newest protection."""
        if self._fired is not None:
            self._context.tell(NOTIFIER, ProtectionFired(protection=self._fired))

    def came_too_late(self, entry: Execution) -> bool:
        """Tell whether an entry was in flight when everything was closed."""
        return self._fired is not None and (entry.decided_ms or 0) < self._fired.t_ms

    def tell_closes(self) -> None:
        """Send the closes of the newest protection, until what they close is gone."""
        if self._fired is None:
            return
        closes: Iterable[Close] = self._fired.closes
        # While facts wait to be stored, more may be open than announced; the executions know.
        if not self._context.backlog.shortage():
            closes = closes_left(self._fired, self._context.books.present().positions)
        for close in closes:
            command = ClosePosition(
                asset=close.asset,
                t_ms=self._fired.t_ms,
                purpose=close.purpose,
                reason=close.reason,
            )
            self._context.tell(execution_name(close.asset), command)

    def tell_cooldown(self) -> None:
        """Announce to the assets a cooldown that ends later than the known one."""
        end_ms = self._context.books.global_cooldown_end_ms
        if end_ms > self._told_cooldown_ms:
            self._told_cooldown_ms = end_ms
            for asset in self._context.assets:
                self.tell_cooldown_to(asset_name(asset))
            self.tell_streak()

    def tell_cooldown_to(self, address: str) -> None:
        """Tell one asset until when nothing is opened."""
        end_ms = self._context.books.global_cooldown_end_ms
        self._context.tell(address, GlobalCooldownStarted(end_ms=end_ms))

    def tell_streak(self) -> None:
        """Notify of the losing streak, if there was one."""
        end_ms = self._context.books.streak.cooldown_end_ms
        if end_ms:
            self._context.tell(NOTIFIER, LossStreakReached(end_ms=end_ms))


def _rests_because(context: PortfolioContext) -> ExitReason | None:
    """Return the emergency that set the end of the cooldown."""
    end_ms = context.books.protection.cooldown_end_ms
    if not end_ms:
        return None
    found = context.journal.protection_resting_until(end_ms)
    if found is not None:
        return found.reason
    waiting = (decision.protection for decision in context.backlog.waiting(Decision))
    return next(
        (fired.reason for fired in waiting if fired and fired.cooldown_end_ms == end_ms), None
    )


def _newest(context: PortfolioContext) -> Protection | None:
    """Return the newest protection that fired; those waiting to be stored are newer."""
    waiting = [decision.protection for decision in context.backlog.waiting(Decision)]
    fired = [protection for protection in waiting if protection is not None]
    return fired[-1] if fired else context.journal.newest_protection()
