"""Reads the facts that are notified, and turns each into notices."""

from collections.abc import Iterator

from loguru import logger

from actors.messages import RiskRaised
from actors.ports import Journal
from actors.wording import market, risk, system, trades
from domain.facts import StateChange, StoredNews
from domain.operator.commands import CommandName, SettingsChanged
from domain.operator.notices import Notice
from domain.rules import TradingRules
from domain.trading.decisions import Decision, Protection
from domain.trading.ledger import Ledger, has_grown, is_ours
from domain.trading.orders import ExitReason, Purpose
from domain.trading.positions import Execution, Position, Trade

Read = tuple[int, list[Notice]]
"""A fact's id, and its notices."""


class Newsreader:
    """The fold of all facts read, and the notices of those that follow."""

    def __init__(self, journal: Journal, rules: TradingRules, read_through: int) -> None:
        """Fold earlier facts without notices.

        Args:
            journal: of the facts.
            rules: the limits named in texts, and the assets to notify of.
            read_through: id of the newest fact with notices.
        """
        self._journal = journal
        self._rules = rules
        self._read_through = read_through
        self._names = [asset.asset for asset in rules.assets]
        self._cooldowns: dict[str | None, int] = {}
        self.ledger = Ledger(rules)
        for asset in self._names:
            for stored in journal.executions(asset):
                if stored.fact_id <= read_through:
                    self.ledger.apply(stored.execution)

    def read(self, now_ms: int) -> Iterator[Read]:
        """Return each fact stored since, with its notices."""
        found, through = self._journal.news(self._read_through)
        for news in found:
            try:
                told = list(self._words(news))
            except Exception:  # noqa: BLE001 (it would crash every incarnation to come, and hide the rest)
                logger.opt(exception=True).error("fact {} cannot be put into words", news.fact_id)
                told = [_wordless(news, now_ms)]
            yield news.fact_id, told
        self._read_through = through

    def new_cooldowns(self) -> list[tuple[str | None, int]]:
        """Return the cooldowns since the last call: asset (None: the portfolio) and end."""
        found, self._cooldowns = self._cooldowns, {}
        return list(found.items())

    def _words(self, news: StoredNews) -> Iterator[Notice]:
        match news.fact:
            case Execution() as execution if execution.asset in self._names:
                yield from self._on_execution(news.fact_id, execution)
            case Decision(protection=Protection() as protection):
                yield from self._on_protection(protection)
            case SettingsChanged() as settings:
                yield system.settings_changed(news.fact_id, settings)
            case StateChange() as change:
                yield from self._on_change(change)
            case _:
                yield from self._entries()

    def _on_execution(self, fact_id: int, execution: Execution) -> Iterator[Notice]:
        asset = execution.asset
        before, rest = self.ledger.positions.get(asset), self.ledger.cooldowns[asset]
        end_before_ms = rest.end_ms
        booked = self.ledger.apply(execution)
        if booked.trade is not None:
            yield from self._on_trade(fact_id, booked.trade, end_before_ms)
        if booked.position is not None and has_grown(before, booked) and not is_ours(execution):
            yield trades.opened_by_hand(execution.exec_id, booked.position, self._rules)
        yield from self._entries()

    def _on_trade(self, fact_id: int, trade: Trade, end_before_ms: int) -> Iterator[Notice]:
        rest = self.ledger.cooldowns[trade.asset]
        rests_longer = rest.end_ms > end_before_ms
        yield trades.exited(fact_id, trade, rest if rests_longer else None, self._rules)
        if rests_longer and rest.reason is not None:
            self._cooldowns[trade.asset] = rest.end_ms
            why = market.cooldown_words(rest.reason, self._rules.cooldown)
            yield market.cooldown_started(trade.asset, why, trade.exit_ms, rest.end_ms)

    def _entries(self) -> Iterator[Notice]:
        """Return the complete entries; the outbox ignores those notified before."""
        for asset, entry in list(self.ledger.entries.items()):
            order = self._journal.order(entry.order_id)
            if order is None and entry.position.decided_ms is not None:
                # From an older copy of the journal: the intended quantity is not known.
                del self.ledger.entries[asset]
                yield self._entered(entry.order_id, entry.position)
            elif order is None or order.intent.purpose is not Purpose.ENTRY:
                del self.ledger.entries[asset]
            elif not order.is_under_way and order.state.filled_qty == entry.executed_qty:
                del self.ledger.entries[asset]
                yield self._entered(entry.order_id, entry.position)

    def _entered(self, order_id: str, position: Position) -> Notice:
        decided_ms = position.decided_ms
        return trades.entered(
            order_id,
            position,
            None if decided_ms is None else self._journal.approval(position.asset, decided_ms),
            exposure=self.ledger.exposure,
            balance=self._journal.balance_at(position.opened_ms),
            rules=self._rules,
        )

    def _on_protection(self, protection: Protection) -> Iterator[Notice]:
        asker = self._asker(protection) if protection.reason is ExitReason.OPERATOR else ""
        yield risk.protection_fired(protection, self._rules.protection, asker)
        end_ms = protection.cooldown_end_ms
        if end_ms <= protection.t_ms:
            return
        self._cooldowns[None] = end_ms
        why = f"emergency, {protection.reason}"
        yield market.cooldown_started(None, why, protection.t_ms, end_ms)

    def _asker(self, panic: Protection) -> str:
        """Return who requested a panic and through which channel, as stored with the command."""
        asked = (c for c in self._journal.commands() if c.command == CommandName.PANIC)
        return next((c.operator for c in asked if c.ts_ms == panic.t_ms), "")

    def _on_change(self, change: StateChange) -> Iterator[Notice]:
        before, after = change.before, change.after
        if before.is_halted and not after.is_halted:
            yield risk.rearmed(after)
        elif before.is_reduced != after.is_reduced:
            yield risk.size_changed(after, self._rules.protection)


def _wordless(news: StoredNews, now_ms: int) -> Notice:
    raised = RiskRaised(
        key=f"fact/{news.fact_id}",
        asset=None,
        what="a fact could not be put into words",
        figures=f"{type(news.fact).__name__} {news.fact_id}",
        effect="It is stored; only its notice failed.",
        advice="You can: check the logs.",
    )
    return risk.risk_raised(raised, now_ms)
