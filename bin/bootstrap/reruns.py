"""Runs the recorded messages of actors again."""

from collections.abc import Iterable
from pdb import Pdb
from typing import Any

from actors.reruns.incarnations import Codec
from actors.reruns.result import rerun_from
from actors.reruns.state import state_before
from actors.trace_types import ACTORS, PORTS, VALUES, messages
from infra.operator.terminal.screen import Screen
from infra.trace.decode import TraceDecoder, TraceTypes, exception_of
from infra.trace.encode import pack, tagged, unpack
from infra.trace.names import ADDED_CALLS, ADDED_MESSAGES, FORMAT
from infra.trace.query.crashes import Crash
from infra.trace.query.replayed import difference_view, result_texts, stop_at, up_to
from infra.trace.reader import Found
from infra.trace.recording import OPENS

EQUAL, DIFFERENT = 0, 1


def trace_codec() -> Codec:
    """Return the codec of this program's messages, answers and actors."""
    types = TraceTypes(messages=messages(), values=VALUES, ports=PORTS, actors=ACTORS)
    return Codec(
        decode=TraceDecoder(types),
        actors=ACTORS,
        opens=OPENS,
        pack=pack,
        unpack=unpack,
        tagged=tagged,
        exception=exception_of,
        format=FORMAT,
        added_calls=ADDED_CALLS,
        added_messages=ADDED_MESSAGES,
    )


def state_at(crash: Crash, records: Iterable[Found]) -> dict[str, str]:
    """Return the state of an actor before a crash; `records` are all its messages up to it."""
    return state_before(crash.found.handling.message_id, records, trace_codec())


def replay_actor(
    records: Iterable[Found],
    screen: Screen,
    *,
    from_id: int | None,
    until_id: int | None,
    with_pdb: bool,
) -> int:
    """Run an actor's messages again, tell the first difference, and return the exit code.

    Records that cannot be run are listed with the reason; if none could be run, the result is not
    "equal".

    Args:
        records: of the actor.
        screen: where it is shown.
        from_id: messages before it are run, but neither counted nor compared.
        until_id: the last message that is run; the one before which the debugger stops.
        with_pdb: stop before it; before the first crash or hang where none is named.

    Raises:
        ConfigError: the actor took no message of such an id.
    """
    known = up_to(list(records), from_id, until_id)
    stop_id = stop_at(known, until_id) if with_pdb else None
    result = rerun_from(known, trace_codec(), from_id=from_id, stop_id=stop_id, watch=_debug)
    different = result.different
    if different is not None and different.difference is not None:
        difference = different.difference
        screen.print(
            difference_view(
                different.found, result.messages, difference.what, difference.then, difference.now
            )
        )
        return DIFFERENT
    for text in result_texts(
        result.messages,
        result.outputs,
        crashed=result.crashed,
        left_out=result.left_out,
        unshared=result.unshared,
    ):
        screen.print(text)
    return EQUAL if result.messages else DIFFERENT


def _debug(work: Any, *arguments: Any) -> None:
    """Run one message under the debugger, which stops before its first line."""
    Pdb(nosigint=True).runcall(work, *arguments)
