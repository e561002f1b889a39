"""Why an order was sent, an entry denied, a trade closed: the chain from candle to end."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from domain.errors import ConfigError
from domain.market.instruments import Side
from domain.trading.decisions import Denial
from domain.trading.orders import OrderStatus, Purpose, client_order_id
from domain.trading.positions import Execution
from infra.process.times import show_time
from infra.store.reader import FactReader, StoredOrder
from infra.store.trace_ids import id_text, read_id
from infra.trace.query.case import Case, case_of
from infra.trace.query.chain import Step, Story
from infra.trace.query.closes import CLOSE, close_story
from infra.trace.query.decision import levels_text, tell_answer, tell_candle
from infra.trace.query.evidence import Evidence
from infra.trace.query.text import duration_text, fields_of, outcome_text, payload_text, time_text
from infra.trace.reader import Found, TraceReader

_DIRECTIONS = {Side.BUY: "long", Side.SELL: "short"}
_CRASHES_SHOWN = 4
_ANCESTORS_SHOWN = 25


def story_of(wanted: str, facts: FactReader, reader: TraceReader) -> Story:
    """Return the story of an order, a denied entry, a trade, a close or a message.

    Args:
        wanted: an id; trade/N; ASSET@ISO, the trade that was open then, or else the close;
            close/ASSET@ISO.
        facts: of the run.
        reader: of its trace.

    Raises:
        ConfigError: nothing has this id.
    """
    if wanted.startswith(CLOSE):
        return close_story(wanted.removeprefix(CLOSE), facts, reader)
    message_id = read_id(wanted)
    case = case_of(_named_by(message_id, facts) or wanted, facts)
    if case is not None:
        story = _tell(case, reader)
        if "@" in wanted:
            _add_close(story, wanted, facts, reader)
        return story
    if message_id is not None:
        return _ancestry(message_id, facts, reader)
    if "@" in wanted:
        return close_story(wanted, facts, reader)
    raise ConfigError(
        f"{wanted}: nothing has this id; expected an order's client_order_id or a denied entry "
        "(see `bin/trace orders`), a trade like BTC@2025-05-01T10:00, a close like "
        f"{CLOSE}BTC@2025-05-01T10:00, or a message like 1.2345"
    )


def _add_close(story: Story, wanted: str, facts: FactReader, reader: TraceReader) -> None:
    """End a trade's story with the candle close that was asked for."""
    try:
        close = close_story(wanted, facts, reader)
    except ConfigError:
        story.missing.append("close")
        return
    story.steps.append(Step(name="close", text=close.title, at_ms=close.steps[0].at_ms))
    story.steps += close.steps


def _named_by(message_id: int | None, facts: FactReader) -> str | None:
    """Return the order or denial stored during a message, by its id in `bin/trace orders`."""
    if message_id is None:
        return None
    stored = [(order.source, order.client_order_id) for order in facts.orders()]
    stored += [(source, f"trade/{source.fact_id}") for source, _ in facts.exits_by_exchange()]
    return next((name for source, name in stored if source.message_id == message_id), None)


def _tell(case: Case, reader: TraceReader) -> Story:
    signal_ms = None if case.answer is None else case.answer.signal_ms
    evidence = Evidence(reader, case.asset, (signal_ms or case.t_ms), case.end_ms)
    story = Story(title=_title(case))
    _tell_market(story, case, evidence)
    if case.answer is not None:
        tell_answer(story, case.answer, evidence)
    elif case.entry is not None:
        story.missing.append("grant")
    if case.entry is not None:
        _tell_order(story, case.entry, evidence)
        _tell_stop(story, case, case.entry, evidence)
        _tell_moves(story, case)
    _tell_exit(story, case, evidence)
    _tell_crashes(story, case, evidence)
    return story


def _title(case: Case) -> str:
    if isinstance(case.answer, Denial):
        return f"{case.asset}: entry at {show_time(case.t_ms)} denied: {case.answer.reason}"
    position = _position(case)
    if case.trade is not None:
        return (
            f"{case.asset} {position}, {show_time(case.trade.entry_ms)} to "
            f"{show_time(case.trade.exit_ms)}: {case.trade.pnl:+.2f} USDT by {case.trade.reason}"
        )
    if case.entry is None:
        return f"{case.asset}: approved at {show_time(case.t_ms)}, no order yet"
    state = case.entry.state.status
    what = "still open" if case.entry.executions else f"order {state}"
    return f"{case.asset} {position} at {show_time(case.t_ms)}: {what}"


def _position(case: Case) -> str:
    if case.entry is None:
        return "position" if case.trade is None else _DIRECTIONS[case.trade.side]
    request = case.entry.intent.request
    return f"{_DIRECTIONS[request.side]} {request.qty:f}"


