"""The facts as notifications need them: what is new, single orders, and sums over a time."""

from collections.abc import Iterator
from decimal import Decimal
from functools import cache, partial

import peewee
from peewee import SQL, Database

from domain.facts import StateChange, StoredNews
from domain.operator.commands import SettingsChanged
from domain.portfolio.performance import Performances
from domain.portfolio.protection import ProtectionState
from domain.trading.decisions import Approval, Decision, DenialReason
from domain.trading.order import Order
from domain.trading.orders import OrderUpdate
from domain.trading.positions import Execution, Trade
from infra.store import rows, schema
from infra.store.codec import Row, value_of
from infra.store.performance_facts import PerformanceFacts

_FACT = schema.table("fact")
_GRANT = schema.table("decision_grant")
_REFUSAL = schema.table("decision_refusal")
_CLOSE = schema.table("decision_close")
_INTENT = schema.table("intent")
_UPDATE = schema.table("order_update")
_TRADE = schema.table("trade")
_SAMPLE = schema.table("equity_sample")
_CHANGE = schema.table("settings_change")
_DECISION = schema.table("decision")
_FLAT: dict[str, type[Execution | OrderUpdate | SettingsChanged | Trade]] = {
    "execution": Execution,
    "order_update": OrderUpdate,
    "settings_change": SettingsChanged,
    "trade": Trade,
}
_TOLD = (*_FLAT, "decision", "equity_sample")
"""Kinds of facts that notices are made of."""

_NEWEST_BY_KIND = schema.Prepared(
    _FACT.select(_FACT.c.kind, peewee.fn.MAX(_FACT.c.id).alias("newest"))
    .where(_FACT.c.id > schema.GIVEN)
    .group_by(_FACT.c.kind)
)
_SAMPLE_THROUGH = schema.Prepared(
    _SAMPLE.select(peewee.fn.MAX(_SAMPLE.c.fact_id).alias("newest")).where(
        _SAMPLE.c.fact_id <= schema.GIVEN
    )
)
_INTENT_BY_ID = schema.Prepared(
    _INTENT.select(SQL("*")).where(_INTENT.c.client_order_id == schema.GIVEN)
)
_UPDATES_BY_ID = schema.Prepared(
    _UPDATE.select(SQL("*"))
    .where(_UPDATE.c.client_order_id == schema.GIVEN)
    .order_by(_UPDATE.c.fact_id)
)
_FIRST_FACT = schema.Prepared(
    _FACT.select(_FACT.c.recorded_ms).order_by(_FACT.c.id).limit(schema.ONE)
)
_NEWEST_FACT = schema.Prepared(
    _FACT.select(_FACT.c.recorded_ms).order_by(_FACT.c.id.desc()).limit(schema.ONE)
)
_GRANTED = schema.Prepared(
    _GRANT.select(SQL("*")).where(
        (_GRANT.c.asset == schema.GIVEN) & (_GRANT.c.t_ms == schema.GIVEN)
    )
)
_BALANCE_AT = schema.Prepared(
    _SAMPLE.select(_SAMPLE.c.balance)
    .where(_SAMPLE.c.t_ms <= schema.GIVEN)
    .order_by(_SAMPLE.c.fact_id.desc())
    .limit(schema.ONE)
)
_PARTS = tuple(
    schema.Prepared(
        table.select(SQL("*")).where(table.c.fact_id == schema.GIVEN).order_by(table.c.place)
    )
    for table in (_GRANT, _REFUSAL, _CLOSE)
)
"""Parts of a decision: what was approved, denied and closed."""


@cache
def _after(table_name: str, *, has_fired: bool = False) -> schema.Prepared:
    table = schema.table(table_name)
    query = table.select(SQL("*")).where(table.c.fact_id > schema.GIVEN).order_by(table.c.fact_id)
    if has_fired:
        query = query.where(table.c.protection_reason.is_null(False))
    return schema.Prepared(query)


