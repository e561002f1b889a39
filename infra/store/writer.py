"""What one actor stores and reads; its right to write is checked inside each transaction."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import peewee
from numpy.typing import NDArray
from peewee import SQL

from domain.errors import FencedError, JournalError, StaleApprovalError
from domain.facts import ClosedCandle, Fact, KeptFact, StoredExecution
from domain.operator.commands import BINDING, FLAT, OUTDATED, OperatorCommand, SettingsChanged
from domain.portfolio.protection import ProtectionState
from domain.rules import AssetRules
from domain.trading.decisions import Approval, Close, Decision, Denial, Protection
from domain.trading.order import Order
from domain.trading.orders import Intent, OrderUpdate
from domain.trading.positions import Execution, Trade
from domain.trading.trailing import StopMoved
from domain.trading.transfers import Transfer
from infra.store import rows, schema
from infra.store.codec import Row, row_of, value_of
from infra.store.engine import CommitUnknownError, Engine
from infra.store.lease import WriterLease
from infra.store.records import Records
from infra.store.reserve import Record, Reserve

Origin = Callable[[], tuple[int, int] | None]
"""Returns the trace id and message id of the message being handled."""
Writing = Callable[..., contextlib.AbstractContextManager[peewee.Database]]
"""`JournalStore.writing`."""

_FACT = schema.table("fact")
_ASSET = schema.table("asset")
_CANDLE = schema.table("candle")
_DECISION = schema.table("decision")
_CANDLE_COLUMNS = ("open_time_ms", "open", "high", "low", "close", "volume")
_GRANT = schema.table("decision_grant")
_REFUSAL = schema.table("decision_refusal")
_CLOSE = schema.table("decision_close")
_INTENT = schema.table("intent")
_UPDATE = schema.table("order_update")
_EXECUTION = schema.table("execution")
_TRADE = schema.table("trade")
_SAMPLE = schema.table("equity_sample")
_TRANSFER = schema.table("transfer")
_COMMAND = schema.table("operator_command")
_SETTINGS = schema.table("settings_change")
_STOP_MOVE = schema.table("stop_move")

_CANDLES = schema.Prepared(
    _CANDLE.select(*(getattr(_CANDLE.c, name) for name in _CANDLE_COLUMNS))
    .where(_CANDLE.c.asset == schema.GIVEN)
    .order_by(_CANDLE.c.open_time_ms)
)
_SAMPLED_EPOCH = schema.Prepared(
    _SAMPLE.select(_SAMPLE.c.epoch).order_by(_SAMPLE.c.fact_id.desc()).limit(schema.ONE)
)
_FIRED_EPOCH = schema.Prepared(
    _DECISION.select(_DECISION.c.epoch)
    .where(_DECISION.c.protection_reason.is_null(False))
    .order_by(_DECISION.c.fact_id.desc())
    .limit(schema.ONE)
)
_EXECUTIONS_AFTER = schema.Prepared(
    _EXECUTION.select(SQL("*"))
    .where((_EXECUTION.c.asset == schema.GIVEN) & (_EXECUTION.c.fact_id > schema.GIVEN))
    .order_by(_EXECUTION.c.fact_id)
)
_INTENTS = schema.Prepared(
    _INTENT.select(SQL("*"))
    .join(_FACT, on=(_FACT.c.id == _INTENT.c.fact_id))
    .where(_INTENT.c.asset == schema.GIVEN)
    .order_by(_INTENT.c.fact_id)
)
_UPDATES = schema.Prepared(
    _UPDATE.select(SQL("*"))
    .where(
        _UPDATE.c.client_order_id.in_(
            _INTENT.select(_INTENT.c.client_order_id).where(_INTENT.c.asset == schema.GIVEN)
        )
    )
    .order_by(_UPDATE.c.fact_id)
)
_OLDEST_SAMPLE = schema.Prepared(
    _SAMPLE.select(SQL("*")).order_by(_SAMPLE.c.fact_id).limit(schema.ONE)
)
_TRANSFERS = schema.Prepared(_TRANSFER.select(SQL("*")).order_by(_TRANSFER.c.fact_id))
_IS_OF_CLOSE = _DECISION.c.t_ms / schema.GIVEN * schema.GIVEN == _DECISION.c.t_ms
_DECISION_OF_CLOSE = schema.newest(_DECISION, _IS_OF_CLOSE)
_FIRED = schema.newest(_DECISION, _DECISION.c.protection_reason.is_null(False))
_DECISION_AT = schema.newest(_DECISION, _DECISION.c.t_ms == schema.GIVEN)
_COMMAND_AT = schema.newest(_COMMAND, _COMMAND.c.ts_ms == schema.GIVEN)
_NEWEST_SAMPLE = schema.newest(_SAMPLE)
_NEWEST_GRANT = schema.newest(_GRANT, _GRANT.c.asset == schema.GIVEN)
_NEWEST_ASSET = schema.newest(_ASSET, _ASSET.c.asset == schema.GIVEN)
_NEWEST_STOP_MOVE = schema.newest(_STOP_MOVE, _STOP_MOVE.c.asset == schema.GIVEN)

_STOP_MOVES = schema.Prepared(
    _STOP_MOVE.select(SQL("*"))
    .where((_STOP_MOVE.c.asset == schema.GIVEN) & (_STOP_MOVE.c.opened_ms == schema.GIVEN))
    .order_by(_STOP_MOVE.c.fact_id)
)
_STANDING = (*(name.value for name in BINDING), OUTDATED, FLAT)
"""Commands that stay in force until others end them, and those that end them."""
_COMMANDS = schema.Prepared(
    _COMMAND.select(SQL("*"))
    .where(_COMMAND.c.command.in_([schema.GIVEN for _ in _STANDING]))
    .order_by(_COMMAND.c.fact_id)
)

_FLAT: dict[type, peewee.Table] = {
    Execution: _EXECUTION,
    OperatorCommand: _COMMAND,
    OrderUpdate: _UPDATE,
    ProtectionState: _SAMPLE,
    SettingsChanged: _SETTINGS,
    StopMoved: _STOP_MOVE,
    Trade: _TRADE,
    Transfer: _TRANSFER,
}
"""Facts whose fields are the columns of one table."""
_ACTED_UPON = (Intent, OperatorCommand, StopMoved)
"""Facts that the operator and the exchange rely on: a power cut must not undo them."""


@dataclass(frozen=True, slots=True)
class _Doubt:
    """Facts of which it is not known yet whether they were stored."""

    transaction: str
    facts: tuple[Fact, ...]
    fact_ids: list[int]
    """The ids they have if they were stored."""


class JournalWriter(Records):
    """One actor's writer. See `actors.ports.Journal`.

    Its lease is checked inside every writing transaction: an incarnation that was replaced cannot
    store a fact that its successor has not read.
    """

    def __init__(
        self,
        engine: Engine,
        lease: WriterLease,
        writing: Writing,
        reserve: Reserve,
        *,
        origin: Origin,
        now_ms: Callable[[], int],
    ) -> None:
        """Only `JournalStore.open` constructs it."""
        super().__init__(engine.database)
        self.newest_fact_id = 0
        """Newest fact id when the lease was taken; a trace stores it as the result of opening."""
        self._engine = engine
        self._transaction = writing
        self._reserve = reserve
        self._lease = lease
        self._address = lease.address
        self._origin = origin
        self._now_ms = now_ms
        self._doubt: _Doubt | None = None

    def close(self) -> None:
        """Close this thread's connection."""
        self._engine.close()

    def append(self, *facts: Fact) -> list[int]:
        """Store facts, all or none, and return their ids; none of them waits in the reserve then.

        An intent, a command, a move of a stop, and whatever waited in the reserve, is synced to
        disk when this returns; other facts survive the death of the process, and a power cut once
        the next of these has been stored.

        If a connection was lost while facts were committed and the outcome could not be found
        out, the call fails; the next call finds it out first, so that the same facts, given
        again, are stored once.
        """
        # Compared, not hashed: the facts of a decision hold mappings.
        waited = [r for r in self._waiting() if all(fact in facts for fact in r.facts)]
        fact_ids = self._settle(facts)
        rest = facts[len(fact_ids) :]
        if rest:
            recorded_ms = min((record.recorded_ms for record in waited), default=None)
            is_durable = bool(waited) or any(isinstance(fact, _ACTED_UPON) for fact in rest)
            fact_ids = [*fact_ids, *self._append(rest, recorded_ms, is_durable=is_durable)]
        for record in waited:
            self._reserve.discard(record)
        return fact_ids

    def _append(
        self, facts: tuple[Fact, ...], recorded_ms: int | None, *, is_durable: bool
    ) -> list[int]:
        fact_ids: list[int] = []
        try:
            with self.writing(is_durable=is_durable):
                fact_ids = [self._store(fact, recorded_ms) for fact in facts]
        except CommitUnknownError as error:
            self._doubt = _Doubt(error.transaction, facts, fact_ids)
            raise
        return fact_ids

    def _settle(self, facts: tuple[Fact, ...]) -> list[int]:
        """Return the ids of the leading facts that an earlier call has stored after all.

        Raises:
            JournalError: it is still not known.
            FencedError: facts were stored that the caller does not know of.
        """
        if self._doubt is None:
            return []
        was_committed = self._engine.outcome(self._doubt.transaction)
        doubt, self._doubt = self._doubt, None
        if not was_committed:
            return []
        self._lease.note_entered()
        if facts[: len(doubt.facts)] != doubt.facts:
            raise FencedError(
                f"{self._address}: facts that were reported as not stored were "
                "stored after all; the actor restarts with them"
            )
        return doubt.fact_ids

    def keep(self, *facts: Fact) -> bool:
        """Keep in the reserve what could not be stored; return False if a kill would lose it.

        Raises:
            FencedError: another incarnation has taken the lease.
            JournalError: it is not known whether this process may still write.
        """
        self._engine.check_right()
        self._lease.check(self._database)
        return self._reserve.add(self._address, facts, self._now_ms())

    def kept(self) -> list[KeptFact]:
        """Return what waits in the reserve to be stored under this address, oldest first."""
        for record in self._waiting():
            # The process may have died between storing it and marking it as booked.
            if any(self._is_stored(fact) for fact in record.facts):
                self._reserve.discard(record)
        return [
            KeptFact(batch=record.number, fact=fact)
            for record in self._waiting()
            for fact in record.facts
        ]

    def shortage(self) -> str | None:
        """Return why nothing may be opened: facts wait in the reserve, or it has no space."""
        waiting = self._reserve.records()
        if waiting:
            return f"records that wait in the reserve for room in the journal: {len(waiting)}"
        return None if self._reserve.allocate() else "the disk has no room for the reserve"

    @contextlib.contextmanager
    def writing(self, *, is_durable: bool = False) -> Iterator[None]:
        """Hold one transaction, for the holder of the lease only.

        Raises:
            FencedError: another incarnation has taken the lease.
            JournalError: the database cannot be used.
        """
        try:
            with self._transaction(is_durable=is_durable):
                self._lease.enter(self._database)
                yield
        except self._engine.refusals as error:
            cause = self._engine.cause(error)
            raise JournalError(f"{self._address} could not store its facts: {cause}") from error
        self._lease.note_entered()

    def executions(self, asset: str, after: int = 0) -> list[StoredExecution]:
        """Return an asset's executions with a higher fact id, oldest first."""
        return [
            StoredExecution(fact_id=row["fact_id"], execution=value_of(Execution, row))
            for row in _EXECUTIONS_AFTER.rows(self._database, asset, after)
        ]

    def orders(self, asset: str) -> list[Order]:
        """Return an asset's orders, oldest first."""
        intents = _INTENTS.rows(self._database, asset)
        orders = {row["client_order_id"]: _order(row) for row in intents}
        for row in _UPDATES.rows(self._database, asset):
            update = value_of(OrderUpdate, row)
            orders[update.client_order_id] = orders[update.client_order_id].apply(update)
        return list(orders.values())

    def candles(self, asset: str) -> NDArray[np.float64]:
        """Return an asset's closed candles, oldest first.

        Returns:
            (n, 6): open time (ms), open, high, low, close, volume.
        """
        # Row by row: as objects, a year of candles would take 100 MB at each restart.
        found = _CANDLES.cursor(self._database, asset)
        return np.fromiter(found, dtype=np.dtype((np.float64, 6)))

    def oldest_state(self) -> ProtectionState | None:
        """Return the first equity sample."""
        row = self._first(_OLDEST_SAMPLE)
        return None if row is None else value_of(ProtectionState, row)

    def newest_state(self) -> ProtectionState | None:
        """Return the newest equity sample."""
        row = self._first(_NEWEST_SAMPLE)
        return None if row is None else value_of(ProtectionState, row)

    def transfers(self) -> list[Transfer]:
        """Return all transfers, oldest first."""
        return [value_of(Transfer, row) for row in _TRANSFERS.rows(self._database)]

    def newest_decision(self, candle_ms: int) -> Decision | None:
        """Return the newest stored decision made at a close; those between closes are left out."""
        row = self._first(_DECISION_OF_CLOSE, candle_ms, candle_ms)
        return None if row is None else self._decision(row)

    def newest_protection(self) -> Protection | None:
        row = self._first(_FIRED)
        return None if row is None else self._decision(row).protection

    def protection_resting_until(self, end_ms: int) -> Protection | None:
        """Return the first protection whose cooldown ends at a time: the one that set it."""
        fired = _DECISION.c.protection_reason.is_null(False) & (
            _DECISION.c.cooldown_end_ms == end_ms
        )
        query = _DECISION.select(SQL("*")).where(fired).order_by(_DECISION.c.fact_id).limit(1)
        return next((self._decision(row).protection for row in self._rows(query)), None)

    def newest_epoch(self) -> int:
        """Return the newest protection epoch: begun by an emergency, pause, panic or rearm."""
        queries = (_SAMPLED_EPOCH, _FIRED_EPOCH)
        found = [row["epoch"] for query in queries for row in query.rows(self._database)]
        return int(max([*found, self._reserve.newest_epoch]))

    def newest_stop_move(self, asset: str) -> StopMoved | None:
        """Return the newest move of an asset's stop."""
        row = self._first(_NEWEST_STOP_MOVE, asset)
        return None if row is None else value_of(StopMoved, row)

    def stop_moves(self, asset: str, opened_ms: int) -> Sequence[StopMoved]:
        """Return the moves of the stop of the position opened at a time, oldest first."""
        found = _STOP_MOVES.rows(self._database, asset, opened_ms)
        return [value_of(StopMoved, row) for row in found]

    def commands(self) -> list[OperatorCommand]:
        """Return the commands that stay in force until others end them, and those, oldest first."""
        found = _COMMANDS.rows(self._database, *_STANDING)
        return [value_of(OperatorCommand, row) for row in found]

    def newest_approval(self, asset: str) -> Approval | None:
        row = self._first(_NEWEST_GRANT, asset)
        return None if row is None else value_of(Approval, row)

    def assets(self, asset: str) -> list[Row]:
        """Return an asset's shares and instruments, oldest first."""
        query = _ASSET.select(SQL("*")).where(_ASSET.c.asset == asset).order_by(_ASSET.c.fact_id)
        return self._rows(query)

    def record_asset(self, asset: AssetRules) -> None:
        """Store an asset's share and instrument, if they differ from the newest stored."""
        instrument = asset.instrument
        row = row_of(asset, without=("instrument",)) | row_of(instrument)
        stored = self._first(_NEWEST_ASSET, asset.asset)
        if stored is not None and all(stored[name] == value for name, value in row.items()):
            return
        with self._engine.writing():
            self._insert(_ASSET, asset.asset, row)

    def _waiting(self) -> list[Record]:
        return self._reserve.records(self._address)

    def _is_stored(self, fact: Fact) -> bool:
        match fact:
            case Intent():
                return self.order(fact.request.client_order_id) is not None
            case Decision(t_ms=t_ms):
                return self._first(_DECISION_AT, t_ms) is not None
            case OperatorCommand():
                stored = self._first(_COMMAND_AT, fact.ts_ms)
                return stored is not None and value_of(OperatorCommand, stored) == fact
            case StopMoved(asset=asset, opened_ms=opened_ms):
                return fact in self.stop_moves(asset, opened_ms)
            case _:
                return False

    def _store(self, fact: Fact, recorded_ms: int | None = None) -> int:
        insert = partial(self._insert, recorded_ms=recorded_ms)
        match fact:
            case Decision():
                return self._store_decision(fact, recorded_ms)
            case Denial():
                row = row_of(fact) | {"place": 0}
                return insert(_REFUSAL, fact.asset, row)
            case Intent():
                self._check_epoch(fact)
                return insert(_INTENT, fact.request.asset, rows.intent_row(fact))
            case ClosedCandle():
                return insert(_CANDLE, fact.asset, rows.candle_row(fact))
            case Execution() | Trade():
                return insert(_FLAT[type(fact)], fact.asset, row_of(fact))
            case (
                OrderUpdate()
                | ProtectionState()
                | Transfer()
                | OperatorCommand()
                | SettingsChanged()
                | StopMoved()
            ):
                return insert(_FLAT[type(fact)], None, row_of(fact))

    def _check_epoch(self, intent: Intent) -> None:
        if intent.protection_epoch is None:
            return
        shortage = self.shortage()
        if shortage is not None:
            raise StaleApprovalError(shortage)
        newest = self.newest_epoch()
        if newest > intent.protection_epoch:
            raise StaleApprovalError(
                f"the approval is of protection epoch {intent.protection_epoch}, "
                f"meanwhile epoch {newest} has begun"
            )

    def _store_decision(self, decision: Decision, recorded_ms: int | None) -> int:
        row = rows.decision_row(decision)
        fact_id = self._insert(_DECISION, None, row, recorded_ms=recorded_ms)
        closes = decision.protection.closes if decision.protection is not None else ()
        parts: list[tuple[peewee.Table, Sequence[Approval | Denial | Close]]] = [
            (_GRANT, decision.approvals),
            (_REFUSAL, decision.denials),
            (_CLOSE, closes),
        ]
        for table, values in parts:
            for index, value in enumerate(values):
                row = row_of(value) | {"fact_id": fact_id, "place": index}
                schema.insert_row(self._database, table, row)
        return fact_id

    def _insert(
        self, table: peewee.Table, asset: str | None, row: Row, *, recorded_ms: int | None = None
    ) -> int:
        trace_id, message_id = self._origin() or (None, None)
        header = {
            "kind": table.__name__,
            "asset": asset,
            "writer": self._address,
            "recorded_ms": self._now_ms() if recorded_ms is None else recorded_ms,
            "trace_id": trace_id,
            "message_id": message_id,
        }
        fact_id = schema.insert_row(self._database, _FACT, header)
        schema.insert_row(self._database, table, row | {"fact_id": fact_id})
        return fact_id


def _order(row: Row) -> Order:
    origin = None if row["trace_id"] is None else (row["trace_id"], row["message_id"])
    return Order(intent=rows.intent_of(row), origin=origin)
