"""A trace in numbers: rates, waits, the slowest handlings, and what caused them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import nlargest
from math import ceil

from rich.box import SIMPLE_HEAD
from rich.table import Table

from domain.text import counted
from infra.store.trace_ids import id_text
from infra.trace.query.text import duration_text, time_text
from infra.trace.reader import Found

_KEPT_CALLS = 3


@dataclass(slots=True)
class _Sum:
    waited_us: list[float] = field(default_factory=list)
    worked_us: list[float] = field(default_factory=list)
    crashes: int = 0
    dead: int = 0
    conflated: int = 0
    first_ns: int = 0
    last_ns: int = 0
    changes: list[tuple[int, int]] = field(default_factory=list)
    """Times at which a message was queued (+1) and taken (-1)."""


def stats_table(records: Iterable[Found]) -> Table:
    """Return a table with a row for each actor and message type."""
    sums: dict[tuple[str, str], _Sum] = defaultdict(_Sum)
    for found in records:
        _add(sums[found.handling.receiver, found.handling.kind], found)
    table = Table("actor", "message", box=SIMPLE_HEAD)
    for name in ("count", "per s", "wait p50", "p99", "max", "work p50", "p99", "max"):
        table.add_column(name, justify="right")
    for name in ("depth", "crashes", "dead"):
        table.add_column(name, justify="right")
    for (receiver, kind), found_sum in sorted(sums.items()):
        table.add_row(receiver, kind, *_row(found_sum))
    return table


def slow_table(records: Iterable[Found], count: int) -> Table:
    """Return the slowest handlings, each with where its time was spent."""
    slowest = nlargest(count, records, key=lambda found: found.handling.worked_us)
    names = ("took", "waited", "id", "actor", "message", "at", "what it did")
    table = Table(*names, box=SIMPLE_HEAD)
    for found in slowest:
        stored = found.handling
        table.add_row(
            duration_text(stored.worked_us),
            duration_text(stored.waited_us),
            id_text(stored.message_id),
            stored.receiver,
            stored.kind,
            time_text(stored.now_ms),
            _cause(found),
        )
    return table


def _add(found_sum: _Sum, found: Found) -> None:
    stored = found.handling
    found_sum.first_ns = min(found_sum.first_ns or stored.done_ns, stored.done_ns)
    found_sum.last_ns = max(found_sum.last_ns, stored.done_ns)
    if stored.taken_ns:
        found_sum.waited_us.append(stored.waited_us)
        found_sum.worked_us.append(stored.worked_us)
        found_sum.changes += [(stored.sent_ns, 1), (stored.taken_ns, -1)]
    found_sum.crashes += stored.outcome in ("crashed", "hung")
    found_sum.dead += stored.outcome == "dead letter"


def _row(found_sum: _Sum) -> list[str]:
    seconds = (found_sum.last_ns - found_sum.first_ns) / 1e9
    count = len(found_sum.worked_us)
    return [
        f"{count:,}",
        f"{count / seconds:,.1f}" if seconds else "",
        *_quantiles(found_sum.waited_us),
        *_quantiles(found_sum.worked_us),
        str(_deepest(found_sum.changes)),
        str(found_sum.crashes or ""),
        str(found_sum.dead or ""),
    ]


def _quantiles(values_us: Sequence[float]) -> list[str]:
    ranked = sorted(values_us)
    if not ranked:
        return ["", "", ""]
    indices = (ceil(quantile * len(ranked)) - 1 for quantile in (0.5, 0.99, 1.0))
    return [duration_text(ranked[index]) for index in indices]


def _deepest(changes: list[tuple[int, int]]) -> int:
    depth = deepest = 0
    for _, change in sorted(changes):
        depth += change
        deepest = max(deepest, depth)
    return deepest


def _cause(found: Found) -> str:
    """Return where the time was spent: the slowest ports, and the actor's own work."""
    stored = found.handling
    took_ns: dict[str, int] = defaultdict(int)
    counts: dict[str, int] = defaultdict(int)
    for call in stored.calls:
        name = f"{call.port}.{call.method}"
        took_ns[name] += call.took_ns
        counts[name] += 1
    longest = sorted(took_ns, key=lambda name: -took_ns[name])[:_KEPT_CALLS]
    parts = [
        f"{name}{f' x{counts[name]}' if counts[name] > 1 else ''} "
        f"{duration_text(took_ns[name] / 1000)}"
        for name in longest
    ]
    own_us = stored.worked_us - sum(took_ns.values()) / 1000
    parts.append(f"own work, or waiting for the processor, {duration_text(own_us)}")
    candles = sum(call.series.count for call in stored.calls if call.series is not None)
    return ", ".join(parts) + (f"; read {counted(candles, 'candle')}" if candles else "")
