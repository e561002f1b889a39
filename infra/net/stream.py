"""One WebSocket connection that recovers from every failure, on one thread of its own.

Nothing is buffered from one connection to the next: each subscribes anew to the topics wanted at
that moment. What was missed meanwhile is read by REST, by the receiver of `on_connected`.
"""

import ssl
import threading
from collections.abc import Callable, Iterable
from random import Random

import websocket
from loguru import logger

from domain.errors import AccessDeniedError
from infra.net.callbacks import Message, StreamCallbacks
from infra.net.connection import Connection
from infra.net.stream_stats import StreamStats, Tally, words_of
from infra.net.timing import StreamTiming
from infra.net.topics import TopicSubscriptions, Waker

_HTTP_BANNED = 403
_HTTP_OVERLOADED = 429


class Stream:
    """A persistent connection: only `close` ends it.

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
            topics: to subscribe to from the first connection on.
            on_message: gets a topic and each of its messages.
            on_connected: gets a topic that is live (again), before its first message, and the
                seconds for which it was not. Proof is its first message, not a delta; for a topic
                that may be silent, the acknowledgement.
            on_lost: gets each live topic that stops, and why; not called by `close`.
            rng: for the jitter.
            auth: makes the arguments of a login, signed anew for each connection.
            on_denied: called when the venue starts to refuse the credentials.
            timing: time limits.
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
        self._tally = Tally(name)
        self._calls = StreamCallbacks(on_message, on_connected, on_lost, on_denied, self._tally)
        self._waker = Waker()
        self._wanted = TopicSubscriptions(self._waker)
        self._closing = threading.Event()
        self._connection: Connection | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        for topic in topics:
            self._wanted.add(topic)

    def start(self) -> None:
        """Start to connect; once."""
        self._thread.start()

    def add(self, topic: str) -> None:
        """Subscribe to a topic. An existing subscription is renewed, with a fresh proof."""
        self._wanted.add(topic)

    def remove(self, topic: str) -> None:
        """Unsubscribe from a topic."""
        self._wanted.remove(topic)

    def stats(self) -> StreamStats:
        """Return the counters; from any thread."""
        return self._tally.stats()

    def close(self) -> None:
        """Stop, without waiting; from any thread; may be called twice."""
        self._closing.set()
        connection = self._connection
        if connection is not None:
            connection.interrupt()
        self._waker.wake()

    def join(self, timeout_s: float) -> bool:
        """Wait for the end of the thread after `close`, and return whether it has ended."""
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # The thread.

    def _run(self) -> None:
        self._waker.open()
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
            self._tally.last_end = words_of(end)
            logger.warning("{}: {}; next try in {:.1f} s", self._tally.name, words_of(end), wait_s)
        self._waker.close()

    def _connect_once(self) -> tuple[BaseException, float]:
        connection = Connection(
            self._url,
            auth=self._auth,
            timing=self._timing,
            wanted=self._wanted,
            calls=self._calls,
            tally=self._tally,
            waker=self._waker,
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
