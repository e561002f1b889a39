"""The curve of equity and balance with drawdown levels and events."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

from domain.market.instruments import DAY_MS
from domain.operator import wording as say
from domain.operator.commands import BINDING, OperatorCommand
from domain.portfolio.protection import ProtectionState
from domain.rules import TradingRules
from infra.store.reader import FactReader

_READ = 20_000
_SHOWN = 1500
_COMMANDS = 2000
_TOLD = frozenset(name.value for name in BINDING)


def equity(facts: FactReader, rules: TradingRules) -> dict[str, Any]:
    """Return the newest samples, thinned, and all events within them."""
    states = facts.newest_states(_READ)[::-1]
    shown = _thinned(states)
    levels = [level for level, _ in rules.protection.drawdown_steps]
    protection = rules.protection
    ends = (protection.drawdown_emergency_fraction, protection.drawdown_halt_fraction)
    levels = sorted({*levels, *(end for end in ends if end is not None)})
    since_ms = states[0].t_ms if states else 0
    events = [
        *_changes(states),
        *_protections(facts.newest_protections(_COMMANDS)),
        *_commands(facts.newest_commands(_COMMANDS)),
    ]
    return {
        "time": [each.t_ms for each in shown],
        "equity": [float(each.equity) for each in shown],
        "balance": [float(each.balance) for each in shown],
        "levels": [
            {
                "name": f"drawdown {say.percent(level, 0)}",
                "value": [float(each.peak_equity * (1 - level)) for each in shown],
            }
            for level in levels
        ],
        "events": sorted(
            (event for event in events if event["time"] >= since_ms),
            key=lambda event: -event["time"],
        ),
        "week": _since(states, 7 * DAY_MS),
        "month": _since(states, 30 * DAY_MS),
    }


def _thinned(states: Sequence[ProtectionState]) -> list[ProtectionState]:
    """Return few enough for a browser to draw at once: the lowest of each span, and the ends."""
    if len(states) <= _SHOWN:
        return list(states)
    step = len(states) // _SHOWN + 1
    spans = [states[at : at + step] for at in range(0, len(states), step)]
    lowest = [min(span, key=lambda each: each.equity) for span in spans]
    return [states[0], *lowest[1:-1], states[-1]]


def _changes(states: Sequence[ProtectionState]) -> Iterator[dict[str, Any]]:
    """Yield the changes of the portfolio's protection."""
    for before, after in pairwise(states):
        told = []
        if after.is_halted and not before.is_halted:
            told.append("halted until rearm")
        if before.is_halted and not after.is_halted:
            told.append("rearmed")
        if after.reduction_step > before.reduction_step:
            told.append("entries at reduced size")
        if after.daily_loss_day not in (None, before.daily_loss_day):
            told.append("the daily loss limit was exceeded")
        for text in told:
            yield {"time": after.t_ms, "kind": "protection", "text": text}


def _protections(found: Sequence[tuple[int, str, str]]) -> Iterator[dict[str, Any]]:
    for t_ms, reason, figures in found:
        text = f"everything closed, {reason}: {say.pairs(figures)}"
        yield {"time": t_ms, "kind": "protection", "text": say.words(text)}


def _commands(commands: Sequence[OperatorCommand]) -> Iterator[dict[str, Any]]:
    for each in commands:
        if each.is_done and each.command in _TOLD:
            text = f"{each.command} {each.arguments}".rstrip()
            told = f"{text} by {say.asker(each.operator)}"
            yield {"time": each.ts_ms, "kind": "command", "text": say.words(told)}


def _since(states: Sequence[ProtectionState], span_ms: int) -> dict[str, Any] | None:
    """Return the change of the equity over a span of time; None if the run is younger."""
    if not states or states[-1].t_ms - states[0].t_ms < span_ms:
        return None
    from_ms = states[-1].t_ms - span_ms
    first = next(each for each in states if each.t_ms >= from_ms)
    gain: Decimal = states[-1].equity - first.equity
    share = say.signed_percent(gain / first.equity) if first.equity > 0 else ""
    return {"text": f"{say.gain(gain)} {share}", "sign": (gain > 0) - (gain < 0)}
