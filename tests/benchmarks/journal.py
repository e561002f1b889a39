"""What storing a fact costs."""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from statistics import quantiles

from domain.market.instruments import Side
from domain.trading.orders import Intent, OrderRequest, Purpose
from domain.trading.positions import Execution, ExecutionKind
from infra.secrets.sources import write_new_key
from infra.secrets.vault import new_vault
from infra.store.opening import open_store
from infra.store.writer import JournalWriter

FACTS = 500


def measure(_candles: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the time of one intent (on the disk itself) and of one execution."""
    yield from _of_a_journal("")
    yield from _of_a_journal(", encrypted")


def _of_a_journal(how: str) -> Iterator[tuple[str, str, str]]:
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as keys:
        if how:
            write_new_key(Path(keys) / "key")
            new_vault(Path(folder), [f"file:{keys}/key"]).write()
        journals = open_store(Path(folder) / "j.sqlite", lambda: 0, busy_timeout_ms=5000)
        writer = journals.open("execution/BTC", lambda: None)
        yield f"intent to disk (fsync){how}", _intents(writer), ""
        yield f"execution to the journal{how}", _executions(writer), ""
        writer.close()


def _intents(writer: JournalWriter) -> str:
    request = OrderRequest(
        client_order_id="", asset="BTC", side=Side.SELL, qty=Decimal(1), reduce_only=False
    )
    intent = Intent(
        request=request,
        decided_ms=0,
        purpose=Purpose.ENTRY,
        attempt=1,
        reason=None,
        signal_ms=None,
        protection_epoch=0,
    )
    times = []
    for number in range(FACTS):
        fact = replace(intent, request=replace(request, client_order_id=f"BTC-{number}"))
        began_s = time.perf_counter()
        writer.append(fact)
        times.append(time.perf_counter() - began_s)
    return _shown(times)


def _executions(writer: JournalWriter) -> str:
    times = []
    for number in range(FACTS):
        fact = Execution(
            exec_id=str(number),
            asset="BTC",
            ts_ms=0,
            kind=ExecutionKind.TRADE,
            side=Side.SELL,
            qty=Decimal(1),
            price=Decimal(1),
        )
        began_s = time.perf_counter()
        writer.append(fact)
        times.append(time.perf_counter() - began_s)
    return _shown(times)


def _shown(times: list[float]) -> str:
    cuts = quantiles(times, n=100)
    return f"p50 {cuts[49] * 1000:.2f} ms, p99 {cuts[98] * 1000:.2f} ms"
