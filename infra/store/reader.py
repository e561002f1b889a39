"""The facts of a run as typed values, read-only."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import msgspec

from domain.errors import ConfigError, JournalError
from domain.market.instruments import Candle, Instrument
from domain.operator.commands import OperatorCommand
from domain.portfolio.protection import ProtectionState
from domain.trading.decisions import Approval, Decision, Denial
from domain.trading.orders import INTENDED, Intent, OrderState, OrderUpdate
from domain.trading.positions import Execution, Trade
from domain.trading.trailing import StopMoved
from domain.trading.transfers import Transfer
from infra.store import rows
from infra.store.codec import value_of
from infra.store.location import Location
from infra.store.reading import open_reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a fact comes from."""

    fact_id: int
    writer: str
    recorded_ms: int
    message_id: int | None


@dataclass(slots=True, kw_only=True)
class StoredOrder:
    """An order with everything stored about it."""

    intent: Intent
    source: Source
    updates: list[OrderUpdate] = field(default_factory=list)
    executions: list[Execution] = field(default_factory=list)

    @property
    def client_order_id(self) -> str:
        """Our own id of the order."""
        return self.intent.request.client_order_id

    @property
    def state(self) -> OrderState:
        """The newest known state."""
        state = INTENDED
        for update in self.updates:
            state = state.apply(update)
        return state

    @property
    def detail(self) -> str:
        """The last reason given."""
        return next((u.detail for u in reversed(self.updates) if u.detail), "")


