"""All streams: subscriptions, and delivery of messages."""

import asyncio
import random
from collections.abc import Callable, Collection
from typing import Any

import orjson

from infra.venues.simulator.clock import Clock
from infra.venues.simulator.faults.book import FaultBook
from infra.venues.simulator.faults.kinds import Kind
from infra.venues.simulator.streams.spoiling import spoiled
from infra.venues.simulator.streams.stream import Stream
from infra.venues.simulator.wire import Peer, Wire

FAST = "execution.fast"
"""The only private topic whose messages have no id."""


class Hub:
    """All streams, and the messages for them."""

    def __init__(self, clock: Clock, faults: FaultBook, wire: Wire, seed: int) -> None:
        self.streams: set[Stream] = set()
        self.joined = 0
        """Number of clients so far, counting reconnects."""
        self.has_changed = asyncio.Event()
        """Set at each subscription, each answered ping and each end of a stream."""
        self.on_leave: Callable[[set[str]], None] = lambda _topics: None
        """Called with the topics of a client that has disconnected."""
        self.order_entries: dict[Peer | None, str] = {}
        """Paths, by client, of streams for order entry, which receive no topics."""
        self._listeners: dict[str, dict[Stream, None]] = {}
        self._heard: dict[str, dict[str, None]] = {}
        """Subscribed topics by their last part, mostly a symbol."""
        self._clock = clock
        self._faults = faults
        self._wire = wire
        wire.on_pong = self._on_pong
        self._chance = random.Random(f"{seed}/streams")  # noqa: S311 - ids of a toy exchange

    # Subscriptions.

    def join(self, stream: Stream) -> None:
        """Add a client."""
        self.streams.add(stream)
        self.joined += 1

    def leave(self, stream: Stream) -> None:
        """Remove a client."""
        self.streams.discard(stream)
        self.forget(stream, stream.topics)
        self.has_changed.set()
        self.on_leave(stream.topics)

    def listen(self, stream: Stream, topics: Collection[str]) -> None:
        """Subscribe a client to more topics."""
        stream.topics.update(topics)
        for topic in topics:
            self._listeners.setdefault(topic, {})[stream] = None
            self._heard.setdefault(topic.rpartition(".")[2], {})[topic] = None
        self.has_changed.set()

    def forget(self, stream: Stream, topics: Collection[str]) -> None:
        """Unsubscribe a client from topics."""
        for topic in topics:
            listeners = self._listeners.get(topic, {})
            listeners.pop(stream, None)
            if not listeners:
                self._listeners.pop(topic, None)
                self._heard.get(topic.rpartition(".")[2], {}).pop(topic, None)

    # Messages to clients.

    def has_listeners(self, topic: str) -> bool:
        """Tell whether a topic has subscribers, so that no message is built in vain."""
        return topic in self._listeners

    def heard(self, symbol: str) -> Collection[str]:
        """Return the subscribed topics of a symbol."""
        return tuple(self._heard.get(symbol, ()))

    def publish(self, topic: str, message: dict[str, Any], symbol: str = "") -> None:
        """Send a message to all subscribers of its topic."""
        streams = tuple(self._listeners.get(topic, ()))
        if not streams or self._faults.take(Kind.MUTE, topic=topic, symbol=symbol):
            return
        written = orjson.dumps(message)
        for stream in streams:
            self.deliver(stream, topic, written)

    def publish_private(self, topic: str, rows: list[dict[str, Any]]) -> None:
        """Send rows of a private topic, under the name that each client subscribed to."""
        now_ms = self._clock.told_ms()
        for name in (topic, f"{topic}.linear"):
            if self.has_listeners(name):
                number = {"id": f"592324{self._chance.getrandbits(64):016x}"}
                named = {} if topic == FAST else number
                self.publish(name, {**named, "topic": name, "creationTime": now_ms, "data": rows})

    def deliver(self, stream: Stream, topic: str, written: bytes) -> None:
        """Send a message to one client."""
        if stream.held is None and self._faults.take(Kind.REORDER, topic=topic):
            stream.held = written
            return
        copies = 2 if self._faults.take(Kind.DUPLICATE, topic=topic) else 1
        written = spoiled(self._faults, topic, written)
        late, stream.held = stream.held, None
        for message in [written] * copies + ([late] if late is not None else []):
            if not stream.put(message):
                self._wire.drop(stream.peer)

    # What clients have processed.

    async def wait_taken(self) -> bool:
        """Wait until all clients have processed all that was sent.

        Returns:
            Whether there was anything unprocessed.
        """
        is_news = False
        while any(not stream.is_taken for stream in self.streams):
            is_news = True
            self.has_changed.clear()
            for stream in self.streams:
                stream.ask_whether_taken()
            await self.has_changed.wait()
        return is_news

    async def wait_heard(self, topics: Collection[str]) -> None:
        """Wait until each of these topics has a subscriber."""
        while not {topic for stream in self.streams for topic in stream.topics}.issuperset(topics):
            self.has_changed.clear()
            await self.has_changed.wait()

    # Faults.

    def freeze(self, path: str) -> bool:
        """Stop streams from sending and answering; return whether there was one."""
        found = self._at(path)
        for stream in found:
            stream.is_frozen = True
            self._wire.freeze(stream.peer)
        entries = self._entries_at(path)
        for peer in entries:
            self._wire.freeze(peer)
        return bool(found or entries)

    def cut(self, path: str) -> bool:
        """Cut streams; return whether there was one."""
        found = self._at(path)
        for stream in found:
            self._wire.drop(stream.peer)
        entries = self._entries_at(path)
        for peer in entries:
            self._wire.drop(peer)
        return bool(found or entries)

    def _entries_at(self, path: str) -> list[Peer | None]:
        return [peer for peer, entry in self.order_entries.items() if entry.startswith(path)]

    def _at(self, path: str) -> list[Stream]:
        return [stream for stream in self.streams if stream.path.startswith(path)]

    def _on_pong(self, peer: Peer, payload: bytes) -> None:
        for stream in self.streams:
            if stream.peer == peer:
                stream.on_pong(payload)
        self.has_changed.set()
