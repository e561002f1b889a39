"""A small WebSocket server on loopback that speaks Bybit's stream protocol and can misbehave."""

import queue
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from itertools import count
from pathlib import Path
from typing import Any

import orjson
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

WAIT_S = 15.0
"""How long a test waits for what must happen."""

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: closing the socket sends RST, not FIN."""

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
"""Where the venue's own examples lie; the fixture `shared_data` says so where they do not."""


def kline(symbol="BTCUSDT", start=1_672_324_800_000, *, confirm=True, **changes):
    item = {
        "start": start,
        "end": start + 299_999,
        "interval": "5",
        "open": "16649.5",
        "close": "16677",
        "high": "16677",
        "low": "16608",
        "volume": "2.081",
        "turnover": "34666.4005",
        "confirm": confirm,
        "timestamp": start + 300_000,
        **changes,
    }
    return {
        "topic": f"kline.5.{symbol}",
        "data": [item],
        "ts": start + 300_000,
        "type": "snapshot",
    }


def ticker(symbol="BTCUSDT", kind="snapshot", ts=1_672_324_800_000, **changes):
    return {
        "topic": f"tickers.{symbol}",
        "type": kind,
        "data": {"symbol": symbol, **changes},
        "cs": 1,
        "ts": ts,
    }


class Client:
    """One connection, as the server has it."""

    def __init__(self, connection: ServerConnection, number: int) -> None:
        self.number = number
        self.requests: queue.Queue[dict] = queue.Queue()
        self.connection = connection

    def send(self, message: dict | str | bytes) -> None:
        text = orjson.dumps(message).decode() if isinstance(message, dict) else message
        self.connection.send(text)

    def send_raw(self, data: bytes) -> None:
        """Put bytes on the wire that are no whole frame."""
        self.connection.socket.sendall(data)

    def cut(self) -> None:
        """Break the connection without a goodbye."""
        self.connection.socket.shutdown(socket.SHUT_RDWR)

    def close(self, code: int = 1001) -> None:
        self.connection.close(code)

    def next_request(self, op: str) -> dict:
        """Return the next request of a kind, letting others pass by."""
        while True:
            request = self.requests.get(timeout=WAIT_S)
            if request["op"] == op:
                return request


class StreamServer:
    """Answers as Bybit does, unless a test replaces an answer."""

    def __init__(self, *, port: int = 0, ssl_context=None) -> None:
        self.clients: queue.Queue[Client] = queue.Queue()
        self.all_clients: list[Client] = []
        self.handshakes = 0
        self.refuse_handshakes: list[HTTPStatus] = []
        """Answers to the next handshakes instead of a connection."""
        self.unknown_topics: set[str] = set()
        self.answers: dict[str, Callable[[Client, dict], None]] = {
            "auth": self.grant_auth,
            "subscribe": self.grant,
            "unsubscribe": self.acknowledge,
            "ping": self.pong,
        }
        self.on_subscribed: Callable[[Client, str], None] = lambda _client, _topic: None
        """Called for each granted topic, after the answer."""
        self._numbers = count(1)
        self._server = serve(
            self._serve,
            "127.0.0.1",
            port,
            process_request=self._on_handshake,
            compression=None,
            ssl=ssl_context,
            ping_interval=None,
            close_timeout=0.2,
            max_size=None,
        )
        self.port = self._server.socket.getsockname()[1]
        scheme = "ws" if ssl_context is None else "wss"
        self.url = f"{scheme}://127.0.0.1:{self.port}/v5/public/linear"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def next_client(self) -> Client:
        return self.clients.get(timeout=WAIT_S)

    def stop(self) -> None:
        for client in self.all_clients:
            with suppress(OSError):
                client.cut()
        self._server.shutdown()
        self._thread.join(WAIT_S)

    # Answers.

    def grant_auth(self, client: Client, _: dict) -> None:
        client.send({"success": True, "ret_msg": "", "op": "auth", "conn_id": "c"})

    def deny_auth(self, client: Client, _: dict) -> None:
        client.send({"success": False, "ret_msg": "Params Error", "op": "auth", "conn_id": "c"})

    def grant(self, client: Client, request: dict) -> None:
        unknown = [topic for topic in request["args"] if topic in self.unknown_topics]
        if unknown:
            # The whole request is refused.
            words = f"error:handler not found,topic:{unknown[0]}"
            client.send(self.answer(request, success=False, ret_msg=words))
            return
        self.acknowledge(client, request)
        for topic in request["args"]:
            self.on_subscribed(client, topic)

    def acknowledge(self, client: Client, request: dict) -> None:
        client.send(self.answer(request))

    def pong(self, client: Client, _: dict) -> None:
        client.send({"success": True, "ret_msg": "pong", "req_id": "", "op": "ping"})

    def silence(self, client: Client, request: dict) -> None:
        pass

    @staticmethod
    def answer(request: dict, *, success: bool = True, ret_msg: str = "") -> dict:
        return {
            "success": success,
            "ret_msg": ret_msg,
            "conn_id": "c",
            "req_id": request.get("req_id", ""),
            "op": request["op"],
        }

    # The server's threads.

    def _on_handshake(self, connection: ServerConnection, _: Request) -> Response | None:
        self.handshakes += 1
        if self.refuse_handshakes:
            return connection.respond(self.refuse_handshakes.pop(0), "no")
        return None

    def _serve(self, connection: ServerConnection) -> None:
        client = Client(connection, next(self._numbers))
        self.all_clients.append(client)
        self.clients.put(client)
        with suppress(ConnectionClosed, OSError):
            for text in connection:
                request = orjson.loads(text)
                client.requests.put(request)
                self.answers[request["op"]](client, request)


