"""The first decision in which two runs differ."""

from collections.abc import Iterator
from decimal import Decimal

from rich.console import Group, RenderableType
from rich.text import Text

from domain.text import counted, plain
from domain.trading.orders import Purpose, client_order_id
from infra.process.times import show_time
from infra.settings.comparison import differences_of_runs
from infra.store.reader import FactReader
from infra.trace.query.decision import levels_text
from infra.trace.query.evidence import Evidence
from infra.trace.query.story import story_of, story_view
from infra.trace.reader import TraceReader

Side = tuple[str, FactReader, TraceReader]
"""A run's name, facts and trace."""


def differ(one: Side, other: Side) -> RenderableType:
    """Return the first decision in which two runs differ, with the causes on both sides.

    The settings that differ come first.
    """
    return Group(*_settings(one, other), *_decided(one, other))


def _settings(one: Side, other: Side) -> Iterator[Text]:
    left, right = one[1].settings(), other[1].settings()
    for side, settings in ((one, left), (other, right)):
        if settings is None:
            yield Text(f"{plain(side[0])} recorded no settings: none are compared", "yellow")
    if left is None or right is None:
        return
    for key, (here, there) in differences_of_runs(left, right).items():
        yield Text(plain(f"setting {key}: {here}, and {there} in the other"), "yellow")


def _decided(one: Side, other: Side) -> Iterator[RenderableType]:
    left, right = _decisions(one[1]), _decisions(other[1])
    for index in range(max(len(left), len(right))):
        here = left[index] if index < len(left) else None
        there = right[index] if index < len(right) else None
        if here != there:
            equal = counted(index, "decision is", "decisions are")
            yield Text(f"{equal} equal, then:", "bold red")
            first_ms = min(d[0] for d in (here, there) if d is not None)
            for side, decision in ((one, here), (other, there)):
                yield Text(f"\n{plain(side[0])}: {_decision_text(decision)}", "bold")
                yield _cause(side, decision, first_ms)
            return
    yield Text(f"{counted(len(left), 'decision')}, all equal", "green")


Decision = tuple[int, str, str, str]
"""Time (ms), asset, kind of decision, and its figures."""


def _decisions(facts: FactReader) -> list[Decision]:
    approved = [
        (a.t_ms, a.asset, "approved", f"{a.qty:f} at {a.price:f}") for _, a in facts.approvals()
    ]
    denied = [(d.t_ms, d.asset, "denied", f"{d.reason} {d.figures}") for _, d in facts.denials()]
    closed = [
        (
            o.intent.decided_ms,
            o.intent.request.asset,
            "closed",
            f"{o.intent.reason} {o.intent.request.qty:f}",
        )
        for o in facts.orders()
        if o.intent.purpose is not Purpose.ENTRY
    ]
    stopped = [
        (t.exit_ms, t.asset, "closed by the exchange", f"{t.reason} at {_plain(t.exit_price)}")
        for _, t in facts.exits_by_exchange()
    ]
    return sorted([*approved, *denied, *closed, *stopped])


def _plain(value: Decimal) -> str:
    return f"{value:f}"


def _decision_text(decision: Decision | None) -> str:
    if decision is None:
        return "nothing more"
    t_ms, asset, what, figures = decision
    return plain(f"{show_time(t_ms)} {asset} {what}: {figures}")


def _cause(side: Side, decision: Decision | None, first_ms: int) -> RenderableType:
    if decision is None or decision[0] > first_ms:
        return Text(f"nothing decided at {show_time(first_ms)}")
    t_ms, asset, what, _ = decision
    if what in ("approved", "denied"):
        wanted = client_order_id(asset, t_ms, Purpose.ENTRY, 1)
        return story_view(story_of(wanted, side[1], side[2]))
    report, _ = Evidence(side[2], asset, t_ms, t_ms).report(t_ms)
    return Text("" if report is None else f"{levels_text(report)}, regime {report['regime']}")
