"""How messages are counted, and how long they took."""

from actors.core.envelope import Envelope
from actors.core.messages import Message
from actors.core.trace import Handling
from actors.messages import Describe, Reconcile
from actors.operator.meter import Meter

MS = 1_000_000
"""In nanoseconds."""


def handling(message: Message, took_ms: int, taken_ns: int = MS) -> Handling:
    """Return the end of a message to the portfolio."""
    envelope = Envelope(
        message=message,
        message_id=1,
        parent_id=None,
        trace_id=1,
        sender="test",
        sender_generation=0,
        receiver="portfolio",
        sent_ns=0,
        taken_ns=taken_ns,
    )
    return Handling(envelope, 1, done_ns=taken_ns + took_ms * MS)


def test_what_was_handled_is_counted_and_timed_and_handed_on() -> None:
    recorded: list[Handling] = []
    meter = Meter(recorded.append)

    handlings = [handling(Reconcile(), took_ms) for took_ms in range(1, 101)]
    for each in handlings:
        meter(each)

    assert meter.handled("portfolio") == 100
    assert meter.latency_ms("portfolio") == (51, 100)
    assert recorded == handlings


def test_questions_of_whoever_looks_and_what_nobody_took_are_handed_on_alone() -> None:
    recorded: list[Handling] = []
    meter = Meter(recorded.append)

    meter(handling(Describe(), 1))
    meter(handling(Reconcile(), 1, taken_ns=0))

    assert (meter.handled("portfolio"), meter.latency_ms("portfolio")) == (0, None)
    assert len(recorded) == 2
