"""A small venue over HTTP on loopback that accepts orders and then fails in every way asked."""

import hashlib
import hmac
import json
import random
import socket
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

from infra.net.rate_limiter import Limiter
from infra.net.server_clock import ServerClock
from infra.venues.bybit.credentials import Credentials
from infra.venues.bybit.http.client import Patience
from infra.venues.bybit.limits import BYBIT_RATES
from infra.venues.bybit.rest import BybitRest

KEY, SECRET = "the-api-key-of-the-tests", "the-api-secret-of-the-tests"
START_MS = 1_700_000_000_000
CREATE = "/v5/order/create"


class FakeTime:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.slept: list[float] = []

    def monotonic_s(self) -> float:
        return self.now_s

    def sleep(self, for_s: float) -> None:
        self.slept.append(for_s)
        self.now_s += for_s


@dataclass(frozen=True, kw_only=True)
class Fault:
    """How one request is answered, after an order was accepted or not."""

    accepts: bool = True
    status: int = 200
    code: int = 0
    text: str = "as asked"
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cuts: bool = False
    """The connection is cut instead of an answer."""
    raw: bytes | None = None
    """Sent instead of HTTP."""
    waits: bool = False
    """The answer comes when the test is over."""


@dataclass(frozen=True, kw_only=True)
class Request:
    method: str
    path: str
    query: dict[str, object]
    headers: dict[str, str]

    @property
    def is_private(self) -> bool:
        return "x-bapi-sign" in self.headers and not self.path.startswith("/v5/market/")


class RestServer:
    """The venue's state, and what is to go wrong."""

    def __init__(self) -> None:
        self.time = FakeTime()
        self.skew_ms = 0
        """The venue's clock minus ours."""
        self.requests: list[Request] = []
        self.orders: dict[str, dict[str, object]] = {}
        self.accepted = 0
        self.faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self.results: dict[str, Callable[[dict[str, object]], object]] = {}
        self.over = threading.Event()
        self.url = ""

    def now_ms(self) -> int:
        return START_MS + int(self.time.now_s * 1000) + self.skew_ms

    def fail(self, path: str, *faults: Fault) -> None:
        self.faults[path].extend(faults)

    def answer(self, path: str, *results: object) -> None:
        """Answer with these results in turn, then with the last for ever."""
        waiting = deque(results)
        self.results[path] = lambda _: waiting.popleft() if len(waiting) > 1 else waiting[0]

    def count(self, path: str) -> int:
        return sum(request.path == path for request in self.requests)

    def last(self, path: str) -> dict[str, object]:
        return next(r.query for r in reversed(self.requests) if r.path == path)

    def reply(self, request: Request, raw: str) -> tuple[Fault, object]:
        """Return how to answer, and with which result."""
        self.requests.append(request)
        fault = self.faults[request.path].popleft() if self.faults[request.path] else None
        refusal = self._refusal(request, raw)
        if refusal is not None:
            return refusal, {}
        if request.path == CREATE and (fault is None or fault.accepts):
            refusal = self._accept(request.query)
            if refusal is not None:
                return refusal, {}
        if fault is not None:
            return fault, {}
        return Fault(text="OK"), self._result(request)

    def _refusal(self, request: Request, raw: str) -> Fault | None:
        if request.path.startswith("/v5/market/"):
            return None
        stamp = int(request.headers["x-bapi-timestamp"])
        window = int(request.headers["x-bapi-recv-window"])
        if not self.now_ms() - window <= stamp < self.now_ms() + 1000:
            return Fault(code=10002, text="check your timestamp or recv_window")
        signed = f"{stamp}{request.headers['x-bapi-api-key']}{window}{raw}"
        wanted = hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(wanted, request.headers["x-bapi-sign"]):
            return Fault(code=10004, text=f"error sign! origin_string[{signed}]")
        return None

    def _accept(self, query: dict[str, object]) -> Fault | None:
        name = str(query["orderLinkId"])
        if name in self.orders:
            return Fault(code=110072, text="OrderLinkedID is duplicate")
        self.orders[name] = query
        self.accepted += 1
        return None

    def _result(self, request: Request) -> object:
        if request.path in self.results:
            return self.results[request.path](request.query)
        if request.path == "/v5/market/time":
            return {"timeSecond": str(self.now_ms() // 1000), "timeNano": f"{self.now_ms()}000000"}
        if request.path == CREATE:
            name = request.query["orderLinkId"]
            return {"orderId": f"venue-{name}", "orderLinkId": name}
        if request.method == "GET":
            return {"list": [], "nextPageCursor": ""}
        return {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet for each answer
    venue: RestServer

    def do_GET(self) -> None:
        path, _, raw = self.path.partition("?")
        self._answer("GET", path, raw, dict(parse_qsl(raw)))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self._answer("POST", self.path, body, json.loads(body))

    def _answer(self, method: str, path: str, raw: str, query: dict[str, object]) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(method=method, path=path, query=query, headers=headers)
        fault, result = self.venue.reply(request, raw)
        if fault.waits:
            self.venue.over.wait(10)
        if fault.cuts or fault.waits:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif fault.raw is not None:
            self.close_connection = True
            self.wfile.write(fault.raw)
        else:
            self._write(fault, result)

    def _write(self, fault: Fault, result: object) -> None:
        envelope = {"retCode": fault.code, "retMsg": fault.text, "result": result}
        envelope |= {"retExtInfo": {}, "time": self.venue.now_ms()}
        body = json.dumps(envelope).encode() if fault.body is None else fault.body
        self.send_response(fault.status)
        for name, value in {**fault.headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        pass


@contextmanager
def running_server() -> Iterator[RestServer]:
    venue = RestServer()
    handler = type("Handler", (_Handler,), {"venue": venue})
    server = _Server(("127.0.0.1", 0), handler)
    venue.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield venue
    finally:
        venue.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def client_of(venue: RestServer, **other: object) -> Iterator[BybitRest]:
    """Run a client whose clocks and sleeps are the venue's fake time."""
    fake = venue.time
    arguments: dict[str, object] = {
        "credentials": Credentials(api_key=KEY, api_secret=SECRET),
        "base_url": venue.url,
        "limiter": Limiter(BYBIT_RATES, monotonic_s=fake.monotonic_s, sleep=fake.sleep),
        "clock": ServerClock(
            monotonic_s=fake.monotonic_s, wall_s=lambda: START_MS / 1000 + fake.now_s
        ),
        "rng": random.Random(1),
        "patience": replace(Patience(), connect_s=2.0, answer_s=0.2),
        "monotonic_s": fake.monotonic_s,
        "sleep": fake.sleep,
    }
    rest = BybitRest(**(arguments | other))
    try:
        yield rest
    finally:
        rest.close()


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait for another thread, a few seconds at most."""
    end_s = time.monotonic() + 5
    while not is_so():
        assert time.monotonic() < end_s
        time.sleep(0.001)