class RestTransport:
    """A TCP relay in front of a server that can freeze or reset what runs through it."""

    def __init__(self, port: int) -> None:
        self._to_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._flows = threading.Event()
        self._flows.set()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def freeze(self) -> None:
        """Pass nothing on any more, and keep all connections open."""
        self._flows.clear()

    def thaw(self) -> None:
        self._flows.set()

    def reset(self) -> None:
        """Break all connections by RST."""
        for end in self._taken():
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                end.shutdown(socket.SHUT_RD)
            end.close()

    def stop(self) -> None:
        self.thaw()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join(WAIT_S)
        ends = self._taken()
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(WAIT_S)
        for end in ends:
            end.close()

    def _taken(self) -> list[socket.socket]:
        with self._lock:
            taken, self._sockets = self._sockets, []
            return taken

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to_port))
                with self._lock:
                    self._sockets += [near, far]
                for source, sink in ((near, far), (far, near)):
                    thread = threading.Thread(target=self._pump, args=(source, sink), daemon=True)
                    self._threads.append(thread)
                    thread.start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._flows.wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)


class Ear:
    """Remembers what a stream tells, for a test to wait for."""

    def __init__(self) -> None:
        self.heard: queue.Queue[tuple] = queue.Queue()

    def on_message(self, topic: str, message: dict) -> None:
        self.heard.put(("message", topic, message))

    def on_connected(self, topic: str, down_s: float) -> None:
        self.heard.put(("connected", topic, down_s))

    def on_lost(self, topic: str, reason: str) -> None:
        self.heard.put(("lost", topic, reason))

    def on_denied(self, error: Exception) -> None:
        self.heard.put(("denied", "", error))

    def expect(self, what: str) -> tuple:
        """Return the next news of a kind, letting others pass by."""
        while True:
            news = self.heard.get(timeout=WAIT_S)
            if news[0] == what:
                return news

    def hush(self) -> list[tuple]:
        """Return all that was heard and not yet read."""
        found = []
        with suppress(queue.Empty):
            while True:
                found.append(self.heard.get_nowait())
        return found


class Account(Ear):
    """Remembers what an account's stream tells."""

    def on_order(self, asset: str, update: object) -> None:
        self.heard.put(("order", asset, update))

    def on_execution(self, execution: Any) -> None:
        self.heard.put(("execution", execution.asset, execution))

    def on_position(self, asset: str, position: object) -> None:
        self.heard.put(("position", asset, position))

    def on_unreadable(self, topic: str) -> None:
        self.heard.put(("unreadable", topic))

    def on_connected(self, down_s: float) -> None:
        self.heard.put(("connected", "", down_s))

    def on_lost(self, reason: str) -> None:
        self.heard.put(("lost", "", reason))


def until(is_true: Callable[[], object], what: str = "it") -> None:
    """Wait for what no queue tells."""
    tick = threading.Event()
    for _ in range(int(WAIT_S / 0.01)):
        if is_true():
            return
        tick.wait(0.01)
    message = f"{what} did not happen within {WAIT_S} s"
    raise AssertionError(message)
