"""How many messages a second one connection and many connections carry, parsed."""

import random
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import orjson
import websocket
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from infra.net.pool import ConnectionPool
from infra.net.stream import Stream
from infra.net.timing import StreamTiming
from infra.venues.bybit.public_stream import PublicStream

MESSAGES = 150_000
ASSETS = 600
PER_SECOND = 10
PACED_S = 5.0
PATIENT = StreamTiming(stale_s={}, tick_s=0.5)


def measure(_candles: Path) -> Iterator[tuple[str, str, str]]:
    """Yield rates of one connection that never pauses, and the load of a paced market."""
    with Server("flood") as url:
        yield "bare websocket-client, no parsing", _rate(_bare(url)), ""
        yield "one stream, JSON parsed", _rate(_stream(url)), ""
        yield "one stream, tickers as values", _rate(_tickers(url)), ""
    for connections in (1, 20):
        with Server("pace") as url:
            what = f"{ASSETS} tickers at {PER_SECOND}/s over {connections} connections"
            yield what, _paced(url, connections), "p99 <= 5 ms, <= 1 core"


def _rate(seconds: float) -> str:
    return f"{MESSAGES / seconds:,.0f} messages/s"


def _bare(url: str) -> float:
    counter = _Counter()

    def on_message(app: websocket.WebSocketApp, _: bytes) -> None:
        counter.count()
        if counter.is_done.is_set():
            app.close()

    app = websocket.WebSocketApp(
        url, on_open=lambda a: a.send(_subscription("tickers.S0USDT")), on_message=on_message
    )
    app.run_forever(skip_utf8_validation=True)
    return counter.seconds()


def _stream(url: str) -> float:
    counter = _Counter()
    stream = Stream(
        url,
        ("tickers.S0USDT",),
        lambda _topic, _message: counter.count(),
        lambda _topic, _down_s: None,
        lambda _topic, _reason: None,
        rng=random.Random(0),
        timing=PATIENT,
    )
    stream.start()
    seconds = counter.seconds()
    stream.close()
    stream.join(10.0)
    return seconds


def _tickers(url: str) -> float:
    counter = _Counter()
    pool = ConnectionPool(url, rng=random.Random(0), timing=PATIENT)
    PublicStream(pool, candle_minutes=5).tickers("S0USDT", lambda _: counter.count())
    seconds = counter.seconds()
    pool.close()
    return seconds


class _Counter:
    """Times from the first message to the last."""

    def __init__(self) -> None:
        self.is_done = threading.Event()
        self._left = MESSAGES
        self._began_s = 0.0
        self._ended_s = 0.0

    def count(self) -> None:
        if self._left == MESSAGES:
            self._began_s = time.perf_counter()
        self._left -= 1
        if self._left == 0:
            self._ended_s = time.perf_counter()
            self.is_done.set()

    def seconds(self) -> float:
        assert self.is_done.wait(120.0)
        return self._ended_s - self._began_s


def _paced(url: str, connections: int) -> str:
    late_ms: list[float] = []
    pool = ConnectionPool(url, rng=random.Random(0), max_connections=connections, timing=PATIENT)
    market = PublicStream(pool, candle_minutes=5)
    for number in range(ASSETS):
        # The server writes its own monotonic clock, which all processes of a machine share.
        market.tickers(
            f"S{number}USDT",
            lambda ticker: late_ms.append(time.monotonic() * 1000 - ticker.ts_ms),
        )
    while len(late_ms) < ASSETS:
        time.sleep(0.1)
    late_ms.clear()
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    time.sleep(PACED_S)
    cores = (time.process_time() - began_cpu_s) / (time.perf_counter() - began_s)
    found = sorted(late_ms)
    pool.close()
    p50, p99 = (found[int(len(found) * share)] for share in (0.5, 0.99))
    return f"{len(found) / PACED_S:,.0f}/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms, {cores:.2f} cores"


# The server is a process of its own, so that it takes nothing of the measured one's time.


class Server:
    """Sends tickers; a context manager that returns its address."""

    def __init__(self, kind: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.streams", kind],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[2],
        )

    def __enter__(self) -> str:
        assert self._process.stdout is not None
        return f"ws://127.0.0.1:{int(self._process.stdout.readline())}/v5/public/linear"

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def _subscription(topic: str) -> str:
    return orjson.dumps({"op": "subscribe", "args": [topic], "req_id": "1"}).decode()


def _frame(topic: str, kind: str, ts_ms: int) -> bytes:
    prices = {"lastPrice": "66666.60", "markPrice": "66666.61", "indexPrice": "115418.19"}
    books = {"bid1Price": "66666.60", "bid1Size": "23789.165", "ask1Price": "66666.70"}
    data = {"symbol": topic.rpartition(".")[2], **prices, **books, "ask1Size": "23775.469"}
    message = {"topic": topic, "type": kind, "data": data, "cs": 9532239429, "ts": ts_ms}
    text = orjson.dumps(message)
    return b"\x81\x7e" + struct.pack("!H", len(text)) + text


def _flood(connection: ServerConnection) -> None:
    with suppress(ConnectionClosed, OSError):
        topic = orjson.loads(connection.recv())["args"][0]
        connection.socket.sendall(_frame(topic, "snapshot", 1))
        block = _frame(topic, "delta", 1) * 500
        for _ in range(MESSAGES // 500 + 1):
            connection.socket.sendall(block)
        connection.recv()


def _pace(connection: ServerConnection) -> None:
    """Send each topic of the connection ten times a second, spread over the time between."""
    topics: list[str] = []
    with suppress(ConnectionClosed, OSError):
        due_s = time.monotonic()
        while True:
            with suppress(TimeoutError):
                request = orjson.loads(connection.recv(timeout=max(0.0, due_s - time.monotonic())))
                if request["op"] == "subscribe":
                    topics += request["args"]
                    for topic in request["args"]:
                        connection.socket.sendall(_frame(topic, "snapshot", 1))
                continue
            due_s += 1.0 / PER_SECOND / 10
            turn = int(due_s * PER_SECOND * 10) % 10
            for topic in topics[turn::10]:
                frame = _frame(topic, "delta", int(time.monotonic() * 1000))
                connection.socket.sendall(frame)


def _serve(kind: str) -> None:
    handler = {"flood": _flood, "pace": _pace}[kind]
    with serve(handler, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        print(server.socket.getsockname()[1], flush=True)
        server.serve_forever()


if __name__ == "__main__":
    _serve(sys.argv[1])
