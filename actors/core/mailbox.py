"""Mailboxes that outlive the actors that read them.

A mailbox belongs to an address. Each incarnation of the actor behind it takes messages through a
lease of its own, which is its Pykka inbox. Nothing that happens to an incarnation loses a message:
what it did not take waits for the next one; and a revoked lease never returns anything, so that an
incarnation that hung and wakes up cannot take its successor's messages, or its stop.
"""

import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

from actors.core.concurrency import THREADS, Concurrency
from actors.core.envelope import Envelope


@dataclass(slots=True, eq=False)
class Delivery:
    """A message as taken by Pykka's loop from an inbox."""

    message: Any
    reply_to: Any = None


class EndOfLease:
    """Delivered once a lease is revoked: a command to stop."""


class _Signal:
    """Tells a waiting lease that there is something to take, and where."""


_MAIL, _OWN = _Signal(), _Signal()


class Mailbox:
    """First in, first out; unbounded, and never loses a message. Thread-safe."""

    def __init__(self, concurrency: Concurrency = THREADS) -> None:
        """Start empty and without a lease."""
        self._concurrency = concurrency
        self._lock = threading.Lock()
        self._waiting: deque[list[Envelope]] = deque()
        self._latest: dict[str, list[Envelope]] = {}
        self._lease: Lease | None = None
        self._is_closed = False

    def put(self, envelope: Envelope) -> bool:
        """Add a message; return False if the mailbox is closed."""
        with self._lock:
            return self._put([envelope])

    def put_latest(self, key: str, envelope: Envelope) -> tuple[bool, Envelope | None]:
        """Add a message, replacing a waiting one with the same key.

        Returns:
            Whether it was accepted, and the message that it displaced.
        """
        with self._lock:
            slot = self._latest.get(key)
            if slot is not None:
                displaced, slot[0] = slot[0], envelope
                return True, displaced
            slot = [envelope]
            if not self._put(slot):
                return False, None
            self._latest[key] = slot
            return True, None

    def lease(self, generation: int) -> "Lease":
        """Hand the mailbox to a new incarnation, with all waiting messages."""
        if self._lease is not None:
            self._lease.revoke()
        with self._lock:
            self._lease = Lease(self, generation, self._concurrency)
            for _ in self._waiting:
                self._lease.signal(_MAIL)
            return self._lease

    def close(self) -> list[Envelope]:
        """Close the mailbox, and return what still waits."""
        with self._lock:
            self._is_closed = True
            left = [slot[0] for slot in self._waiting]
            self._waiting.clear()
            self._latest.clear()
            return left

    def reopen(self) -> None:
        """Accept messages again."""
        with self._lock:
            self._is_closed = False

    def take(self, lease: "Lease") -> Envelope | None:
        """Return the oldest message; None if the lease has ended or nothing waits."""
        with self._lock:
            if lease.is_over or not self._waiting:
                return None
            slot = self._waiting.popleft()
            if self._latest:
                self._latest = {k: v for k, v in self._latest.items() if v is not slot}
            lease.in_flight = slot[0]
            return slot[0]

    def end(self, lease: "Lease") -> Envelope | None:
        """End a lease, and return the message that its holder works on."""
        with self._lock:
            lease.is_over = True
            unfinished, lease.in_flight = lease.in_flight, None
            return unfinished

    @property
    def depth(self) -> int:
        """How many messages wait."""
        return len(self._waiting)

    def waiting(self) -> list[Envelope]:
        """Return the waiting messages, oldest first, without taking them."""
        with self._lock:
            return [slot[0] for slot in self._waiting]

    def oldest_sent_ns(self) -> int | None:
        """Return when the oldest waiting message was sent (monotonic); None if none waits."""
        with self._lock:
            return self._waiting[0][0].sent_ns if self._waiting else None

    def _put(self, slot: list[Envelope]) -> bool:
        if self._is_closed:
            return False
        self._waiting.append(slot)
        if self._lease is not None:
            self._lease.signal(_MAIL)
        return True


class Lease:
    """One incarnation's right to a mailbox, in the form of a Pykka inbox.

    What Pykka itself puts (stops) stays here and never enters the mailbox, and a teardown that
    drains its inbox finds only that.
    """

    def __init__(self, mailbox: Mailbox, generation: int, concurrency: Concurrency) -> None:
        """Give one incarnation the mailbox."""
        self._mailbox = mailbox
        self._signals = concurrency.queue()
        self._own: deque[Any] = deque()
        self.generation = generation
        self.fence = threading.RLock()
        """Held while an incarnation sends, and while its lease is revoked."""
        self.is_revoked = False
        self.is_over = False
        """Whether the lease has ended: it was revoked, or its holder crashed."""
        self.in_flight: Envelope | None = None
        """The message taken and not yet completed."""

    def signal(self, signal: _Signal) -> None:
        """Wake up the holder."""
        self._signals.put(signal)

    def revoke(self) -> Envelope | None:
        """End the lease from outside, and return the message that its holder still works on."""
        with self.fence:
            self.is_revoked = True
            return self.end()

    def end(self) -> Envelope | None:
        """End the lease, and return the message that its holder still works on."""
        unfinished = self._mailbox.end(self)
        self.signal(_OWN)
        return unfinished

    def put(self, envelope: Any, /) -> None:
        """Take what Pykka sends to the actor: a stop."""
        self._own.append(envelope)
        self.signal(_OWN)

    def get(self) -> Any:
        """Wait for the next message, or the end of the lease."""
        while True:
            signal = self._signals.get()
            if self.is_over:
                return self._own.popleft() if self._own else Delivery(EndOfLease())
            if signal is _OWN and self._own:
                return self._own.popleft()
            envelope = self._mailbox.take(self) if signal is _MAIL else None
            if envelope is not None:
                return Delivery(envelope)

    def empty(self) -> bool:
        """Tell whether Pykka's teardown has nothing to drain."""
        return not self._own
