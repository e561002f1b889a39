"""The addresses of one process, and all messages between them."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from time import perf_counter_ns
from typing import Any

from actors.core.concurrency import THREADS, Concurrency
from actors.core.envelope import Envelope, Origin
from actors.core.mailbox import Mailbox
from actors.core.messages import Message
from actors.core.trace import Handling, Outcome, Record, unhandled
from actors.core.work import WorkCounter

_DEAD_LETTERS_KEPT = 1_000
RUNTIME = "runtime"
"""Receiver of messages that no actor handles."""
OUTSIDE = 0
"""Generation of senders that are not actors."""


class Moment(StrEnum):
    """The moments in an actor's work at which a drill can act."""

    START = "start"
    BEFORE_WORK = "before work"
    AFTER_FACTS = "after facts"
    AFTER_TELLS = "after tells"


Probe = Callable[[str, Moment], None]
"""Called with an address and a moment; what it raises crashes the actor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message that no actor will handle, and why."""

    envelope: Envelope
    cause: str
    ts_ms: int
    """When it was set aside, by the trading clock."""


class Address:
    """A stable name that messages are sent to, whichever incarnation is behind it.

    `tell` never raises and never blocks: what cannot be delivered becomes a dead letter.
    """

    def __init__(self, name: str, system: "ActorSystem") -> None:
        """Only `ActorSystem.address` constructs it."""
        self.name = name
        self.mailbox = Mailbox(system.concurrency)
        self._system = system

    def tell(
        self,
        message: Message,
        *,
        sender: str,
        generation: int = OUTSIDE,
        origin: Origin | None = None,
        latest: str | None = None,
    ) -> Envelope:
        """Put a message into the mailbox, and return its envelope.

        Args:
            message: to send.
            sender: address or outside part that sends it.
            generation: of the sender.
            origin: the message that caused it; None begins a causal tree.
            latest: a key; a waiting older message with the same key is displaced.
        """
        envelope = self._system.envelope(self.name, message, sender, generation, origin)
        envelope.is_tick = latest is not None
        self._system.deliver(self, envelope, latest)
        return envelope

    def ask(
        self, message: Message, *, sender: str, timeout_s: float, origin: Origin | None = None
    ) -> Any:
        """Return the answer to a message. Only for the runtime: an actor that asks can deadlock.

        Raises:
            TimeoutError: no answer came in time.
            ActorCrashedError: the message crashed its actor.
            DeadLetterError: the address no longer answers.
        """
        return self.question(message, sender=sender, origin=origin).result(timeout_s)

    def question(
        self, message: Message, *, sender: str, origin: Origin | None = None
    ) -> Future[Any]:
        """Send a message that is answered, and return the future answer. Like `ask`."""
        envelope = self._system.envelope(self.name, message, sender, OUTSIDE, origin)
        envelope.reply = Future()
        self._system.deliver(self, envelope, None)
        return envelope.reply


class DeadLetterError(Exception):
    """A query was sent to an address that no longer answers."""


class ActorCrashedError(Exception):
    """A query crashed the actor."""


