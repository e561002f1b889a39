"""The topics that one connection has subscribed to: answered, live, or silent."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from infra.net.callbacks import Message, StreamCallbacks
from infra.net.stream_stats import Tally
from infra.net.timing import ListeningClock, StreamTiming
from infra.net.topics import TopicSubscription, TopicSubscriptions

ARGS_CHARS = 21_000
"""Longest text of one request's topics."""


@dataclass(slots=True, eq=False)
class Asked:
    """A topic that this connection has requested. Times are by the connection's own clock."""

    subscription: TopicSubscription
    asked_s: float
    data_s: float | None = None
    """Time of its newest message."""
    is_live: bool = False


@dataclass(slots=True)
class Request:
    """A subscription request that awaits its answer."""

    topics: tuple[str, ...]
    sent_s: float


class Subscriptions:
    """One connection's topics; for its thread alone."""

    def __init__(
        self,
        wanted: TopicSubscriptions,
        send: Callable[[Message], None],
        *,
        timing: StreamTiming,
        clock: ListeningClock,
        calls: StreamCallbacks,
        tally: Tally,
    ) -> None:
        self._wanted = wanted
        self._send = send
        self._timing = timing
        self._clock = clock
        self._calls = calls
        self._tally = tally
        self._asked: dict[str, Asked] = {}
        self._requests: dict[str, Request] = {}
        self._ask_again_s: dict[str, float] = {}
        """Refused topics, and when to retry them."""
        self._sent = 0

    def ask(self) -> None:
        """Subscribe to newly wanted topics, and unsubscribe from those no longer wanted."""
        wanted = self._wanted.now()
        unwanted = [
            t for t, asked in self._asked.items() if wanted.get(t) is not asked.subscription
        ]
        for topic in unwanted:
            del self._asked[topic]
        self._tally.live -= frozenset(unwanted)
        for part in parts_of(unwanted):
            self._send({"op": "unsubscribe", "args": list(part), "req_id": self._next_id()})
        clock_s = self._clock.now_s()
        for topic in self._ask_again_s.keys() - wanted.keys():
            del self._ask_again_s[topic]
            self._tally.refused.pop(topic, None)
        missing = [
            topic
            for topic in wanted
            if topic not in self._asked and self._ask_again_s.get(topic, clock_s) <= clock_s
        ]
        for topic in missing:
            self._asked[topic] = Asked(wanted[topic], clock_s)
        for part in parts_of(missing):
            self._request(part)

    def _request(self, topics: tuple[str, ...]) -> None:
        req_id = self._next_id()
        self._requests[req_id] = Request(topics, self._clock.now_s())
        self._send({"op": "subscribe", "args": list(topics), "req_id": req_id})

    def _next_id(self) -> str:
        self._sent += 1
        return str(self._sent)

    def on_data(self, topic: str, message: Message, heard_s: float) -> None:
        """Pass on a message of a topic, if it is wanted and complete."""
        asked = self._asked.get(topic)
        if asked is None:
            self._tally.drop("not wanted")
            return
        if asked.data_s is None and message.get("type") == "delta":
            self._tally.drop("delta before snapshot")
            return
        asked.data_s = heard_s
        self._tally.last_data_s = self._clock.real_s_of(heard_s)
        if not asked.is_live:
            self._make_live(topic, asked)
        self._calls.message(topic, message)

    def on_answer(self, message: Message, *, is_granted: bool) -> bool:
        """Take the answer to a request; return whether it was one."""
        request = self._take_request(message)
        if request is None:
            return False
        if is_granted:
            self._on_granted(request.topics)
        else:
            self._on_refused(request.topics, str(message.get("ret_msg", "")))
        return True

    def why_lost(self) -> str | None:
        """Return why the connection must be given up; None if it need not."""
        clock_s = self._clock.now_s()
        return self._unanswered(clock_s) or self._silent(clock_s)

    def mourn(self, reason: str, *, is_told: bool) -> None:
        """Mark all topics as lost."""
        self._tally.live = frozenset()
        for topic, asked in self._asked.items():
            if asked.is_live:
                asked.subscription.down_since_s = self._clock.real_s()
                if is_told:
                    self._calls.lost(topic, reason)

    def _take_request(self, message: Message) -> Request | None:
        req_id = str(message.get("req_id") or "")
        if not req_id and message.get("op") == "subscribe" and len(self._requests) == 1:
            req_id = next(iter(self._requests))
        return self._requests.pop(req_id, None)

    def _on_granted(self, topics: Iterable[str]) -> None:
        for topic in topics:
            self._tally.refused.pop(topic, None)
            asked = self._asked.get(topic)
            may_be_silent = self._timing.patience_s(topic) is None
            if asked is not None and not asked.is_live and may_be_silent:
                self._make_live(topic, asked)

    def _on_refused(self, topics: tuple[str, ...], words: str) -> None:
        # One bad topic makes the whole request fail, so the others are requested without it.
        wanted = tuple(topic for topic in topics if topic in self._asked)
        named = tuple(topic for topic in wanted if words.endswith(f"topic:{topic}"))
        guilty = named or (wanted if len(wanted) == 1 else ())
        innocent = tuple(topic for topic in wanted if topic not in guilty)
        if "already subscribed" in words:
            self._on_granted(guilty)
        else:
            for topic in guilty:
                self._give_up_for_now(topic, words)
        half = 0 if guilty else len(innocent) // 2
        for part in (innocent[:half], innocent[half:]):
            if part:
                self._request(part)

    def _give_up_for_now(self, topic: str, words: str) -> None:
        del self._asked[topic]
        self._ask_again_s[topic] = self._clock.now_s() + self._timing.slow_retry_s
        self._tally.refused[topic] = words
        self._tally.drop_loudly("topic refused", f"{topic}: {words}")

    def _make_live(self, topic: str, asked: Asked) -> None:
        asked.is_live = True
        self._tally.live |= {topic}
        self._calls.connected(topic, self._clock.real_s() - asked.subscription.down_since_s)

    def _unanswered(self, clock_s: float) -> str | None:
        for req_id, request in list(self._requests.items()):
            if clock_s - request.sent_s <= self._timing.answer_s:
                continue
            del self._requests[req_id]
            if not all(self._is_proven(topic) for topic in request.topics):
                return "no answer to a subscription"
        return None

    def _is_proven(self, topic: str) -> bool:
        """Data prove a subscription as well as an answer does."""
        asked = self._asked.get(topic)
        return asked is None or asked.is_live

    def _silent(self, clock_s: float) -> str | None:
        silent = {
            topic: clock_s - (asked.asked_s if asked.data_s is None else asked.data_s)
            for topic, asked in self._asked.items()
        }
        patience = {topic: self._timing.patience_s(topic) for topic in silent}
        watched = {topic: most_s for topic, most_s in patience.items() if most_s is not None}
        if watched and all(silent[topic] > most_s for topic, most_s in watched.items()):
            return f"no data for {min(silent[topic] for topic in watched):.1f} s"
        for topic, most_s in watched.items():
            # While others are live, a topic that stays silent interrupts them ever more rarely.
            subscription = self._asked[topic].subscription
            if silent[topic] > most_s * 2.0 ** min(subscription.silences, 6):
                subscription.silences += 1
                return f"no data of {topic} for {silent[topic]:.1f} s"
            if silent[topic] < most_s < clock_s - self._asked[topic].asked_s:
                subscription.silences = 0
        return None


def parts_of(topics: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the topics grouped into requests not longer than the venue accepts."""
    parts: list[tuple[str, ...]] = []
    part: list[str] = []
    chars = 0
    for topic in topics:
        if part and chars + len(topic) + 3 > ARGS_CHARS:
            parts.append(tuple(part))
            part, chars = [], 0
        part.append(topic)
        chars += len(topic) + 3
    return [*parts, tuple(part)] if part else parts