class FactReader:
    """The facts of one run, in the order of storing."""

    def __init__(self, file: Location) -> None:
        """Open the journal for reading.

        Raises:
            ConfigError: there is none.
        """
        self._journal = open_reading(file)

    def close(self) -> None:
        self._journal.close()

    def settings(self) -> dict[str, str] | None:
        """Return the settings stored last, in the form of `infra.settings.comparison.flat`.

        None if the run stored none.
        """
        noted = self._meta("settings")
        return None if noted is None else msgspec.json.decode(noted, type=dict[str, str])

    def mode(self) -> str | None:
        """Return the mode whose facts these are; None if the run did not store it."""
        return self._meta("mode")

    def settings_changes(self) -> list[tuple[int, str]]:
        """Return the changes of settings, oldest first: time, and a line per changed key."""
        return [(row["ts_ms"], row["changes"]) for row in self._facts("settings_change")]

    def orders(self) -> list[StoredOrder]:
        """Return all orders, oldest first."""
        found = {
            row["client_order_id"]: StoredOrder(intent=rows.intent_of(row), source=_source(row))
            for row in self._facts("intent")
        }
        for row in self._facts("order_update"):
            update = value_of(OrderUpdate, row)
            found[update.client_order_id].updates.append(update)
        for execution in self.executions():
            order = found.get(execution.client_order_id or "")
            if order is not None:
                order.executions.append(execution)
        return list(found.values())

    def executions(self) -> list[Execution]:
        """Return all executions, oldest first."""
        return [value_of(Execution, row) for row in self._facts("execution")]

    def booked_ms(self) -> dict[str, int]:
        """Return by execution id when each was stored, by the clock of the run."""
        return {row["exec_id"]: row["recorded_ms"] for row in self._facts("execution")}

    def trades(self) -> list[tuple[int, Trade]]:
        """Return all trades with their fact ids, oldest first."""
        return [(row["id"], value_of(Trade, row)) for row in self._facts("trade")]

    def newest_trades(self, count: int) -> list[Trade]:
        """Return the newest trades, newest first."""
        return [value_of(Trade, row) for row in self._newest("trade", count)]

    def newest_orders(self, count: int) -> list[StoredOrder]:
        """Return the newest orders with everything stored about them, newest first."""
        found = {
            row["client_order_id"]: StoredOrder(intent=rows.intent_of(row), source=_source(row))
            for row in self._newest("intent", count)
        }
        marks = ", ".join("?" * len(found))
        query = f"SELECT * FROM order_update WHERE client_order_id IN ({marks}) ORDER BY fact_id"  # noqa: S608 (marks alone)
        for row in self._journal.rows(query, *found):
            update = value_of(OrderUpdate, row)
            found[update.client_order_id].updates.append(update)
        # No index leads from an order to its executions, but none is older than its order.
        oldest = min((order.source.fact_id for order in found.values()), default=0)
        for row in self._journal.rows("SELECT * FROM execution WHERE fact_id > ?", oldest):
            if row["client_order_id"] in found:
                found[row["client_order_id"]].executions.append(value_of(Execution, row))
        return list(found.values())

    def exits_by_exchange(self) -> Iterator[tuple[Source, Trade]]:
        """Yield the trades closed by a stop, a liquidation or by hand, not by one of our orders."""
        for row in self._facts("trade"):
            trade = value_of(Trade, row)
            if trade.decided_ms is None:
                yield _source(row), trade

    def stop_moves(self) -> list[tuple[Source, StopMoved]]:
        """Return all moves of stops, oldest first; a confirmed move appears twice."""
        try:
            found = self._facts("stop_move")
        except ConfigError:  # The journal of an older version has no such table.
            return []
        return [(_source(row), value_of(StopMoved, row)) for row in found]

    def approvals(self) -> list[tuple[Source, Approval]]:
        """Return all approvals, oldest first."""
        return [
            (_source(row), value_of(Approval, row))
            for row in self._facts("decision_grant", "place")
        ]

    def newest_states(self, count: int) -> list[ProtectionState]:
        """Return the newest equity samples, newest first."""
        return [value_of(ProtectionState, row) for row in self._newest("equity_sample", count)]

    def newest_commands(self, count: int) -> list[OperatorCommand]:
        """Return the newest commands and accesses, newest first."""
        return [value_of(OperatorCommand, row) for row in self._newest("operator_command", count)]

    def extremes(self, asset: str, from_ms: int, to_ms: int) -> tuple[float, float] | None:
        """Return the lowest and the highest price of the candles that overlap a span of time.

        None if no such candle is stored.
        """
        query = (
            "SELECT min(low) AS low, max(high) AS high FROM candle "
            "WHERE asset = ? AND close_time_ms > ? AND open_time_ms <= ?"
        )
        (row,) = self._journal.rows(query, asset, from_ms, to_ms)
        return None if row["low"] is None else (row["low"], row["high"])

    def newest_approvals(self, count: int) -> list[Approval]:
        """Return the newest approvals, newest first."""
        return [value_of(Approval, row) for row in self._newest("decision_grant", count)]

    def newest_denials(self, count: int) -> list[Denial]:
        """Return the newest denied entries, newest first."""
        return [value_of(Denial, row) for row in self._newest("decision_refusal", count)]

    def denials(self) -> list[tuple[Source, Denial]]:
        """Return all denied entries, oldest first."""
        return [
            (_source(row), value_of(Denial, row))
            for row in self._facts("decision_refusal", "place")
        ]

    def candles(self) -> list[tuple[Source, str, Candle]]:
        """Return all closed candles with their asset, oldest first."""
        return [(_source(row), row["asset"], rows.candle_of(row)) for row in self._facts("candle")]

    def candles_after(self, asset: str, open_time_ms: int, count: int) -> list[Candle]:
        """Return an asset's newest closed candles that opened after a time, oldest first."""
        query = (
            "SELECT * FROM candle WHERE asset = ? AND open_time_ms > ? "
            "ORDER BY open_time_ms DESC LIMIT ?"
        )
        found = self._journal.rows(query, asset, open_time_ms, count)
        return [rows.candle_of(row) for row in reversed(found)]

    def newest_closes(self) -> dict[str, float]:
        """Return each asset's newest stored closing price; replays store none."""
        query = (
            "SELECT asset, close FROM candle WHERE (asset, open_time_ms) IN "
            "(SELECT asset, max(open_time_ms) FROM candle GROUP BY asset)"
        )
        return {row["asset"]: row["close"] for row in self._journal.rows(query)}

    def commands(self) -> list[OperatorCommand]:
        """Return all commands and accesses, oldest first."""
        return [value_of(OperatorCommand, row) for row in self._facts("operator_command")]

    def decisions(self) -> list[Decision]:
        """Return all decisions, oldest first, without what a protection closes.

        An entry denied on its own because its signal came too late is not among them.
        """
        approvals, denials = self._by_fact("decision_grant"), self._by_fact("decision_refusal")
        return [
            rows.decision_of(row, approvals[row["id"]], denials[row["id"]], [])
            for row in self._facts("decision")
        ]

    def newest_protections(self, count: int) -> list[tuple[int, str, str]]:
        """Return the protections that closed everything: time, reason and figures; newest first."""
        query = (
            "SELECT t_ms, protection_reason, figures FROM decision "
            "WHERE protection_reason IS NOT NULL ORDER BY fact_id DESC LIMIT ?"
        )
        return [
            (row["t_ms"], row["protection_reason"], row["figures"] or "")
            for row in self._journal.rows(query, count)
        ]

    def states(self) -> list[ProtectionState]:
        """Return all equity samples, oldest first."""
        return [value_of(ProtectionState, row) for row in self._facts("equity_sample")]

    def transfers(self) -> list[Transfer]:
        """Return deposits and withdrawals, oldest first."""
        return [value_of(Transfer, row) for row in self._facts("transfer")]

    def instruments(self) -> dict[str, Instrument]:
        """Return the instrument of each asset, as last stored."""
        return {row["asset"]: value_of(Instrument, row) for row in self._facts("asset")}

    def _by_fact(self, table: str) -> defaultdict[int, list[dict[str, Any]]]:
        found: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
        for row in self._facts(table, "place"):
            found[row["id"]].append(row)
        return found

    def _meta(self, key: str) -> str | None:
        found = self._journal.rows("SELECT value FROM meta WHERE key = %s", key)
        return str(found[0]["value"]) if found else None

    def _newest(self, table: str, count: int) -> list[dict[str, Any]]:
        query = (
            f"SELECT {table}.*, fact.* FROM fact JOIN {table} ON fact.id = {table}.fact_id "  # noqa: S608 (ours)
            "ORDER BY fact.id DESC LIMIT ?"
        )
        return self._journal.rows(query, count)

    def _facts(self, table: str, then: str = "fact_id") -> list[dict[str, Any]]:
        query = (
            f"SELECT {table}.*, fact.* FROM fact JOIN {table} ON fact.id = {table}.fact_id "  # noqa: S608 (ours)
            f"ORDER BY fact.id, {table}.{then}"
        )
        try:
            return self._journal.rows(query)
        except JournalError as error:
            raise ConfigError(str(error)) from error


def _source(row: dict[str, Any]) -> Source:
    return Source(
        fact_id=row["id"],
        writer=row["writer"],
        recorded_ms=row["recorded_ms"],
        message_id=row["message_id"],
    )


def trades_between(location: Location, from_ms: int, until_ms: int | None) -> list[Trade]:
    """Return the trades closed at or after a time and before another, oldest first.

    Args:
        location: the journal.
        from_ms: earliest exit.
        until_ms: exits are before it; None: no end.

    Raises:
        ConfigError: there is no journal, or it cannot be read.
    """
    with closing(FactReader(location)) as facts:
        trades = [trade for _, trade in facts.trades()]
    return [
        trade
        for trade in trades
        if trade.exit_ms >= from_ms and (until_ms is None or trade.exit_ms < until_ms)
    ]
