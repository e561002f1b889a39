"""Many topics over few connections.

A symbol's topics share a connection. Below the limit each symbol has a connection of its own; above
it the symbols are spread evenly.
"""

import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from random import Random

from infra.net.callbacks import Message
from infra.net.stream import Stream
from infra.net.stream_stats import StreamStats
from infra.net.timing import StreamTiming

MAX_CONNECTIONS = 20

CONNECTS = 400
"""Most connections per `CONNECTS_WITHIN_S`; the venue allows 500 per address in 5 minutes."""
CONNECTS_WITHIN_S = 300.0


class ConnectLimiter:
    """Spreads connections over time. Share one among all streams of an address; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made_s: deque[float] = deque(maxlen=CONNECTS)

    def reserve_s(self) -> float:
        """Reserve the next slot, and return the seconds until it may be used."""
        with self._lock:
            now_s = time.monotonic()
            at_s = now_s
            if len(self._made_s) == self._made_s.maxlen:
                at_s = max(now_s, self._made_s[0] + CONNECTS_WITHIN_S)
            self._made_s.append(at_s)
            return at_s - now_s


class Subscription:
    """The subscription of one topic by one subscriber."""

    def __init__(
        self,
        pool: "ConnectionPool",
        topic: str,
        on_message: Callable[[Message], None],
        on_connected: Callable[[float], None],
        on_lost: Callable[[str], None],
    ) -> None:
        """Only `ConnectionPool.subscribe` constructs it."""
        self._pool = pool
        self.topic = topic
        self.on_message = on_message
        self.on_connected = on_connected
        self.on_lost = on_lost

    def close(self) -> None:
        """Unsubscribe; may be called twice. A callback running at this moment still completes."""
        self._pool.leave(self)


class ConnectionPool:
    """Connections to one address, made as needed. Thread-safe."""

    def __init__(
        self,
        url: str,
        *,
        rng: Random,
        max_connections: int = MAX_CONNECTIONS,
        timing: StreamTiming | None = None,
        limiter: ConnectLimiter | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """Prepare a pool; nothing connects before the first subscription.

        Args:
            url: of the public streams.
            rng: for the jitter.
            max_connections: with more symbols they share connections.
            timing: time limits.
            limiter: shared with the other streams of this machine.
            ssl_context: for wss; the system's certificates by default.
        """
        if max_connections < 1:
            raise ValueError(f"expected at least one connection, found {max_connections}")
        self._url = url
        self._rng = rng
        self._max_connections = max_connections
        self._timing = timing
        self._limiter = limiter or ConnectLimiter()
        self._ssl_context = ssl_context
        self._lock = threading.Lock()
        self._lines: list[_Line] = []
        self._ended: list[Stream] = []
        self._made = 0
        self._is_closed = False

    def subscribe(
        self,
        topic: str,
        on_message: Callable[[Message], None],
        *,
        on_connected: Callable[[float], None] | None = None,
        on_lost: Callable[[str], None] | None = None,
    ) -> Subscription:
        """Subscribe to a topic, replacing the previous subscriber.

        The callbacks run in the connection's thread and must only tell. A topic that had another
        subscriber is requested anew, so that the new one starts with a snapshot.

        Args:
            topic: such as kline.5.BTCUSDT.
            on_message: gets each message.
            on_connected: called when the topic is live (again), before its first message, with the
                seconds for which it was not.
            on_lost: called with the reason when the topic stops.
        """
        with self._lock:
            if self._is_closed:
                raise ValueError("expected an open pool, found a closed one")
            made = Subscription(
                self, topic, on_message, on_connected or _ignore, on_lost or _ignore
            )
            self._line_of(topic).take(made)
            return made

    def leave(self, subscription: Subscription) -> None:
        """Remove a subscription, unless its successor already has the topic."""
        with self._lock:
            for line in self._lines:
                if line.drop(subscription) and not line.seats:
                    # Its thread ends by itself: an actor must not wait for the network here.
                    line.stream.close()
                    self._lines.remove(line)
                    self._ended = [s for s in self._ended if not s.join(0.0)] + [line.stream]
                    return

    def stats(self) -> list[StreamStats]:
        """Return the counters of each connection."""
        with self._lock:
            return [line.stream.stats() for line in self._lines]

    def close(self, timeout_s: float = 10.0) -> bool:
        """End all connections, and return whether all their threads ended in time."""
        with self._lock:
            self._is_closed = True
            streams = [line.stream for line in self._lines] + self._ended
            self._lines, self._ended = [], []
        for stream in streams:
            stream.close()
        until_s = time.monotonic() + timeout_s
        return all(stream.join(max(0.0, until_s - time.monotonic())) for stream in streams)

    def _line_of(self, topic: str) -> "_Line":
        symbol = symbol_of_topic(topic)
        for line in self._lines:
            if symbol in line.symbols():
                return line
        if len(self._lines) >= self._max_connections:
            return min(self._lines, key=lambda line: len(line.symbols()))
        self._made += 1
        line = _Line()
        line.stream = Stream(
            self._url,
            (),
            line.on_message,
            line.on_connected,
            line.on_lost,
            rng=self._rng,
            timing=self._timing,
            connect_wait_s=self._limiter.reserve_s,
            ssl_context=self._ssl_context,
            name=f"public stream {self._made}",
        )
        line.stream.start()
        self._lines.append(line)
        return line


def symbol_of_topic(topic: str) -> str:
    """Return the last part of a topic: BTCUSDT of kline.5.BTCUSDT."""
    return topic.rpartition(".")[2]


class _Line:
    """One connection and its subscriptions. The pool's lock guards everything but the callbacks."""

    stream: Stream

    def __init__(self) -> None:
        self.seats: dict[str, Subscription] = {}

    def symbols(self) -> set[str]:
        return {symbol_of_topic(topic) for topic in self.seats}

    def take(self, subscription: Subscription) -> None:
        self.seats[subscription.topic] = subscription
        self.stream.add(subscription.topic)

    def drop(self, subscription: Subscription) -> bool:
        """Remove a subscription, and return whether it was there."""
        if self.seats.get(subscription.topic) is not subscription:
            return False
        del self.seats[subscription.topic]
        self.stream.remove(subscription.topic)
        return True

    # Called by the stream.

    def on_message(self, topic: str, message: Message) -> None:
        seat = self.seats.get(topic)
        if seat is not None:
            seat.on_message(message)

    def on_connected(self, topic: str, down_s: float) -> None:
        seat = self.seats.get(topic)
        if seat is not None:
            seat.on_connected(down_s)

    def on_lost(self, topic: str, reason: str) -> None:
        seat = self.seats.get(topic)
        if seat is not None:
            seat.on_lost(reason)


def _ignore(_: object) -> None:
    """Ignore the call."""