class Records:
    """Reads facts; in a connected thread. See `actors.ports.Journal`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def news(self, after: int) -> tuple[list[StoredNews], int]:
        """Return the facts to notify of, oldest first, and the newest fact's id."""
        kinds = _NEWEST_BY_KIND.rows(self._database, after)
        newest = {row["kind"]: row["newest"] for row in kinds}
        told = [kind for kind in _TOLD if kind in newest]
        found = [news for kind in told for news in self._news(kind, after)]
        through = max(newest.values(), default=after)
        # What was stored between the two queries is left for the next call.
        in_time = (news for news in found if news.fact_id <= through)
        return sorted(in_time, key=lambda news: news.fact_id), through

    def order(self, client_order_id: str) -> Order | None:
        """Return one order; None if it is not stored."""
        intents = _INTENT_BY_ID.rows(self._database, client_order_id)
        if not intents:
            return None
        order = Order(intent=rows.intent_of(intents[0]))
        for row in _UPDATES_BY_ID.rows(self._database, client_order_id):
            order = order.apply(value_of(OrderUpdate, row))
        return order

    def approval(self, asset: str, t_ms: int) -> Approval | None:
        """Return the approval that an asset got at a close."""
        row = self._first(_GRANTED, asset, t_ms)
        return None if row is None else value_of(Approval, row)

    def approvals(self, from_ms: int, until_ms: int) -> int:
        """Return how many entries were approved at these closes."""
        inside = (_GRANT.c.t_ms >= from_ms) & (_GRANT.c.t_ms < until_ms)
        counted = _GRANT.select(peewee.fn.COUNT(SQL("*")).alias("n")).where(inside)
        return sum(row["n"] for row in self._rows(counted))

    def trades(self, from_ms: int, until_ms: int) -> list[Trade]:
        """Return the trades that were closed at or after a time and before another."""
        inside = (_TRADE.c.exit_ms >= from_ms) & (_TRADE.c.exit_ms < until_ms)
        query = _TRADE.select(SQL("*")).where(inside).order_by(_TRADE.c.exit_ms, _TRADE.c.fact_id)
        return [value_of(Trade, row) for row in self._rows(query)]

    def denials(self, from_ms: int, until_ms: int) -> dict[DenialReason, int]:
        """Return how many entries were denied at these closes, by reason."""
        query = (
            _REFUSAL.select(_REFUSAL.c.reason, peewee.fn.COUNT(SQL("*")).alias("n"))
            .where((_REFUSAL.c.t_ms >= from_ms) & (_REFUSAL.c.t_ms < until_ms))
            .group_by(_REFUSAL.c.reason)
            .order_by(_REFUSAL.c.reason)
        )
        return {DenialReason(row["reason"]): row["n"] for row in self._rows(query)}

    def balance_at(self, t_ms: int) -> Decimal | None:
        """Return the wallet balance of the newest equity sample up to a time."""
        row = self._first(_BALANCE_AT, t_ms)
        return None if row is None else Decimal(row["balance"])

    def first_balance(self) -> Decimal | None:
        """Return the wallet balance of the first equity sample."""
        query = _SAMPLE.select(_SAMPLE.c.balance).order_by(_SAMPLE.c.fact_id).limit(1)
        return next((Decimal(row["balance"]) for row in self._rows(query)), None)

    def performances(self, candle_ms: int) -> Performances:
        """Return the performance of each asset, and of all together, over all facts."""
        return PerformanceFacts(partial(schema.rows_of, self._database), candle_ms).read()

    def settings_changes(self) -> list[tuple[int, str]]:
        """Return when settings changed, and a line for each that did; oldest first."""
        query = _CHANGE.select(SQL("*")).order_by(_CHANGE.c.fact_id)
        return [(row["ts_ms"], row["changes"]) for row in self._rows(query)]

    def newest_recorded_ms(self) -> int | None:
        """Return when the newest fact was stored."""
        row = self._first(_NEWEST_FACT)
        return None if row is None else row["recorded_ms"]

    def first_recorded_ms(self) -> int | None:
        """Return when the first fact was stored."""
        row = self._first(_FIRST_FACT)
        return None if row is None else row["recorded_ms"]

    def _news(self, kind: str, after: int) -> Iterator[StoredNews]:
        if kind == "decision":
            yield from self._decisions(after)
        elif kind == "equity_sample":
            yield from self._changes(after)
        else:
            for row in _after(kind).rows(self._database, after):
                yield StoredNews(fact_id=row["fact_id"], fact=value_of(_FLAT[kind], row))

    def _decisions(self, after: int) -> Iterator[StoredNews]:
        for row in _after("decision", has_fired=True).rows(self._database, after):
            yield StoredNews(fact_id=row["fact_id"], fact=self._decision(row))

    def _changes(self, after: int) -> Iterator[StoredNews]:
        """Return the samples at which protection changed, with the newest one before."""
        newest = _SAMPLE_THROUGH.rows(self._database, after)[0]["newest"]
        before: ProtectionState | None = None
        for row in _after("equity_sample").rows(self._database, (newest or 0) - 1):
            state = value_of(ProtectionState, row)
            if before is not None and _protects(before) != _protects(state):
                change = StateChange(before=before, after=state)
                yield StoredNews(fact_id=row["fact_id"], fact=change)
            before = state

    def _decision(self, row: Row) -> Decision:
        parts = [part.rows(self._database, row["fact_id"]) for part in _PARTS]
        return rows.decision_of(row, *parts)

    def _first(self, query: schema.Prepared, *given: object) -> Row | None:
        return next(iter(query.rows(self._database, *given)), None)

    def _rows(self, query: peewee.Query) -> list[Row]:
        return list(query.execute(self._database))


def _protects(state: ProtectionState) -> tuple[bool, bool]:
    return state.is_reduced, state.is_halted
