"""A server before the simulated exchange: it answers oddly where it is told to, else as it does."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Odd:
    """An answer that the exchange does not give."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Front:
    """Passes requests on, and counts them."""

    def __init__(self, behind: str) -> None:
        self.behind = urlsplit(behind).netloc
        self.url = ""
        self.asked: Counter[str] = Counter()
        """How often each path was asked."""
        self.once_each: dict[str, Odd] = {}
        """What the next request of a path gets."""
        self.always: Odd | None = None

    def odd(self, path: str) -> Odd | None:
        """Count a request, and return its odd answer; None: it gets a good one."""
        self.asked[path] += 1
        if self.always is not None:
            return self.always
        return self.once_each.pop(path, None)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet for each answer
    front: Front

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, body: bytes | None) -> None:
        odd = self.front.odd(urlsplit(self.path).path)
        if odd is None:
            odd = self._passed_on(body)
        self.send_response(odd.status)
        for name, value in {**odd.headers, "Content-Length": str(len(odd.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(odd.body)

    def _passed_on(self, body: bytes | None) -> Odd:
        behind = HTTPConnection(self.front.behind, timeout=30)
        headers = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
        try:
            behind.request(self.command, self.path, body, headers)
            answer = behind.getresponse()
            return Odd(body=answer.read(), status=answer.status)
        finally:
            behind.close()

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        pass


@contextmanager
def front_of(behind: str) -> Iterator[Front]:
    """Serve on loopback before an exchange."""
    front = Front(behind)
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"front": front}))
    front.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield front
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