def _tell_market(story: Story, case: Case, evidence: Evidence) -> None:
    tell_candle(story, case.t_ms, evidence)
    report, reporter = evidence.report(case.t_ms)
    signal = None if report is None else report["signal"]
    if signal is None:
        story.missing += ["signal", "wish"]
        return
    _tell_signal(story, case, signal, evidence)
    text = f"volatility {signal['volatility']:.5f}, strength {signal['strength']:.5f}"
    story.add("wish", text, case.t_ms, reporter)


def _tell_signal(story: Story, case: Case, signal: dict[str, Any], evidence: Evidence) -> None:
    signal_ms = signal["signal_ms"]
    age_min = (case.t_ms - signal_ms) // 60_000
    text = f"{signal['kinds']} at {show_time(signal_ms)}, {age_min} min old"
    after, made = evidence.report(signal_ms)
    before, _ = evidence.report_before(signal_ms)
    if before is not None and after is not None:
        text += f"; {levels_text(before)} became {levels_text(after)}"
    story.add("signal", text, signal_ms, made)


def _tell_order(story: Story, order: StoredOrder, evidence: Evidence) -> None:
    request, intent = order.intent.request, order.intent
    stops = ""
    if request.stop_loss is not None:
        target = _target(request.take_profit)
        stops = f", stop loss {request.stop_loss:f}, take profit {target}"
    why = "" if intent.reason is None else f" because of {intent.reason}"
    sent = evidence.submitted(order.client_order_id)
    text = f"{order.client_order_id}: {request.side} {request.qty:f}{stops}{why}"
    story.add("order", f"{text}; stored as fact {order.source.fact_id}", intent.decided_ms, sent)
    _tell_outcome(story, order, evidence)


def _tell_outcome(story: Story, order: StoredOrder, evidence: Evidence) -> None:
    found, answer = evidence.exchange_answer(order.client_order_id)
    status = order.state.status
    if status is OrderStatus.VOID:
        story.add("answer", f"never sent: {order.detail}", order.updates[-1].ts_ms, found)
        return
    if answer is None:
        story.missing.append("answer")
    elif found is not None:
        took = duration_text(found.handling.worked_us)
        story.add("answer", f"{answer} (in {took})", found.handling.now_ms, found)
    if status in (OrderStatus.REJECTED, OrderStatus.CANCELED) and order.detail:
        story.add("ended", f"{status}: {order.detail}", order.updates[-1].ts_ms)
    if status in (OrderStatus.FILLED, OrderStatus.PARTIALLY_FILLED) and not order.executions:
        story.missing.append("fill")
    for execution in order.executions:
        _tell_fill(story, execution, evidence)


def _tell_fill(story: Story, execution: Execution, evidence: Evidence) -> None:
    text = (
        f"{execution.side} {execution.qty:f} at {execution.price:f}, fee {execution.fee:.4f}"
        f" ({execution.exec_id})"
    )
    story.add("fill", text, execution.ts_ms, evidence.execution(execution.exec_id))


def _tell_stop(story: Story, case: Case, order: StoredOrder, evidence: Evidence) -> None:
    if not order.executions:
        return
    before_ms = case.moves[0][1].ts_ms if case.moves else None
    found, levels = evidence.stops(is_over=case.trade is not None, before_ms=before_ms)
    request = order.intent.request
    if levels is not None and found is not None:
        target = _target(levels["take_profit"])
        text = f"moved to stop loss {levels['stop_loss']}, take profit {target}"
        story.add("stop", text, found.handling.now_ms, found)
    elif request.stop_loss is None:
        story.missing.append("stop")
    else:
        text = f"set with the position: {request.stop_loss:f} and {_target(request.take_profit)}"
        story.add("stop", text, order.executions[0].ts_ms)


def _target(take_profit: object) -> str:
    return "none" if take_profit is None else str(take_profit)


def _tell_moves(story: Story, case: Case) -> None:
    """Tell each level the trailing stop was moved to, and whether the exchange confirmed it."""
    confirmed = {moved.confirmed_stop_loss: moved.confirmed_ms for _, moved in case.moves}
    told: set[Decimal] = set()
    for source, moved in case.moves:
        level = moved.stop_loss
        if level in told:
            continue
        told.add(level)
        at_ms = confirmed.get(level)
        by = "not confirmed" if at_ms is None else f"confirmed at {time_text(at_ms)}"
        message = None if source.message_id is None else id_text(source.message_id)
        text = f"best price {moved.best:f}, stop loss {level:f}, {by}"
        story.steps.append(Step(name="trail", text=text, at_ms=moved.ts_ms, message=message))


