"""Shows how recorded lives fare under today's code."""

from collections import Counter
from collections.abc import Iterable
from pdb import Pdb
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from actors.rerunning import Codec, Difference, Step, rerun
from domain.errors import ConfigError
from domain.text import counted, plain
from infra.operator.terminal.screen import Screen
from infra.store.trace_ids import id_text
from infra.trace.query.text import line
from infra.trace.reader import Found

EQUAL, DIFFERENT = 0, 1


def replay_actor(
    records: Iterable[Found],
    codec: Codec,
    screen: Screen,
    *,
    from_id: int | None,
    until_id: int | None,
    with_pdb: bool,
) -> int:
    """Run an actor's messages again, tell the first difference, and return the exit code.

    What cannot be run is told with its reason; where that is all, nothing is called equal.

    Args:
        records: of the actor.
        codec: for its types.
        screen: where it is shown.
        from_id: messages before it are run, but neither counted nor compared.
        until_id: the last message that is run; the one before which the debugger stops.
        with_pdb: stop before it; before the first crash or hang where none is named.

    Raises:
        ConfigError: the actor took no message of such an id.
    """
    known = _up_to(list(records), from_id, until_id)
    stop_id = _stop_at(known, until_id) if with_pdb else None
    messages = outputs = 0
    crashes: list[str] = []
    left_out: list[tuple[Found, str]] = []
    unshared: set[str] = set()
    is_counting = from_id is None
    for step in rerun(
        known,
        codec,
        watch_id=stop_id,
        watch=_debug,
        left_out=lambda found, why: left_out.append((found, why)),
    ):
        stored = step.found.handling
        is_counting = is_counting or stored.message_id == from_id
        if not is_counting:
            continue
        messages += 1
        outputs += step.outputs
        unshared |= step.unshared
        if step.difference is not None:
            screen.print(_difference_view(step, step.difference, messages))
            return DIFFERENT
        if stored.raised is not None:
            crashes.append(f"{id_text(stored.message_id)} {plain(stored.raised.cause)}")
        if stored.message_id == stop_id:
            break
    for text in _left_out_texts(left_out):
        screen.print(text, style="yellow")
    for text in sorted(unshared):
        screen.print(f"not compared, {plain(text)}", style="yellow")
    verdict = ("all equal", "green") if messages else ("nothing was run again", "yellow")
    run = f"{counted(messages, 'message')}, {counted(outputs, 'output')}"
    screen.print(Text.assemble(f"{run}, ", verdict))
    for crash in crashes[-3:]:
        screen.print(f"crashed again as it did: {crash}")
    return EQUAL if messages else DIFFERENT


def _up_to(known: list[Found], from_id: int | None, until_id: int | None) -> list[Found]:
    ids = [found.handling.message_id for found in known]
    for name, wanted in (("--from", from_id), ("--until", until_id)):
        if wanted is not None and wanted not in ids:
            raise ConfigError(f"{name} {id_text(wanted)}: this actor took no such message")
    return known if until_id is None else known[: ids.index(until_id) + 1]


def _stop_at(known: Iterable[Found], until_id: int | None) -> int | None:
    if until_id is not None:
        return until_id
    return next(
        (f.handling.message_id for f in known if f.handling.outcome in ("crashed", "hung")),
        None,
    )


def _left_out_texts(left_out: Iterable[tuple[Found, str]]) -> Iterable[str]:
    others: Counter[str] = Counter()
    for found, why in left_out:
        stored = found.handling
        if stored.outcome == "hung":
            hung = id_text(stored.message_id)
            yield f"not run: {hung} {stored.kind}: {why}; step into it by --until {hung} --pdb"
        else:
            others[why] += 1
    for why, count in others.items():
        yield f"not run: {counted(count, 'message')}: {why}"


def _debug(work: Any, *arguments: Any) -> None:
    """Run one message under the debugger, which stops before its first line."""
    Pdb(nosigint=True).runcall(work, *arguments)


def _difference_view(step: Step, difference: Difference, messages: int) -> RenderableType:
    then, now = difference.then, difference.now
    table = Table(difference.what, "recorded", "today")
    table.add_row("", then[0], now[0])
    for name, one, other in _differing(then[1], now[1]):
        table.add_row(name, one, other)
    return Group(
        Text(f"message {messages:,} ends otherwise than it did:", "bold red"),
        line(step.found),
        table,
    )


def _differing(then: Any, now: Any, name: str = "") -> Iterable[tuple[str, str, str]]:
    if isinstance(then, dict) and isinstance(now, dict):
        for key in {**then, **now}:
            yield from _differing(then.get(key), now.get(key), f"{name}.{key}".lstrip("."))
        if then == now and list(then) != list(now):
            yield f"{name}, in this order", ", ".join(then), ", ".join(now)
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for place, (one, other) in enumerate(zip(then, now, strict=True)):
            yield from _differing(one, other, f"{name}[{place}]")
    elif then != now:
        yield plain(name), plain(str(then)), plain(str(now))
