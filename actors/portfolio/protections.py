"""What protects the whole portfolio: stored, and told until what it closes is gone."""

from actors.messages import (
    ClosePosition,
    GlobalCooldownStarted,
    LossStreakReached,
    ProtectionFired,
)
from actors.names import NOTIFIER, asset_name, execution_name
from actors.portfolio.desk import Desk
from domain.facts import Fact
from domain.trading.closing import closes_left
from domain.trading.decisions import Decision, Protection
from domain.trading.positions import Execution


class Protections:
    """The newest protection that fired, and the newest state of it that is stored."""

    def __init__(self, desk: Desk) -> None:
        """Take up what an earlier life has stored."""
        self._desk = desk
        self._stored = desk.books.protection
        self._fired = desk.journal.newest_protection()
        self._told_cooldown_ms = 0

    # What is stored.

    def store(self, *facts: Fact) -> None:
        """Store facts; the protection's own state may be among them."""
        self._desk.journal.append(*facts)
        if self._desk.books.protection in facts:
            self._stored = self._desk.books.protection

    def store_close(self, decision: Decision) -> None:
        """Store what was decided at a close, if that is anything."""
        state = self._desk.books.protection
        facts: list[Fact] = []
        if not state.equals_but_for_time(self._stored):
            facts.append(state)
        if not decision.is_empty:
            facts.append(decision)
        if facts:
            self.store(*facts)

    def protect(self, protection: Protection | None) -> None:
        """Store what fired between closes and tell it; else what is worth it of the equity."""
        state = self._desk.books.protection
        if protection is not None:
            self.store(state, Decision(t_ms=protection.t_ms, protection=protection))
            self.fire(protection)
            self.tell_closes()
            self.tell_cooldown()
        elif state.is_worth_storing(self._stored):
            self.store(state)

    # What is told.

    def fire(self, protection: Protection) -> None:
        """Let a protection be the newest, and tell people."""
        self._fired = protection
        self.tell_fired()

    def fire_stored(self) -> None:
        """Let the protection that was stored last be the newest, and tell people."""
        self._fired = self._desk.journal.newest_protection()
        self.tell_fired()

    def tell_fired(self) -> None:
        """Tell people of the newest protection."""
        if self._fired is not None:
            self._desk.tell(NOTIFIER, ProtectionFired(protection=self._fired))

    def came_too_late(self, entry: Execution) -> bool:
        """Tell whether an entry was under way when everything was closed."""
        return self._fired is not None and (entry.decided_ms or 0) < self._fired.t_ms

    def tell_closes(self) -> None:
        """Tell the closes of the newest protection, until what they close is gone."""
        if self._fired is None:
            return
        for close in closes_left(self._fired, self._desk.books.present().positions):
            command = ClosePosition(
                asset=close.asset,
                t_ms=self._fired.t_ms,
                purpose=close.purpose,
                reason=close.reason,
            )
            self._desk.tell(execution_name(close.asset), command)

    def tell_cooldown(self) -> None:
        """Tell the assets of a cooldown that ends later than the one they know."""
        end_ms = self._desk.books.global_cooldown_end_ms
        if end_ms > self._told_cooldown_ms:
            self._told_cooldown_ms = end_ms
            for asset in self._desk.assets:
                self.tell_cooldown_to(asset_name(asset))
            self.tell_streak()

    def tell_cooldown_to(self, address: str) -> None:
        """Tell one asset until when nothing is opened."""
        end_ms = self._desk.books.global_cooldown_end_ms
        self._desk.tell(address, GlobalCooldownStarted(end_ms=end_ms))

    def tell_streak(self) -> None:
        """Tell people of the losing streak, where there was one."""
        end_ms = self._desk.books.streak.cooldown_end_ms
        if end_ms:
            self._desk.tell(NOTIFIER, LossStreakReached(end_ms=end_ms))
