"""One WebSocket connection that comes back from every failure, on one thread of its own.

Nothing is buffered from one connection to the next: each asks anew for the topics that are wanted
at that moment. What was missed meanwhile is read by REST, by whoever is told `on_connected`.
"""

import selectors
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import orjson
import websocket
from loguru import logger

from domain.errors import AccessDeniedError

Message = dict[str, Any]
"""A message as the venue sent it."""

ARGS_CHARS = 21_000
"""How long the text of one request's topics may be."""

_HTTP_BANNED = 403
_HTTP_OVERLOADED = 429


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTiming:
    """How patient a stream is. All of it runs on monotonic time."""

    backoff_initial_s: float = 0.25
    """Longest wait after the first failure; it doubles with each further one."""
    backoff_max_s: float = 30.0
    backoff_jitter_fraction: float = 0.5
    """Each wait is cut by a random part of up to this fraction."""
    stable_s: float = 30.0
    """A connection that held as long lets the back-off begin anew."""
    slow_retry_s: float = 60.0
    """Wait after refused credentials, and for a refused topic."""
    banned_s: float = 600.0
    """Wait after HTTP 403, by which the venue bans an address."""
    connect_s: float = 10.0
    """Longest silence while connecting, shaking hands, or inside a frame."""
    answer_s: float = 10.0
    """Longest wait for the answer to auth, subscribe or ping."""
    ping_s: float = 20.0
    tick_s: float = 0.5
    """How often the thread looks at the time."""
    stale_s: Mapping[str, float] = field(default_factory=lambda: {"kline": 90.0, "tickers": 60.0})
    """Longest silence of a topic, by the topic's first word. A class that is not named here may
    rightly be silent: it is proven by the subscription's acknowledgement and by pongs."""
    max_message_bytes: int = 4_000_000

    def patience_s(self, topic: str) -> float | None:
        """Return for how long a topic may be silent; None where it may be for ever."""
        return self.stale_s.get(topic.partition(".")[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStats:
    """What a stream has done so far."""

    name: str
    attempts: int
    connects: int
    """Handshakes that succeeded."""
    messages: int
    """All texts received, answers and pongs included."""
    drops: Mapping[str, int]
    """Messages that were dropped, by reason."""
    last_data_s: float | None
    """Monotonic time of the newest message of a topic."""
    live: frozenset[str]
    """Topics that flow."""
    refused: Mapping[str, str]
    """Topics that the venue refused, with its words."""
    denied: AccessDeniedError | None
    """Why the venue refuses our credentials; None where it does not."""
    last_end: str | None
    """What ended the newest connection that ended."""


class Stream:
    """A connection that is wanted: it dies by `close` alone.

    Callbacks run in the stream's thread and must only tell. What they raise is counted and logged,
    and costs no more than the message at hand. They may call `add`, `remove` and `close`.
    """

    def __init__(
        self,
        url: str,
        topics: Iterable[str],
        on_message: Callable[[str, Message], None],
        on_connected: Callable[[str, float], None],
        on_lost: Callable[[str, str], None],
        *,
        rng: Random,
        auth: Callable[[], list[object]] | None = None,
        on_denied: Callable[[AccessDeniedError], None] | None = None,
        timing: StreamTiming | None = None,
        connect_wait_s: Callable[[], float] | None = None,
        ssl_context: ssl.SSLContext | None = None,
        name: str = "stream",
    ) -> None:
        """Prepare a stream; `start` starts it.

        Args:
            url: ws:// or wss://.
            topics: wanted from the first connection on.
            on_message: gets a topic and each of its messages.
            on_connected: gets a topic that flows (again), before its first message, and for how
                many seconds it did not. Proof is its first message, not a delta; of a topic that
                may be silent, the acknowledgement.
            on_lost: gets each topic that flowed and why it stopped; not called by `close`.
            rng: for the jitter.
            auth: makes the args of a login, signed anew for each connection.
            on_denied: is told when the venue begins to refuse the credentials.
            timing: how patient to be.
            connect_wait_s: reserves a connection and returns the seconds until it may be made.
            ssl_context: for wss; the system's certificates by default.
            name: for threads and logs.
        """
        self._timing = timing or StreamTiming()
        self._url = url
        self._rng = rng
        self._auth = auth
        self._connect_wait_s = connect_wait_s or _no_wait
        self._ssl_context = ssl_context
        self._tally = _Tally(name)
        self._calls = _Calls(on_message, on_connected, on_lost, on_denied, self._tally)
        self._bell = _Bell()
        self._wishes = _Wishes(self._bell)
        self._closing = threading.Event()
        self._connection: _Connection | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        for topic in topics:
            self._wishes.add(topic)

    def start(self) -> None:
        """Begin to connect; once."""
        self._thread.start()

    def add(self, topic: str) -> None:
        """Want a topic. One that was wanted already is asked for anew, with a fresh proof."""
        self._wishes.add(topic)

    def remove(self, topic: str) -> None:
        """Want a topic no longer."""
        self._wishes.remove(topic)

    def stats(self) -> StreamStats:
        """Return the counters; from any thread."""
        return self._tally.stats()

    def close(self) -> None:
        """End it, without waiting; from any thread, also twice."""
        self._closing.set()
        connection = self._connection
        if connection is not None:
            connection.interrupt()
        self._bell.ring()

    def join(self, timeout_s: float) -> bool:
        """Wait for the end of the thread after `close`, and return whether it has ended."""
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # The thread.

    def _run(self) -> None:
        self._bell.open()
        failures = 0
        wait_s = 0.0
        while not self._closing.wait(max(wait_s, self._connect_wait_s())):
            end, lasted_s = self._connect_once()
            if self._closing.is_set():
                break
            if lasted_s >= self._timing.stable_s:
                failures = 0
            wait_s = self._wait_after(end, failures)
            failures += 1
            self._tally.last_end = _words(end)
            logger.warning("{}: {}; next try in {:.1f} s", self._tally.name, _words(end), wait_s)
        self._bell.close()

    def _connect_once(self) -> tuple[BaseException, float]:
        connection = _Connection(
            self._url,
            auth=self._auth,
            timing=self._timing,
            wishes=self._wishes,
            calls=self._calls,
            tally=self._tally,
            bell=self._bell,
            is_closing=self._closing.is_set,
            ssl_context=self._ssl_context,
        )
        self._connection = connection
        try:
            end = connection.run()
        except BaseException as error:  # noqa: BLE001 - the outermost loop: this thread must not die
            logger.opt(exception=True).error("{}: a bug ended a connection", self._tally.name)
            end = error
        return end, connection.lasted_s

    def _wait_after(self, end: BaseException, failures: int) -> float:
        timing = self._timing
        refused = isinstance(end, websocket.WebSocketBadStatusException)
        status = getattr(end, "status_code", None) if refused else None
        if status == _HTTP_BANNED:
            return timing.banned_s
        if isinstance(end, AccessDeniedError) or status == _HTTP_OVERLOADED:
            longest_s = timing.slow_retry_s
        else:
            doubled_s = timing.backoff_initial_s * 2.0 ** min(failures, 30)
            longest_s = min(doubled_s, timing.backoff_max_s)
        return longest_s * (1.0 - timing.backoff_jitter_fraction * self._rng.random())


def _no_wait() -> float:
    return 0.0


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]


class _LostError(Exception):
    """We gave a connection up."""


class _Bell:
    """Wakes the stream's thread out of its waiting for bytes; rung from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: tuple[socket.socket, socket.socket] | None = None

    def open(self) -> None:
        with self._lock:
            self._ends = socket.socketpair()
            for end in self._ends:
                end.setblocking(False)

    def close(self) -> None:
        with self._lock:
            for end in self._ends or ():
                end.close()
            self._ends = None

    def ring(self) -> None:
        with self._lock:
            if self._ends is not None:
                with suppress(BlockingIOError):
                    self._ends[1].send(b"!")

    def receiver(self) -> socket.socket | None:
        return None if self._ends is None else self._ends[0]

    def quiet(self) -> None:
        receiver = self.receiver()
        if receiver is not None:
            with suppress(BlockingIOError):
                receiver.recv(4096)


@dataclass(slots=True, eq=False)
class _Wish:
    """That a topic is wanted. Asking for it anew makes a new wish."""

    down_since_s: float
    """Monotonic time since when the topic does not flow, while it does not."""
    silences: int = 0
    """How often in a row it fell silent while other topics flowed."""


class _Wishes:
    """The wanted topics. Safe from any thread."""

    def __init__(self, bell: _Bell) -> None:
        self._lock = threading.Lock()
        self._bell = bell
        self._by_topic: dict[str, _Wish] = {}

    def add(self, topic: str) -> None:
        with self._lock:
            self._by_topic[topic] = _Wish(time.monotonic())
        self._bell.ring()

    def remove(self, topic: str) -> None:
        with self._lock:
            self._by_topic.pop(topic, None)
        self._bell.ring()

    def now(self) -> dict[str, _Wish]:
        with self._lock:
            return dict(self._by_topic)


class _Tally:
    """Counters. The stream's thread writes them, any thread reads them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.attempts = 0
        self.connects = 0
        self.messages = 0
        self.last_data_s: float | None = None
        self.live: frozenset[str] = frozenset()
        self.refused: dict[str, str] = {}
        self.denied: AccessDeniedError | None = None
        self.last_end: str | None = None
        self._drops: Counter[str] = Counter()

    def drop(self, reason: str) -> None:
        self._drops[reason] += 1

    def drop_loudly(self, reason: str, what: object) -> None:
        """Count, and log the first, second, fourth, eighth ...: a flood must not fill the disk."""
        self._drops[reason] += 1
        count = self._drops[reason]
        if count & (count - 1) == 0:
            logger.warning("{}: dropped ({}, {} so far): {}", self.name, reason, count, what)

    def stats(self) -> StreamStats:
        return StreamStats(
            name=self.name,
            attempts=self.attempts,
            connects=self.connects,
            messages=self.messages,
            drops=dict(self._drops),
            last_data_s=self.last_data_s,
            live=self.live,
            refused=dict(self.refused),
            denied=self.denied,
            last_end=self.last_end,
        )


class _Calls:
    """The user's callbacks, none of which can end the thread."""

    def __init__(
        self,
        on_message: Callable[[str, Message], None],
        on_connected: Callable[[str, float], None],
        on_lost: Callable[[str, str], None],
        on_denied: Callable[[AccessDeniedError], None] | None,
        tally: _Tally,
    ) -> None:
        self._on_message = on_message
        self._on_connected = on_connected
        self._on_lost = on_lost
        self._on_denied = on_denied
        self._tally = tally

    def message(self, topic: str, message: Message) -> None:
        try:
            self._on_message(topic, message)
        except BaseException as error:  # noqa: BLE001 - even SystemExit would end the thread unseen
            self._count(error)

    def connected(self, topic: str, down_s: float) -> None:
        self._guarded(lambda: self._on_connected(topic, down_s))

    def lost(self, topic: str, reason: str) -> None:
        self._guarded(lambda: self._on_lost(topic, reason))

    def denied(self, error: AccessDeniedError) -> None:
        on_denied = self._on_denied
        if on_denied is not None:
            self._guarded(lambda: on_denied(error))

    def _guarded(self, call: Callable[[], None]) -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - as above
            self._count(error)

    def _count(self, error: BaseException) -> None:
        self._tally.drop_loudly("callback raised", _words(error))


@dataclass(slots=True, eq=False)
class _Asked:
    """A topic that this connection has asked for. Times are of the connection's own clock."""

    wish: _Wish
    asked_s: float
    data_s: float | None = None
    """Of its newest message."""
    is_live: bool = False


@dataclass(slots=True)
class _Request:
    """A subscription that awaits its answer."""

    topics: tuple[str, ...]
    sent_s: float


class _Dispatcher:
    """What websocket-client calls instead of its own loop.

    So reading, pinging and watching share one thread, and a slow callback cannot be mistaken for a
    slow venue.
    """

    def __init__(self, loop: Callable[[socket.socket, Callable[[], bool]], None]) -> None:
        self._loop = loop

    def read(self, sock: socket.socket, read: Callable[[], bool]) -> None:
        self._loop(sock, read)

    def buffwrite(self, sock: socket.socket, data: bytes, *_: object) -> None:
        sock.sendall(data)

    def signal(self, *_: object) -> None:
        """Leave the process's signals alone."""

    def abort(self) -> None:
        """Only named to `signal`."""


class _Connection:
    """One connection, from the handshake to its end. Its thread is the stream's."""

    def __init__(
        self,
        url: str,
        *,
        auth: Callable[[], list[object]] | None,
        timing: StreamTiming,
        wishes: _Wishes,
        calls: _Calls,
        tally: _Tally,
        bell: _Bell,
        is_closing: Callable[[], bool],
        ssl_context: ssl.SSLContext | None,
    ) -> None:
        self._auth = auth
        self._timing = timing
        self._wishes = wishes
        self._calls = calls
        self._tally = tally
        self._bell = bell
        self._is_closing = is_closing
        self._ssl_options = {} if ssl_context is None else {"context": ssl_context}
        self._app = websocket.WebSocketApp(
            url,
            header=self._before_connect,
            on_open=self._on_open,
            on_message=self._on_text,
            on_error=self._on_error,
        )
        self._socket: websocket.WebSocket | None = None
        self._end: BaseException | None = None
        self._opened_s: float | None = None
        self._excused_s = 0.0
        self._ticked_s = 0.0
        self._may_ask = False
        self._asked: dict[str, _Asked] = {}
        self._requests: dict[str, _Request] = {}
        self._ask_again_s: dict[str, float] = {}
        """Refused topics, and when to try them once more."""
        self._sent = 0
        self._auth_s = 0.0
        self._text_s = 0.0
        self._ping_s = 0.0

    @property
    def lasted_s(self) -> float:
        """For how long it was open."""
        return 0.0 if self._opened_s is None else time.monotonic() - self._opened_s

    def run(self) -> BaseException:
        """Connect, live, and return what ended it."""
        self._tally.attempts += 1
        try:
            self._app.run_forever(
                dispatcher=_Dispatcher(self._loop),
                skip_utf8_validation=True,  # orjson checks it, a hundred times faster
                sslopt=self._ssl_options,
            )
        finally:
            self._shut()
            end = self._end or _LostError("the connection ended without a reason")
            self._mourn(_words(end))
        return end

    def interrupt(self) -> None:
        """Wake a thread that still connects; from any thread."""
        if self._opened_s is None:
            connecting = None if self._socket is None else self._socket.sock
            if connecting is not None:
                with suppress(OSError):
                    connecting.shutdown(socket.SHUT_RDWR)

    # websocket-client calls these.

    def _before_connect(self) -> list[str]:
        # The only moment at which one connection alone can be given a time-out: without it a
        # silent peer could block connecting, the handshake or half a frame for ever.
        self._socket = self._app.sock
        if self._socket is not None:
            self._socket.settimeout(self._timing.connect_s)
        return []

    def _on_open(self, _: websocket.WebSocketApp) -> None:
        self._opened_s = self._ticked_s = time.monotonic()
        self._text_s = self._ping_s = self._auth_s = self._ticked_s
        self._tally.connects += 1
        if self._auth is None:
            self._may_ask = True
        else:
            self._send({"op": "auth", "args": self._auth()})

    def _on_error(self, _: websocket.WebSocketApp, error: BaseException) -> None:
        if self._end is None:
            self._end = error
        # Else websocket-client would say goodbye and wait 3 s for the answer of a broken peer.
        self._close_socket()

    def _loop(self, sock: socket.socket, read: Callable[[], bool]) -> None:
        bell = self._bell.receiver()
        pending: Callable[[], int] = getattr(sock, "pending", lambda: 0)
        next_tick_s = 0.0
        with selectors.DefaultSelector() as selector:
            selector.register(sock, selectors.EVENT_READ)
            if bell is not None:
                selector.register(bell, selectors.EVENT_READ)
            while self._end is None:
                if (now_s := time.monotonic()) >= next_tick_s:
                    self._tick(now_s)
                    next_tick_s = now_s + self._timing.tick_s
                    continue
                is_readable = pending() > 0
                for key, _ in () if is_readable else selector.select(self._timing.tick_s):
                    if key.fileobj is sock:
                        is_readable = True
                    else:
                        self._bell.quiet()
                        next_tick_s = 0.0
                if is_readable:
                    read()

    # Receiving.

    def _on_text(self, _: websocket.WebSocketApp, text: bytes) -> None:
        self._tally.messages += 1
        self._text_s = self._clock_s()
        if len(text) > self._timing.max_message_bytes:
            self._lose(f"a message of {len(text)} bytes", drop="too large")
            return
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            self._lose(f"a message that is not JSON: {bytes(text[:80])!r}", drop="not JSON")
            return
        if not isinstance(message, dict):
            self._lose("a message that is no object", drop="not JSON")
            return
        topic = message.get("topic")
        if isinstance(topic, str):
            self._on_data(topic, message)
        else:
            self._on_answer(message)

    def _on_data(self, topic: str, message: Message) -> None:
        asked = self._asked.get(topic)
        if asked is None:
            self._tally.drop("not wanted")
            return
        if asked.data_s is None and message.get("type") == "delta":
            self._tally.drop("delta before snapshot")
            return
        asked.data_s = self._text_s
        self._tally.last_data_s = self._text_s + self._excused_s
        if not asked.is_live:
            self._make_live(topic, asked)
        self._calls.message(topic, message)

    def _on_answer(self, message: Message) -> None:
        op = message.get("op")
        is_granted = message.get("success") is True or message.get("retCode") == 0
        request = self._take_request(message)
        if request is not None:
            if is_granted:
                self._on_granted(request.topics)
            else:
                self._on_refused(request.topics, str(message.get("ret_msg", "")))
        elif op == "auth" and self._auth is not None and not self._may_ask:
            self._on_auth(message, is_granted=is_granted)
        elif op not in ("ping", "pong", "unsubscribe"):
            self._tally.drop_loudly("unknown answer", str(message)[:200])

    def _take_request(self, message: Message) -> _Request | None:
        req_id = str(message.get("req_id") or "")
        if not req_id and message.get("op") == "subscribe" and len(self._requests) == 1:
            req_id = next(iter(self._requests))
        return self._requests.pop(req_id, None)

    def _on_auth(self, message: Message, *, is_granted: bool) -> None:
        if is_granted:
            self._tally.denied = None
            self._may_ask = True
            self._ask()
            return
        error = AccessDeniedError(f"the venue refused our login: {message.get('ret_msg')!r}")
        is_news = self._tally.denied is None
        self._tally.denied = self._end = error
        if is_news:
            self._calls.denied(error)

    def _on_granted(self, topics: Iterable[str]) -> None:
        for topic in topics:
            self._tally.refused.pop(topic, None)
            asked = self._asked.get(topic)
            may_be_silent = self._timing.patience_s(topic) is None
            if asked is not None and not asked.is_live and may_be_silent:
                self._make_live(topic, asked)

    def _on_refused(self, topics: tuple[str, ...], words: str) -> None:
        # One bad topic has the whole request refused, so the others are asked for without it.
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
        self._ask_again_s[topic] = self._clock_s() + self._timing.slow_retry_s
        self._tally.refused[topic] = words
        self._tally.drop_loudly("topic refused", f"{topic}: {words}")

    def _make_live(self, topic: str, asked: _Asked) -> None:
        asked.is_live = True
        self._tally.live |= {topic}
        self._calls.connected(topic, time.monotonic() - asked.wish.down_since_s)

    # Passing time.

    def _clock_s(self) -> float:
        """Return monotonic time without the time in which this thread did not listen."""
        return time.monotonic() - self._excused_s

    def _tick(self, now_s: float) -> None:
        if self._is_closing():
            self._end = _LostError("closed")
            return
        self._excused_s += max(0.0, now_s - self._ticked_s - self._timing.tick_s)
        self._ticked_s = now_s
        clock_s = self._clock_s()
        self._check_answers(clock_s)
        self._check_silence(clock_s)
        if self._end is None:
            self._ping(clock_s)
            self._ask()

    def _check_answers(self, clock_s: float) -> None:
        patience_s = self._timing.answer_s
        if not self._may_ask and clock_s - self._auth_s > patience_s:
            self._lose("no answer to the login")
        if self._text_s < self._ping_s < clock_s - patience_s:
            self._lose("no answer to a ping")
        for req_id, request in list(self._requests.items()):
            if clock_s - request.sent_s <= patience_s:
                continue
            del self._requests[req_id]
            if not all(self._is_proven(topic) for topic in request.topics):
                self._lose("no answer to a subscription")

    def _is_proven(self, topic: str) -> bool:
        """Data prove a subscription as well as an answer does."""
        asked = self._asked.get(topic)
        return asked is None or asked.is_live

    def _check_silence(self, clock_s: float) -> None:
        silent = {
            topic: clock_s - (asked.asked_s if asked.data_s is None else asked.data_s)
            for topic, asked in self._asked.items()
        }
        patience = {topic: self._timing.patience_s(topic) for topic in silent}
        watched = {topic: most_s for topic, most_s in patience.items() if most_s is not None}
        if watched and all(silent[topic] > most_s for topic, most_s in watched.items()):
            self._lose(f"no data for {min(silent[topic] for topic in watched):.1f} s")
            return
        for topic, most_s in watched.items():
            # While others flow, a topic that stays silent disturbs them ever more rarely.
            wish = self._asked[topic].wish
            if silent[topic] > most_s * 2.0 ** min(wish.silences, 6):
                wish.silences += 1
                self._lose(f"no data of {topic} for {silent[topic]:.1f} s")
                return
            if silent[topic] < most_s < clock_s - self._asked[topic].asked_s:
                wish.silences = 0

    def _lose(self, reason: str, *, drop: str | None = None) -> None:
        if drop is not None:
            self._tally.drop(drop)
        if self._end is None:
            self._end = _LostError(reason)

    # Sending.

    def _ping(self, clock_s: float) -> None:
        is_answered = self._text_s >= self._ping_s
        if is_answered and clock_s - self._ping_s >= self._timing.ping_s:
            self._ping_s = clock_s
            self._send({"op": "ping"})
            if self._socket is not None:
                self._socket.ping()

    def _send(self, message: Message) -> None:
        self._app.send(orjson.dumps(message).decode())

    def _ask(self) -> None:
        """Ask for what is wanted and was not asked for; let go of what is wanted no longer."""
        if not self._may_ask:
            return
        wishes = self._wishes.now()
        unwanted = [t for t, asked in self._asked.items() if wishes.get(t) is not asked.wish]
        for topic in unwanted:
            del self._asked[topic]
        self._tally.live -= frozenset(unwanted)
        for part in _parts(unwanted):
            self._send({"op": "unsubscribe", "args": list(part), "req_id": self._next_id()})
        clock_s = self._clock_s()
        for topic in self._ask_again_s.keys() - wishes.keys():
            del self._ask_again_s[topic]
            self._tally.refused.pop(topic, None)
        missing = [
            topic
            for topic in wishes
            if topic not in self._asked and self._ask_again_s.get(topic, clock_s) <= clock_s
        ]
        for topic in missing:
            self._asked[topic] = _Asked(wishes[topic], clock_s)
        for part in _parts(missing):
            self._request(part)

    def _request(self, topics: tuple[str, ...]) -> None:
        req_id = self._next_id()
        self._requests[req_id] = _Request(topics, self._clock_s())
        self._send({"op": "subscribe", "args": list(topics), "req_id": req_id})

    def _next_id(self) -> str:
        self._sent += 1
        return str(self._sent)

    # The end.

    def _shut(self) -> None:
        if self._socket is None:
            return
        if self._socket.connected:
            with suppress(Exception):  # a courtesy to the venue, which may be gone
                self._socket.settimeout(min(1.0, self._timing.connect_s))
                self._socket.send_close()
        self._close_socket()

    def _close_socket(self) -> None:
        if self._socket is not None:
            self._socket.shutdown()  # type: ignore[no-untyped-call]

    def _mourn(self, reason: str) -> None:
        self._tally.live = frozenset()
        for topic, asked in self._asked.items():
            if asked.is_live:
                asked.wish.down_since_s = time.monotonic()
                if not self._is_closing():
                    self._calls.lost(topic, reason)


def _parts(topics: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the topics in requests whose args are not longer than the venue reads."""
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
