"""One connection, from the handshake to its end."""

import selectors
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

import orjson
import websocket

from domain.errors import AccessDeniedError
from infra.net.callbacks import Message, StreamCallbacks
from infra.net.stream_stats import Tally, words_of
from infra.net.subscriptions import Subscriptions
from infra.net.timing import ListeningClock, StreamTiming
from infra.net.topics import TopicSubscriptions, Waker


class LostError(Exception):
    """A connection was given up on our side."""


class Dispatcher:
    """Replaces websocket-client's own loop.

    So reading, pinging and watching share one thread, and a slow callback cannot be mistaken for a
    slow venue.
    """

    def __init__(self, loop: Callable[[socket.socket, Callable[[], bool]], None]) -> None:
        """Run the given loop instead of websocket-client's."""
        self._loop = loop

    def read(self, sock: socket.socket, read: Callable[[], bool]) -> None:
        """Run the loop to its end."""
        self._loop(sock, read)

    def buffwrite(self, sock: socket.socket, data: bytes, *_: object) -> None:
        """Send at once."""
        sock.sendall(data)

    def signal(self, *_: object) -> None:
        """Leave the process's signals alone."""

    def abort(self) -> None:
        """Only passed to `signal`."""


class Connection:
    """One connection, from the handshake to its end. Its thread is the stream's."""

    def __init__(
        self,
        url: str,
        *,
        auth: Callable[[], list[object]] | None,
        timing: StreamTiming,
        wanted: TopicSubscriptions,
        calls: StreamCallbacks,
        tally: Tally,
        waker: Waker,
        is_closing: Callable[[], bool],
        ssl_context: ssl.SSLContext | None,
    ) -> None:
        """Take the arguments of `Stream`; nothing is connected yet."""
        self._auth = auth
        self._timing = timing
        self._calls = calls
        self._tally = tally
        self._waker = waker
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
        self._clock = ListeningClock(timing.tick_s)
        self._subscriptions = Subscriptions(
            wanted, self._send, timing=timing, clock=self._clock, calls=calls, tally=tally
        )
        self._may_ask = False
        self._auth_s = 0.0
        self._text_s = 0.0
        self._ping_s = 0.0

    @property
    def lasted_s(self) -> float:
        """How long it was open."""
        return 0.0 if self._opened_s is None else self._clock.real_s() - self._opened_s

    def run(self) -> BaseException:
        """Connect, run, and return what ended the connection."""
        self._tally.attempts += 1
        try:
            self._app.run_forever(
                dispatcher=Dispatcher(self._loop),
                skip_utf8_validation=True,  # orjson checks it a hundred times faster
                sslopt=self._ssl_options,
            )
        finally:
            self._shut()
            end = self._end or LostError("the connection ended without a reason")
            self._subscriptions.mourn(words_of(end), is_told=not self._is_closing())
        return end

    def interrupt(self) -> None:
        """Wake up a thread that is still connecting; from any thread."""
        if self._opened_s is None:
            connecting = None if self._socket is None else self._socket.sock
            if connecting is not None:
                with suppress(OSError):
                    connecting.shutdown(socket.SHUT_RDWR)

    # websocket-client calls these.

    def _before_connect(self) -> list[str]:
        # The only moment at which a single connection can be given a time-out: without it a
        # silent peer could block connecting, the handshake or half a frame forever.
        self._socket = self._app.sock
        if self._socket is not None:
            self._socket.settimeout(self._timing.connect_s)
        return []

    def _on_open(self, _: websocket.WebSocketApp) -> None:
        self._clock.start()
        self._opened_s = self._clock.real_s()
        self._text_s = self._ping_s = self._auth_s = self._clock.now_s()
        self._tally.connects += 1
        if self._auth is None:
            self._may_ask = True
        else:
            self._send({"op": "auth", "args": self._auth()})

    def _on_error(self, _: websocket.WebSocketApp, error: BaseException) -> None:
        if self._end is None:
            self._end = error
        # Otherwise websocket-client would send a close and wait 3 s for a broken peer's answer.
        self._close_socket()

    def _loop(self, sock: socket.socket, read: Callable[[], bool]) -> None:
        receiver = self._waker.receiver()
        pending: Callable[[], int] = getattr(sock, "pending", lambda: 0)
        next_tick_s = 0.0
        with selectors.DefaultSelector() as selector:
            selector.register(sock, selectors.EVENT_READ)
            if receiver is not None:
                selector.register(receiver, selectors.EVENT_READ)
            while self._end is None:
                if (real_s := self._clock.real_s()) >= next_tick_s:
                    self._tick(real_s)
                    next_tick_s = real_s + self._timing.tick_s
                    continue
                is_readable = pending() > 0
                for key, _ in () if is_readable else selector.select(self._timing.tick_s):
                    if key.fileobj is sock:
                        is_readable = True
                    else:
                        self._waker.clear()
                        next_tick_s = 0.0
                if is_readable:
                    read()

    # Receiving.

    def _on_text(self, _: websocket.WebSocketApp, text: bytes) -> None:
        self._tally.messages += 1
        self._text_s = self._clock.now_s()
        if len(text) > self._timing.max_message_bytes:
            self._lose(f"a message of {len(text)} bytes", drop="too large")
            return
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            self._lose(f"a message that is not JSON: {bytes(text[:80])!r}", drop="not JSON")
            return
        if not isinstance(message, dict):
            self._lose("a message that is not an object", drop="not JSON")
            return
        topic = message.get("topic")
        if isinstance(topic, str):
            self._subscriptions.on_data(topic, message, self._text_s)
        else:
            self._on_answer(message)

    def _on_answer(self, message: Message) -> None:
        op = message.get("op")
        is_granted = message.get("success") is True or message.get("retCode") == 0
        if self._subscriptions.on_answer(message, is_granted=is_granted):
            return
        if op == "auth" and self._auth is not None and not self._may_ask:
            self._on_auth(message, is_granted=is_granted)
        elif op not in ("ping", "pong", "unsubscribe"):
            self._tally.drop_loudly("unknown answer", str(message)[:200])

    def _on_auth(self, message: Message, *, is_granted: bool) -> None:
        if is_granted:
            self._tally.denied = None
            self._may_ask = True
            self._subscriptions.ask()
            return
        # A login may be refused under either name.
        reason = message.get("ret_msg") or message.get("retMsg")
        error = AccessDeniedError(f"the venue refused our login: {reason!r}")
        is_news = self._tally.denied is None
        self._tally.denied = self._end = error
        if is_news:
            self._calls.denied(error)

    # Time-outs.

    def _tick(self, real_s: float) -> None:
        if self._is_closing():
            self._end = LostError("closed")
            return
        self._clock.tick(real_s)
        clock_s = self._clock.now_s()
        reason = self._unanswered(clock_s) or self._subscriptions.why_lost()
        if reason is not None:
            self._lose(reason)
            return
        self._ping(clock_s)
        if self._may_ask:
            self._subscriptions.ask()

    def _unanswered(self, clock_s: float) -> str | None:
        patience_s = self._timing.answer_s
        if not self._may_ask and clock_s - self._auth_s > patience_s:
            return "no answer to the login"
        if self._text_s < self._ping_s < clock_s - patience_s:
            return "no answer to a ping"
        return None

    def _lose(self, reason: str, *, drop: str | None = None) -> None:
        if drop is not None:
            self._tally.drop(drop)
        if self._end is None:
            self._end = LostError(reason)

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

    # Closing.

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
