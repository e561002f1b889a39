"""Queries of the page beside the live view: one function each."""

import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from domain.rules import AssetRules, TradingRules
from domain.strategies.base import CandleRules
from domain.text import plain
from infra.operator.web import tables
from infra.operator.web.access import newest_accesses
from infra.operator.web.compare import compare
from infra.operator.web.correlations import attribution, correlations
from infra.operator.web.crashes import newest_crashes
from infra.operator.web.equity import equity
from infra.operator.web.facts import read_facts
from infra.operator.web.history import READ, AssetHistory
from infra.operator.web.hub import Hub
from infra.operator.web.limits import health_limits
from infra.operator.web.logs import newest_lines
from infra.operator.web.marks import marks
from infra.operator.web.rebuilt import rebuilt
from infra.store.reader import FactReader
from infra.trace.query.story import story_of
from infra.trace.reader import TraceReader
from infra.trace.recording import trace_directory

Question = Callable[[Hub, Mapping[str, str]], Awaitable[Any]]
"""Takes the run and the query; raises NoFactsError, and ValueError if the query is wrong."""

_LONGEST_ID = 120


async def _accesses(hub: Hub, _query: Mapping[str, str]) -> Any:
    return await hub.read(newest_accesses, hub.directory, 200)


async def _equity(hub: Hub, _query: Mapping[str, str]) -> Any:
    return await _of_rules(hub, equity)


async def _compare(hub: Hub, _query: Mapping[str, str]) -> Any:
    return await _of_rules(hub, compare)


async def _correlations(hub: Hub, _query: Mapping[str, str]) -> Any:
    return await _of_rules(hub, correlations)


async def _attribution(hub: Hub, _query: Mapping[str, str]) -> Any:
    notionals = hub.notionals()

    def read(facts: FactReader, rules: TradingRules) -> Any:
        return attribution(facts, rules, notionals)

    return await _of_rules(hub, read, "attribution")


async def _trades(hub: Hub, _query: Mapping[str, str]) -> Any:
    return await _of_rules(hub, tables.trades)


async def _orders(hub: Hub, _query: Mapping[str, str]) -> Any:
    return await _of_rules(hub, tables.orders)


async def _audit(hub: Hub, query: Mapping[str, str]) -> Any:
    seen = hub.system.snapshot
    now_ms = time.time_ns() // 1_000_000 if seen is None else seen.now_ms

    def read(_facts: FactReader) -> Any:
        return tables.audit(hub.directory, now_ms)

    entries = await hub.once("audit", lambda: hub.read(read_facts, hub.directory, read))
    return await hub.read(tables.audited, entries, query)


async def _logs(hub: Hub, _query: Mapping[str, str]) -> Any:
    mode = await hub.once(
        "mode", lambda: hub.read(read_facts, hub.directory, lambda facts: facts.mode() or "")
    )
    return await hub.read(newest_lines, hub.directory, mode)


async def _crashes(hub: Hub, _query: Mapping[str, str]) -> Any:
    return await hub.once("crashes", lambda: hub.read(newest_crashes, hub.directory))


async def _limits(hub: Hub, _query: Mapping[str, str]) -> Any:
    return await hub.once("limits", lambda: hub.read(health_limits, hub.directory))


async def _messages(hub: Hub, query: Mapping[str, str]) -> Any:
    def read() -> Any:
        with hub.history_lock:
            return hub.tail.newest(query)

    return await hub.read(read)


async def _of_rules(
    hub: Hub, function: Callable[[FactReader, TradingRules], Any], name: str = ""
) -> Any:
    """Return what a function reads, one answer for all requests within a moment."""
    rules = await hub.known_rules()

    def read(facts: FactReader) -> Any:
        return function(facts, rules)

    return await hub.once(
        name or function.__name__, lambda: hub.read(read_facts, hub.directory, read)
    )


async def _chart(hub: Hub, query: Mapping[str, str]) -> Any:
    """Return the candles of an asset since a time, and the marks within them."""
    rules, asset = await hub.known_rules(), await _asset(hub, query)
    since_ms = int(query.get("since", "0"))

    def read(facts: FactReader) -> Any:
        with hub.history_lock:
            history = _history(hub, asset, rules.candles)
            history.add(facts.candles_after(asset.asset, history.newest_ms, READ))
            shown = history.shown(since_ms)
            began_ms = history.began_ms
        return {**shown, **marks(facts, asset, began_ms)}

    return await hub.read(read_facts, hub.directory, read)


def _history(hub: Hub, asset: AssetRules, candles: CandleRules) -> AssetHistory:
    """Return the known history of an asset; a new one if its rules have changed."""
    history = hub.histories.get(asset.asset)
    if history is None or history.rules != asset:
        history = hub.histories[asset.asset] = AssetHistory(asset, candles)
    return history


async def _asset(hub: Hub, query: Mapping[str, str]) -> AssetRules:
    rules, name = await hub.known_rules(), query.get("asset", "")
    for asset in rules.assets:
        if asset.asset == name:
            return asset
    raise ValueError("No such asset.")


async def _summary(hub: Hub, _query: Mapping[str, str]) -> Any:
    """Return the figures for comparing runs; a run that never answered has no portfolio."""
    view = hub.view
    bars = {bar["name"]: bar["text"] for bar in view.get("limits", ())}
    return {
        "run": hub.name,
        "state": view.get("state") if view.get("is_alive") else "DOWN",
        "mode": view.get("mode"),
        "as_of_ms": view.get("now_ms"),
        "portfolio": view.get("portfolio"),
        "drawdown": bars.get("Drawdown", ""),
    }


async def _why(hub: Hub, query: Mapping[str, str]) -> Any:
    """Return the chain of causes of an order, a trade, a denied entry or a message."""
    wanted = query.get("id", "")
    if not 0 < len(wanted) <= _LONGEST_ID:
        raise ValueError("expected an id")
    return await hub.read(read_facts, hub.directory, partial(_story, hub.directory, wanted))


def _story(directory: Path, wanted: str, facts: FactReader) -> Any:
    story = story_of(wanted, facts, TraceReader(trace_directory(directory)))
    return {
        "title": plain(story.title),
        "steps": [
            {"name": plain(step.name), "text": plain(step.text), "at_ms": step.at_ms}
            for step in story.steps
        ],
        "missing": [plain(each) for each in story.missing],
    }


async def _actor(hub: Hub, query: Mapping[str, str]) -> Any:
    rules, seen = await hub.known_rules(), hub.system.snapshot
    address = query.get("address", "")
    if seen is None or address not in {actor.address for actor in seen.actors}:
        raise ValueError("No such actor.")

    def read(facts: FactReader) -> Any:
        return rebuilt(facts, rules, seen, address)

    return await hub.once(f"actor {address}", lambda: hub.read(read_facts, hub.directory, read))


QUESTIONS: Mapping[str, Question] = {
    "accesses": _accesses,
    "actor": _actor,
    "attribution": _attribution,
    "audit": _audit,
    "chart": _chart,
    "compare": _compare,
    "correlations": _correlations,
    "crashes": _crashes,
    "equity": _equity,
    "limits": _limits,
    "logs": _logs,
    "messages": _messages,
    "orders": _orders,
    "summary": _summary,
    "trades": _trades,
    "why": _why,
}