def _tell_exit(story: Story, case: Case, evidence: Evidence) -> None:
    for order in case.exits:
        found = evidence.close_command(order.intent.decided_ms)
        sender = "unknown" if found is None else found.handling.receiver
        report, _ = evidence.report(order.intent.decided_ms)
        values = "" if report is None else f": {levels_text(report)}, regime {report['regime']}"
        text = f"{order.intent.reason} decided by {sender}{values}"
        story.add("exit", text, order.intent.decided_ms, found)
        if found is None:
            story.missing.append("exit")
        _tell_order(story, order, evidence)
    if case.trade is None:
        return
    if case.trade.decided_ms is None:
        text = f"{case.trade.reason} by the exchange at {case.trade.exit_price:f}"
        story.add("exit", text, case.trade.exit_ms)
        for execution in case.by_exchange:
            _tell_fill(story, execution, evidence)
        if not case.by_exchange:
            story.missing.append("fill")
    trade = case.trade
    text = (
        f"{trade.entry_price:f} to {trade.exit_price:f}: {trade.pnl:+.4f} USDT, of which fees "
        f"{-trade.fees:.4f}, funding {trade.funding:+.4f}"
    )
    story.add("trade", text, trade.exit_ms)


def _tell_crashes(story: Story, case: Case, evidence: Evidence) -> None:
    crashes = evidence.crashes()
    for found in crashes[:_CRASHES_SHOWN]:
        stored = found.handling
        cause = "" if stored.raised is None else stored.raised.cause
        text = f"{stored.receiver} incarnation {stored.generation} {stored.outcome}: {cause}"
        crash_id = id_text(stored.message_id)
        more = f"{text}; see `bin/trace crash {crash_id}`"
        story.add_in_time("crash", more, stored.now_ms, found)
    if len(crashes) > _CRASHES_SHOWN:
        story.add("", f"and {len(crashes) - _CRASHES_SHOWN} more crashes", case.t_ms)
    for found in evidence.restarts():
        text = f"the process was restarted: session {found.session.number}"
        story.add_in_time("restart", text, found.handling.now_ms, found)


def _ancestry(message_id: int, facts: FactReader, reader: TraceReader) -> Story:
    """Return what led to a message; or the story of its order if it belongs to one."""
    known = {found.handling.message_id: found for found in reader.read()}
    chain: list[Found] = []
    next_id: int | None = message_id
    while next_id is not None and next_id in known and known[next_id] not in chain:
        chain.append(known[next_id])
        next_id = known[next_id].handling.parent_id
    if not chain:
        raise ConfigError(f"{id_text(message_id)}: no message of this id in the trace")
    for index in (0, len(chain) - 1):
        case = next(
            (c for c in (case_of(name, facts) for name in _names_in(chain[index])) if c), None
        )
        if case is not None:
            return _tell(case, reader)
    story = Story(title=f"message {id_text(message_id)}, and what led to it")
    for found in reversed(chain[:_ANCESTORS_SHOWN]):
        stored = found.handling
        text = f"{stored.receiver}: {payload_text(fields_of(stored.payload))}"
        story.add(stored.kind, f"{text} {outcome_text(stored)}", stored.now_ms, found)
    return story


def _names_in(found: Found) -> Iterator[str]:
    """Yield the ids of orders and signals named in a message."""
    fields = fields_of(found.handling.payload)
    for value in fields.values() if isinstance(fields, dict) else ():
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            if isinstance(value.get("client_order_id"), str):
                yield value["client_order_id"]
            if isinstance(value.get("asset"), str) and isinstance(value.get("t_ms"), int):
                yield client_order_id(value["asset"], value["t_ms"], Purpose.ENTRY, 1)


# Displaying stories and orders.


def story_view(story: Story) -> RenderableType:
    """Return a story as a view for a terminal."""
    table = Table.grid(padding=(0, 1))
    for _ in range(4):
        table.add_column(overflow="fold")
    for step in story.steps:
        at = Text(time_text(step.at_ms) if step.name else "", "dim")
        table.add_row(
            at, Text(step.name, "bold"), Text(step.text), Text(step.message or "", "cyan")
        )
    parts: list[RenderableType] = [Text(story.title, "bold"), table]
    if story.missing:
        text = f"not in the trace: {', '.join(story.missing)} (deleted after trace.kept_mb?)"
        parts.append(Text(text, "yellow"))
    return Group(*parts)


def as_json(story: Story) -> str:
    """Return a story as one JSON object."""
    return json.dumps(asdict(story), indent=2)
