"""Replays recorded incarnations, and finds the first message that ends differently."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from actors.core.envelope import Envelope
from actors.core.rerun import PortArgument, Rerun
from actors.core.trace import Call, Handling, Outcome, Raised
from domain.errors import BadDataError

_UNTAKEN = 0
_HUNG = "hung"
BEGINS_BEFORE = "the start of that incarnation is no longer in the trace"
DAMAGED = "a part of that incarnation is damaged, or was not recorded"
HUNG = "it hung there, and would hang again or end differently"


class Decode(Protocol):
    """Turns stored values back into values; see `infra.trace.decode.TraceDecoder`."""

    def message(self, kind: str, payload: Any) -> Any:
        """Return a message."""

    def argument(self, stored: Any) -> Any:
        """Return what an actor was constructed with."""

    def result(self, port: str, method: str, stored: Any) -> Any:
        """Return the answer of a port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """Everything that converts between stored values and the actors' values."""

    decode: Decode
    actors: Mapping[str, Any]
    """Classes by name only: a module may have moved since."""
    opens: Mapping[str, Mapping[str, str]]
    pack: Callable[[object], bytes]
    unpack: Callable[[bytes], Any]
    tagged: Callable[[object], object]
    exception: Callable[[Any], BaseException]
    format: int
    """Format of what is recorded today."""
    added_calls: Mapping[tuple[str, str], Any]
    """Port and method of calls that older formats never made, with their answers."""
    added_messages: frozenset[str]
    """Kinds of messages that older formats never sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first difference between today's code and the recorded run."""

    what: str
    """What differs: asked, told or ended."""
    then: tuple[str, Any]
    """The recorded output: name and values."""
    now: tuple[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One recorded message, replayed."""

    found: Any
    actor: Any
    """The actor after the message."""
    outputs: int
    difference: Difference | None
    unshared: frozenset[str] = frozenset()
    """Fields that only one of the two versions has, dropped or new; they are not compared."""


def rerun(
    records: Iterable[Any],
    codec: Codec,
    *,
    watch_id: int | None = None,
    watch: Callable[..., Any] | None = None,
    before: Callable[[Any, Any], None] = lambda _found, _actor: None,
    left_out: Callable[[Any, str], None] = lambda _found, _why: None,
) -> Iterator[Step]:
    """Replay an actor's incarnations, message by message, up to the first difference.

    Args:
        records: of one address, in order.
        codec: for its types.
        watch_id: the message to run under `watch`.
        watch: called with the work and its arguments.
        before: called with each record, and the actor before it.
        left_out: called with each record that cannot be run, and the reason.
    """
    incarnation: Rerun | None = None
    why_none = BEGINS_BEFORE
    for found in records:
        stored = found.handling
        if stored.generation == _UNTAKEN:
            continue
        if stored.kind == "Start":
            with _of_this_version():
                incarnation = _new_incarnation(found, codec)
        elif found.is_after_gap:
            incarnation, why_none = None, DAMAGED
        if None in found.series.values():
            incarnation, why_none = None, DAMAGED
        if incarnation is None:
            left_out(found, why_none)
            continue
        before(found, incarnation.actor)
        is_watched = watch_id == stored.message_id
        with _of_this_version():
            envelope, calls = _envelope(found, codec), _calls(found, codec)
        incarnation.answers.begin(calls, lambda call: codec.exception(call.raised))
        if stored.outcome == _HUNG:
            # How it would have continued is unknown: its incarnation ends here.
            if is_watched:
                incarnation.play(envelope, watch)
            left_out(found, HUNG)
            incarnation, why_none = None, HUNG
            continue
        now = incarnation.play(envelope, watch if is_watched else None)
        unshared: set[str] | None = set() if found.session.format < codec.format else None
        yield Step(
            found=found,
            actor=incarnation.actor,
            outputs=len(stored.told) + len(stored.calls),
            difference=_difference(stored, now, codec, unshared),
            unshared=frozenset(unshared or ()),
        )


@contextmanager
def _of_this_version() -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise BadDataError(
            "the trace was written by another version of this program, which can replay it "
            f"({type(error).__name__}: {error})"
        ) from error


def _new_incarnation(found: Any, codec: Codec) -> Rerun:
    stored, session = found.handling, found.session
    made = next(actor for actor in session.actors if actor.address == stored.receiver)
    arguments = {
        name: PortArgument(codec.opens.get(name, {}))
        if kind == "port"
        else codec.decode.argument(value)
        for name, (kind, value) in made.arguments.items()
    }
    incarnation = Rerun(
        codec.actors[made.actor.partition(":")[2]],
        stored.receiver,
        stored.generation,
        [actor.address for actor in session.actors],
        arguments,
    )
    if session.format < codec.format:
        incarnation.answers.added = codec.added_calls
    return incarnation


def _envelope(found: Any, codec: Codec) -> Envelope:
    stored = found.handling
    return Envelope(
        message=codec.decode.message(stored.kind, stored.payload),
        message_id=stored.message_id,
        parent_id=stored.parent_id,
        trace_id=stored.trace_id,
        sender=stored.sender,
        sender_generation=stored.sender_generation,
        receiver=stored.receiver,
        sent_ns=stored.sent_ns,
        is_tick=stored.is_tick,
        now_ms=stored.now_ms,
    )


def _calls(found: Any, codec: Codec) -> list[Call]:
    return [
        Call(
            stored.port,
            stored.method,
            (),
            _result(found, index, codec),
            stored.raised,
        )
        for index, stored in enumerate(found.handling.calls)
    ]


def _result(found: Any, index: int, codec: Codec) -> Any:
    stored = found.handling.calls[index]
    if stored.raised is not None:
        return None
    if index in found.series:
        return found.series[index]
    return codec.decode.result(stored.port, stored.method, stored.result)


Output = tuple[str, bytes]
"""Name and stored values of an output."""


def _difference(
    then: Any, now: Handling, codec: Codec, unshared: set[str] | None
) -> Difference | None:
    """Return the first output that differs.

    Args:
        then: what was recorded.
        now: today's outputs.
        codec: for the types of both.
        unshared: None if both have the same format: everything is compared. Otherwise only shared
            fields are, and the others are added here.
    """
    asked = _asked_then(then), _asked_now(now, codec)
    told = _told_then(then), _told_now(now, codec)
    if unshared is not None:
        calls = {f"{port}.{method}" for port, method in codec.added_calls}
        asked = _without(asked, calls, unshared)
        told = _without(told, codec.added_messages, unshared)
    pairs = [
        ("asked", *asked),
        ("told", *told),
        ("ended", [_end_then(then)], [_end_now(now)]),
    ]
    for what, recorded, today in pairs:
        for index in range(max(len(recorded), len(today))):
            one = recorded[index] if index < len(recorded) else ("nothing more", b"")
            other = today[index] if index < len(today) else ("nothing more", b"")
            if one == other:
                continue
            left, right = _open(one, codec), _open(other, codec)
            if unshared is not None:
                shared = shared_fields(left[1], right[1], _name(one[0]), unshared)
                left, right = (left[0], shared[0]), (right[0], shared[1])
            if left != right or unshared is None:
                return Difference(what=what, then=left, now=right)
    return None


def _without(
    outputs: tuple[list[Output], list[Output]], added: Collection[str], unshared: set[str]
) -> tuple[list[Output], list[Output]]:
    """Return recorded and current outputs without those that older formats never had."""
    unshared |= {f"new: {name}" for what, _ in outputs[1] if (name := _name(what)) in added}
    then, now = (
        sorted((one for one in side if _name(one[0]) not in added), key=_receiver)
        for side in outputs
    )
    return then, now


def _receiver(output: Output) -> str:
    """Return the receiver of a message: only the order per receiver matters."""
    return output[0].partition(" to ")[2]


def _name(what: str) -> str:
    """Return a port's method, or a message's kind."""
    return what.partition(" ")[0]


def shared_fields(then: Any, now: Any, name: str, unshared: set[str]) -> tuple[Any, Any]:
    """Return two values without the fields that only one of them has, which are recorded.

    Args:
        then: plain values, as stored.
        now: likewise.
        name: of both.
        unshared: where the names of such fields are added.
    """
    if isinstance(then, dict) and isinstance(now, dict):
        unshared |= {f"dropped: {name}.{key}" for key in then if key not in now}
        unshared |= {f"new: {name}.{key}" for key in now if key not in then}
        pairs = {
            key: shared_fields(then[key], now[key], f"{name}.{key}", unshared)
            for key in then
            if key in now
        }
        return {k: pair[0] for k, pair in pairs.items()}, {k: p[1] for k, p in pairs.items()}
    if isinstance(then, list) and isinstance(now, list):
        named = _by_name(then), _by_name(now)
        if named[0] is not None and named[1] is not None:
            return shared_fields(*named, name, unshared)
        if len(then) == len(now):
            both = [shared_fields(*two, name, unshared) for two in zip(then, now, strict=True)]
            return [pair[0] for pair in both], [pair[1] for pair in both]
    return then, now


def _by_name(items: list[Any]) -> dict[str, Any] | None:
    """Return values by name; None if they have no names."""
    if all(isinstance(item, dict) and isinstance(item.get("name"), str) for item in items):
        return {item["name"]: item for item in items}
    return None


def _asked_then(then: Any) -> list[Output]:
    return [(f"{call.port}.{call.method}", bytes(call.arguments)) for call in then.calls]


def _asked_now(now: Handling, codec: Codec) -> list[Output]:
    return [
        (
            f"{call.port}.{call.method}",
            codec.pack([codec.tagged(argument) for argument in call.arguments]),
        )
        for call in now.calls
    ]


def _told_then(then: Any) -> list[Output]:
    return [(f"{told.kind} to {told.receiver}", bytes(told.payload)) for told in then.told]


def _told_now(now: Handling, codec: Codec) -> list[Output]:
    return [
        (f"{type(told.message).__name__} to {told.receiver}", codec.pack(told.message))
        for told in now.told
    ]


def _end_then(then: Any) -> Output:
    return _end(then.outcome, then.raised)


def _end_now(now: Handling) -> Output:
    return _end(now.outcome, now.raised)


def _end(outcome: Outcome | str, raised: Raised | Any | None) -> Output:
    return (str(outcome) if raised is None else f"{outcome}: {raised.cause}", b"")


def _open(output: Output, codec: Codec) -> tuple[str, Any]:
    what, packed = output
    return what, codec.unpack(packed) if packed else None
