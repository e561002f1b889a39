"""The results of replaying recorded incarnations with the current code, in words."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from domain.errors import ConfigError
from domain.text import counted, plain
from infra.store.trace_ids import id_text
from infra.trace.query.text import line
from infra.trace.reader import Found


def up_to(known: list[Found], from_id: int | None, until_id: int | None) -> list[Found]:
    """Return the messages up to the last one to be run.

    Raises:
        ConfigError: the actor handled no message with one of these ids.
    """
    ids = [found.handling.message_id for found in known]
    for name, wanted in (("--from", from_id), ("--until", until_id)):
        if wanted is not None and wanted not in ids:
            raise ConfigError(f"{name} {id_text(wanted)}: this actor handled no such message")
    return known if until_id is None else known[: ids.index(until_id) + 1]


def stop_at(known: Iterable[Found], until_id: int | None) -> int | None:
    """Return the id of the message before which the debugger stops.

    That is `until_id`, or else the first crash or hang.
    """
    if until_id is not None:
        return until_id
    return next(
        (f.handling.message_id for f in known if f.handling.outcome in ("crashed", "hung")),
        None,
    )


def result_texts(
    messages: int,
    outputs: int,
    *,
    crashed: Sequence[Found],
    left_out: Iterable[tuple[Found, str]],
    unshared: Iterable[str],
) -> Iterable[Text]:
    """Yield the result of a replay without a difference.

    Args:
        messages: number of messages run.
        outputs: number of outputs compared.
        crashed: messages on which the actor crashed again in the same way.
        left_out: messages that could not be run, each with the reason.
        unshared: fields that only one of the two versions has.
    """
    for text in _left_out_texts(left_out):
        yield Text(text, "yellow")
    for text in sorted(unshared):
        yield Text(f"not compared, {plain(text)}", "yellow")
    verdict = ("all equal", "green") if messages else ("nothing was run again", "yellow")
    run = f"{counted(messages, 'message')}, {counted(outputs, 'output')}"
    yield Text.assemble(f"{run}, ", verdict)
    for found in crashed[-3:]:
        stored = found.handling
        cause = "" if stored.raised is None else plain(stored.raised.cause)
        yield Text(f"crashed again in the same way: {id_text(stored.message_id)} {cause}")


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


def difference_view(
    found: Found, messages: int, what: str, then: tuple[str, Any], now: tuple[str, Any]
) -> RenderableType:
    """Return a view of how a message ended, and how it ends today.

    Args:
        found: the message.
        messages: number of messages run, including this one.
        what: what differs: asked, told or ended.
        then: the recorded output: its name and values.
        now: the same for today's output.
    """
    table = Table(what, "recorded", "today")
    table.add_row("", then[0], now[0])
    for name, one, other in differing(then[1], now[1]):
        table.add_row(name, one, other)
    return Group(
        Text(f"message {messages:,} ends differently than recorded:", "bold red"),
        line(found),
        table,
    )


def differing(then: Any, now: Any, name: str = "") -> Iterable[tuple[str, str, str]]:
    """Yield the name and both versions of each value that differs."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key in {**then, **now}:
            yield from differing(then.get(key), now.get(key), f"{name}.{key}".lstrip("."))
        if then == now and list(then) != list(now):
            yield f"{name}, in this order", ", ".join(then), ", ".join(now)
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for index, (one, other) in enumerate(zip(then, now, strict=True)):
            yield from differing(one, other, f"{name}[{index}]")
    elif then != now:
        yield plain(name), plain(str(then)), plain(str(now))
