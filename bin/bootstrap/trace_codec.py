"""What turns a stored trace into this program's messages, answers and actors."""

from actors.rerunning import Codec
from actors.trace_types import ACTORS, PORTS, VALUES, messages
from infra.trace.decode import TraceDecoder, TraceTypes, exception_of
from infra.trace.encode import pack, tagged, unpack
from infra.trace.names import ADDED_CALLS, ADDED_MESSAGES, FORMAT
from infra.trace.recording import OPENS


def trace_codec() -> Codec:
    """Return what turns a stored trace into this program's messages, answers and actors."""
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