class ActorSystem:
    """All addresses of the process, message ids, the work counter and the dead letters."""

    def __init__(
        self,
        now_ms: Callable[[], int],
        probe: Probe | None = None,
        record: Record | None = None,
        first_id: int = 1,
        id_text: Callable[[int], str] = str,
        hide: Callable[[str], str] = str,
        concurrency: Concurrency = THREADS,
    ) -> None:
        """Start without an address.

        Args:
            now_ms: the trading clock.
            probe: called at every moment of every actor's work; for drills and tests.
            record: called with every handled message.
            first_id: of messages; higher than all used by earlier processes.
            id_text: formats an id.
            hide: removes secrets from the text of an exception.
            concurrency: runs the actors and their supervisor.
        """
        self.now_ms = now_ms
        self.concurrency = concurrency
        self.probe = probe
        self._record = record
        self.id_text = id_text
        self.hide = hide
        self.work = WorkCounter()
        self.dead_letters: deque[DeadLetter] = deque(maxlen=_DEAD_LETTERS_KEPT)
        self.dead_letter_count = 0
        self.given_up: set[str] = set()
        """Addresses of given-up actors."""
        self.removed: set[str] = set()
        """Addresses that were removed by order."""
        self._ids = count(first_id)
        self._addresses: dict[str, Address] = {}

    def address(self, name: str) -> Address:
        """Return the address of a name, created at first use."""
        found = self._addresses.get(name)
        # Looked up at every `tell`: a mailbox is created only if there is none.
        return found or self._addresses.setdefault(name, Address(name, self))

    def expect(self, name: str) -> None:
        """Make a name receive broadcasts, even before an actor answers there."""
        self.address(name)
        self.removed.discard(name)

    def addresses(self) -> list[Address]:
        """Return all addresses except removed ones."""
        return [a for a in list(self._addresses.values()) if a.name not in self.removed]

    def tell_all(
        self,
        message: Message,
        *,
        sender: str,
        generation: int = OUTSIDE,
        origin: Origin | None = None,
    ) -> list[Envelope]:
        """Send a message to every address except the sender's own."""
        return [
            address.tell(message, sender=sender, generation=generation, origin=origin)
            for address in self.addresses()
            if address.name != sender
        ]

    def envelope(
        self,
        receiver: str,
        message: Message,
        sender: str,
        generation: int,
        origin: Origin | None,
    ) -> Envelope:
        """Return a message in its envelope."""
        message_id = next(self._ids)
        return Envelope(
            message=message,
            message_id=message_id,
            parent_id=None if origin is None else origin.message_id,
            trace_id=message_id if origin is None else origin.trace_id,
            sender=sender,
            sender_generation=generation,
            receiver=receiver,
            sent_ns=perf_counter_ns(),
        )

    def note(self, message: Message, *, sender: str) -> Origin:
        """Record a message that no actor handles, and return it as the cause of what follows."""
        envelope = self.envelope(RUNTIME, message, sender, OUTSIDE, None)
        envelope.taken_ns, envelope.now_ms = envelope.sent_ns, self.now_ms()
        self.record(Handling(envelope, OUTSIDE).end(Outcome.DONE))
        return envelope.origin

    def deliver(self, address: Address, envelope: Envelope, latest: str | None) -> None:
        """Count a message, and put it into the mailbox."""
        self.work.add()
        displaced: Envelope | None = None
        if latest is None:
            is_taken = address.mailbox.put(envelope)
        else:
            is_taken, displaced = address.mailbox.put_latest(latest, envelope)
        if not is_taken and latest is None:
            why = "removed" if address.name in self.removed else "given up"
            self.bury(envelope, f"{address.name} was {why}")
        if displaced is not None:
            self.record(unhandled(displaced, Outcome.CONFLATED))
        if not is_taken or displaced is not None:
            self.work.done()

    def record(self, handling: Handling) -> None:
        if self._record is not None:
            self._record(handling)

    def bury(self, envelope: Envelope, cause: str, *, is_known: bool = False) -> None:
        """Keep a message that will not be handled, and fail its pending answer.

        Args:
            envelope: the message.
            cause: reason.
            is_known: whether its end is recorded already.
        """
        if not is_known:
            self.record(unhandled(envelope, Outcome.DEAD_LETTER, cause))
        self.dead_letter_count += 1
        letter = DeadLetter(envelope=envelope, cause=cause, ts_ms=self.now_ms())
        self.dead_letters.append(letter)
        if envelope.reply is not None and not envelope.reply.done():
            envelope.reply.set_exception(DeadLetterError(cause))

    def exhume(self, letter: DeadLetter) -> bool:
        """Remove a dead letter; return False if it was already removed."""
        try:
            self.dead_letters.remove(letter)
        except ValueError:
            return False
        return True
