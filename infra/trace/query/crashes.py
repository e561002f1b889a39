"""What crashed, on which message, in which state, and how it recovered."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from domain.errors import ConfigError
from domain.text import counted, plain
from infra.store.trace_ids import id_text
from infra.trace.query.text import duration_text, fields_of, line, payload_text, time_text
from infra.trace.reader import Found
from infra.trace.records import StoredHandling, StoredTold

_ENDED = ("crashed", "hung")
_LAST = 20
_MANY = 4
_OPENED = ("journals", "open")


@dataclass(slots=True)
class Crash:
    """The end of one incarnation, what came before it, and the start of the next."""

    found: Found
    before: list[Found]
    """The last messages of that actor, oldest first, including those of earlier incarnations."""
    recovery: Found | None = None
    """The start that succeeded, possibly after others that failed."""

    @property
    def crash_id(self) -> str:
        """The id of the message that ended the incarnation."""
        return id_text(self.found.handling.message_id)

    @property
    def recovered_us(self) -> float | None:
        """Time until the next incarnation was ready, microseconds; None if there was none."""
        if self.recovery is None:
            return None
        return (self.recovery.handling.done_ns - self.found.handling.done_ns) / 1000


def crashes_in(records: Iterable[Found]) -> Iterator[Crash]:
    """Yield each crash once its recovery is known."""
    incarnations: dict[str, deque[Found]] = {}
    open_ones: dict[str, list[Crash]] = {}
    for found in records:
        stored = found.handling
        if not stored.generation:
            continue
        last = incarnations.setdefault(stored.receiver, deque(maxlen=_LAST))
        if stored.outcome in _ENDED:
            open_ones.setdefault(stored.receiver, []).append(Crash(found, list(last)))
        elif stored.kind == "Start":
            for crash in open_ones.pop(stored.receiver, []):
                crash.recovery = found
                yield crash
        last.append(found)
    for crashes in open_ones.values():
        yield from crashes


def crashes_table(crashes: Iterable[Crash]) -> Table:
    """Return a row for each crash."""
    names = ("crash", "at", "actor", "life", "over", "cause", "recovered in")
    table = Table(*names, box=SIMPLE_HEAD)
    for crash in crashes:
        stored = crash.found.handling
        took = crash.recovered_us
        table.add_row(
            crash.crash_id,
            time_text(stored.now_ms),
            stored.receiver,
            str(stored.generation),
            stored.kind,
            "" if stored.raised is None else plain(stored.raised.cause),
            "not at all" if took is None else duration_text(took),
        )
    return table


def find_crash(records: Iterable[Found], crash_id: int) -> Crash:
    """Return a crash.

    Raises:
        ConfigError: there is none with this id.
    """
    for crash in crashes_in(records):
        if crash.found.handling.message_id == crash_id:
            return crash
    raise ConfigError(f"{id_text(crash_id)}: no crash of this id; see `bin/trace crashes`")


def crash_view(crash: Crash, state: Mapping[str, str]) -> RenderableType:
    """Return everything known about a crash.

    Args:
        crash: the crash.
        state: of the actor before the crash, by name; empty if unknown.
    """
    stored = crash.found.handling
    cause = "" if stored.raised is None else plain(stored.raised.cause)
    head = Text.assemble(
        (f"{stored.receiver} incarnation {stored.generation} ", "bold red"),
        (f"{stored.outcome}: {cause}\n", "bold red"),
        f"crash {crash.crash_id}, trace {id_text(stored.trace_id)}, {time_text(stored.now_ms)}\n",
        f"over {stored.kind} {payload_text(fields_of(stored.payload))}",
    )
    parts: list[RenderableType] = [head]
    if stored.raised is not None and stored.raised.details:
        title = "where it stood" if stored.outcome == "hung" else "traceback"
        # As `Text`: a line of code may look like markup.
        parts.append(Panel(Text(stored.raised.details.rstrip()), title=title))
    parts.append(_state_table(state))
    before = Group(*(line(found) for found in crash.before))
    parts += [
        Panel(before, title=f"its last {counted(len(crash.before), 'message')}"),
        _recovery(crash),
    ]
    return Group(*parts)


def _state_table(state: Mapping[str, str]) -> RenderableType:
    if not state:
        return Text("its state before: unknown, the incarnation's start is not in the trace", "dim")
    table = Table("its state before", "")
    for name, text in state.items():
        table.add_row(name.removeprefix("_"), text)
    return table


def _recovery(crash: Crash) -> Text:
    took = crash.recovered_us
    if crash.recovery is None or took is None:
        return Text("recovery: none in this trace", "yellow")
    stored = crash.recovery.handling
    return Text(
        f"recovery: incarnation {stored.generation} was ready after {duration_text(took)} "
        f"(its start took {duration_text(stored.worked_us)}){_facts_text(stored)}, asked "
        f"{_counted(f'{call.port}.{call.method}' for call in stored.calls)}; "
        f"told {_told_text(stored.told)}",
        "green",
    )


def _facts_text(start: StoredHandling) -> str:
    """Return the facts an incarnation was rebuilt from."""
    opened = (fields_of(c.result) for c in start.calls if (c.port, c.method) == _OPENED)
    newest = next((fact_id for fact_id in opened if fact_id is not None), None)
    return "" if newest is None else f" from the facts up to {newest}"


def _told_text(told: Iterable[StoredTold]) -> str:
    receivers: dict[str, list[str]] = {}
    for one in told:
        receivers.setdefault(one.kind, []).append(one.receiver)
    texts = (
        f"{kind} to {', '.join(names) if len(names) < _MANY else f'{len(names)} actors'}"
        for kind, names in receivers.items()
    )
    return ", ".join(texts) or "nobody"


def _counted(names: Iterable[str]) -> str:
    texts = (f"{name}{f' x{count}' if count > 1 else ''}" for name, count in Counter(names).items())
    return ", ".join(texts) or "nothing"
