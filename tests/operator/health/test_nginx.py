"""The proxy's configuration in a real NGINX: TLS 1.3 alone, and what it tells those behind it."""

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.operator.health.tools import DEPLOY, tool
from tests.venues.bybit.test_stream import Certificate

PATIENCE_S = 30
CONFIGURATIONS = ("nginx.conf", "container/nginx.conf")


class Behind(BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    def do_GET(self) -> None:
        told = [self.headers.get(name) or "-" for name in ("Host", "X-Real-IP", "Upgrade")]
        body = " ".join([self.path, *told]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(params=CONFIGURATIONS)
def proxy(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[int, ssl.SSLContext]]:
    """Yield the proxy's port, and who trusts its certificate."""
    nginx = tool("nginx", "nginx-light")
    certificate = Certificate(tmp_path)
    behind = ThreadingHTTPServer(("127.0.0.1", 0), Behind)
    threading.Thread(target=behind.serve_forever, args=(0.02,), daemon=True).start()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    here = f"http://127.0.0.1:{behind.server_port}"
    text = (DEPLOY / request.param).read_text(encoding="utf-8")
    for old, new in {
        "listen 443": f"listen 127.0.0.1:{port}",
        "/etc/nginx/trading/certificate.pem": str(tmp_path / "certificate.pem"),
        "/etc/nginx/trading/key.pem": str(tmp_path / "certificate.pem"),
        "/tmp/nginx": str(tmp_path / "nginx"),
    }.items():
        assert old in text
        text = text.replace(old, new)
    for name in ("127.0.0.1", "trading-system"):
        for number in ("8710", "8711"):
            text = text.replace(f"http://{name}:{number}", here)
    file = tmp_path / "nginx.conf"
    file.write_text(text)
    tested = subprocess.run(
        [nginx, "-t", "-c", file], capture_output=True, text=True, timeout=60, check=False
    )
    assert tested.returncode == 0, tested.stderr
    assert "[warn]" not in tested.stderr
    process = subprocess.Popen([nginx, "-c", file, "-g", "daemon off;"])
    try:
        wait_for(port, process)
        yield port, certificate.client
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
        behind.shutdown()
        behind.server_close()


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    ends_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends_s and process.poll() is None:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        threading.Event().wait(0.02)
    raise AssertionError


def asked(port: int, context: ssl.SSLContext, path: str, *more: str) -> tuple[str, str]:
    """Return the version of TLS and the answer's body."""
    lines = [f"GET {path} HTTP/1.1", "Host: trading.example.com", "Connection: close", *more]
    with (
        socket.create_connection(("127.0.0.1", port), PATIENCE_S) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        secure.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = b"".join(iter(lambda: secure.recv(4096), b""))
        return str(secure.version()), answer.decode().rpartition("\r\n")[2]


def test_it_speaks_tls_1_3_alone_and_tells_the_true_address(
    proxy: tuple[int, ssl.SSLContext],
) -> None:
    port, context = proxy

    page = asked(port, context, "/api/me", "X-Real-IP: 6.6.6.6", "Upgrade: websocket")
    control = asked(port, context, "/control/status")

    assert page == ("TLSv1.3", "/api/me trading.example.com 127.0.0.1 websocket")
    assert control == ("TLSv1.3", "/status trading.example.com 127.0.0.1 -")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        asked(port, context, "/")
