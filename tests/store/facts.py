"""A fact of each kind, and journals to store them in."""

from decimal import Decimal
from pathlib import Path

from domain.facts import ClosedCandle
from domain.market.instruments import Side
from domain.operator.commands import CommandName, OperatorCommand, SettingsChanged
from domain.portfolio.protection import initial_state
from domain.trading.decisions import Approval, Close, Decision, Denial, DenialReason, Protection
from domain.trading.orders import (
    ExitReason,
    Intent,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    Purpose,
    client_order_id,
)
from domain.trading.positions import Execution, ExecutionKind, Trade
from domain.trading.trailing import StopMoved
from domain.trading.transfers import Transfer
from infra.settings import load_settings
from infra.store.journal import JournalStore
from infra.store.location import Location
from infra.store.opening import open_store
from infra.store.writer import JournalWriter
from tests.domain.builders import RULES, averages, candle

T_MS = 1_744_802_700_000
MADE: list[JournalStore] = []
"""What `journals_at` has opened; tests/store/conftest.py closes it."""


def journals_in(folder: Path, busy_timeout_ms: int = 5000) -> JournalStore:
    return journals_at(folder / "journal.sqlite", busy_timeout_ms)


def journals_at(location: Location, busy_timeout_ms: int = 5000) -> JournalStore:
    MADE.append(open_store(location, lambda: T_MS, busy_timeout_ms=busy_timeout_ms))
    return MADE[-1]


def entry(attempt: int = 1, *, epoch: int | None = 0) -> Intent:
    return Intent(
        request=OrderRequest(
            client_order_id=client_order_id("BTC", T_MS, Purpose.ENTRY, attempt),
            asset="BTC",
            side=Side.SELL,
            qty=Decimal("0.083"),
            reduce_only=False,
            stop_loss=Decimal("85089.7"),
        ),
        decided_ms=T_MS,
        purpose=Purpose.ENTRY,
        attempt=attempt,
        reason=None,
        signal_ms=T_MS,
        protection_epoch=epoch,
    )


def execution(number: int, price: Decimal = Decimal("83832.2302")) -> Execution:
    return Execution(
        exec_id=f"BTC-{number}",
        asset="BTC",
        ts_ms=T_MS,
        kind=ExecutionKind.TRADE,
        side=Side.SELL,
        qty=Decimal("0.083"),
        price=price,
        reason=ExitReason.REGIME,
    )


def news(intent: Intent, status: OrderStatus) -> OrderUpdate:
    return OrderUpdate(
        client_order_id=intent.request.client_order_id,
        status=status,
        filled_qty=Decimal("0.083"),
        ts_ms=T_MS,
        detail="as asked",
    )


def protection(epoch: int, t_ms: int = T_MS) -> Decision:
    close = Close(asset="ETH", purpose=Purpose.EXIT, reason=ExitReason.TIME)
    found = Protection(
        t_ms=t_ms,
        reason=ExitReason.DRAWDOWN,
        closes=(close,),
        epoch=epoch,
        cooldown_end_ms=t_ms + 1,
        figures="drawdown=0.15",
    )
    return Decision(t_ms=t_ms, protection=found)


def decision(t_ms: int = T_MS) -> Decision:
    approvals = tuple(
        Approval(
            kinds="PRICE_BELOW_SHORT",
            values=averages(83900.25, 84001.5),
            terms=RULES.asset(asset).terms,
            asset=asset,
            t_ms=t_ms,
            qty=Decimal("1.5"),
            price=Decimal("0.1"),
            signal_ms=t_ms - 1,
            protection_epoch=3,
        )
        for asset in ("SOL", "BTC")
    )
    denial = Denial(
        asset="ETH", t_ms=t_ms, reason=DenialReason.GROUP, signal_ms=t_ms, figures="cap=1"
    )
    return Decision(t_ms=t_ms, approvals=approvals, denials=(denial,))


def store_one_of_each(journal: JournalWriter) -> None:
    (btc, *_) = load_settings(None, environ={}, dotenv=None).trading_rules().assets
    journal.record_asset(btc)
    closed = candle(T_MS + 300_000, 1.5, open=1.0, high=2.0, low=0.5)
    trade = Trade(
        asset="BTC",
        side=Side.SELL,
        entry_ms=T_MS,
        exit_ms=T_MS + 1,
        qty=Decimal(1),
        entry_price=Decimal(2),
        exit_price=Decimal(1),
        fees=Decimal("0.1"),
        funding=Decimal(0),
        pnl=Decimal("0.9"),
        reason=ExitReason.TIME,
        decided_ms=T_MS,
    )
    journal.append(
        ClosedCandle(asset="BTC", candle=closed),
        decision(),
        protection(1, T_MS + 1),
        entry(epoch=None),
        news(entry(), OrderStatus.FILLED),
        execution(1),
        trade,
        initial_state(Decimal(10_000), T_MS),
        StopMoved(
            asset="BTC",
            opened_ms=T_MS,
            best=Decimal("80000.1"),
            stop_loss=Decimal("81600.1"),
            ts_ms=T_MS + 1,
        ),
        Transfer(transfer_id="1", ts_ms=T_MS, kind="TRANSFER_IN", amount=Decimal(5)),
        SettingsChanged(operator="cli", changes="a: 1 -> 2", ts_ms=T_MS),
        OperatorCommand(
            command=CommandName.PAUSE,
            arguments="BTC",
            operator="me",
            result="done",
            ts_ms=T_MS,
            is_done=True,
        ),
    )
