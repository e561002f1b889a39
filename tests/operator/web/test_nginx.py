"""The shipped configuration of NGINX before the page: TLS 1.3, and nothing is lost on the way."""

import http.client
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from websockets.sync.client import connect

from infra.operator.web import links
from tests.operator.web.made import PATIENCE_S, Browser, Desk, Page, control, start_page

SHIPPED = Path(__file__).resolve().parents[3] / "deploy" / "nginx.conf"
NAME = "trading.example.com"
SETTINGS = f"""
web: {{behind_tls: true, allowed_hosts: [{NAME}]}}
"""


@dataclass
class Proxied(Page):
    """A page behind NGINX."""

    port: int = 0
    trusted: ssl.SSLContext | None = None

    def connect(self) -> http.client.HTTPConnection:
        line = http.client.HTTPSConnection(
            NAME, self.port, timeout=PATIENCE_S, context=self.trusted
        )
        # The name leads here: no other host is asked.
        line._create_connection = lambda _, timeout, source: socket.create_connection(  # type: ignore[attr-defined]
            ("127.0.0.1", self.port), timeout, source
        )
        return line

    @property
    def url(self) -> str:
        return f"https://{NAME}:{self.port}"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def certificate(folder: Path) -> tuple[Path, Path]:
    file, key = folder / "certificate.pem", folder / "key.pem"
    subject = ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    subprocess.run(
        ["openssl", "req", "-x509", *kind, "-keyout", str(key), "-out", str(file), *subject],
        check=True,
        capture_output=True,
    )
    return file, key


def configured(folder: Path, port: int, page_port: int) -> tuple[Path, Path]:
    """Write the shipped file with this test's ports and paths, and return it with a certificate."""
    file, key = certificate(folder)
    text = SHIPPED.read_text()
    for before, after in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("127.0.0.1:8711;", f"127.0.0.1:{page_port};"),
        ("/etc/nginx/trading/certificate.pem", str(file)),
        ("/etc/nginx/trading/key.pem", str(key)),
        ("/tmp/nginx", f"{folder}/nginx"),
    ):
        assert before in text
        text = text.replace(before, after)
    made = folder / "nginx.conf"
    made.write_text(text)
    return made, file


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if nginx is None:
        reason = "no nginx on this machine (Debian: apt-get install nginx-light)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    folder, directory = tmp_path_factory.mktemp("nginx"), tmp_path_factory.mktemp("run")
    (folder / "settings.yaml").write_text(SETTINGS)
    desk = Desk()
    with control(directory, desk):
        process = start_page(directory, "--settings", str(folder / "settings.yaml"))
        page = Proxied(directory, desk, process, free_port())
        file, trusted = configured(folder, page.port, page.address.port)
        page.trusted = ssl.create_default_context(cafile=str(trusted))
        proxy = subprocess.Popen([nginx, "-c", str(file), "-g", "daemon off;"])
        try:
            wait_for(page.port, proxy)
            yield page
        finally:
            for each in (proxy, process):
                each.terminate()
                each.wait(PATIENCE_S)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until somebody listens."""
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s:
        assert process.poll() is None
        with socket.socket() as line:
            if line.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(port)


def test_the_page_works_through_it(proxied: Proxied) -> None:
    browser = Browser(proxied)

    secret = links.make_secret(proxied.directory)
    status, headers, body = browser.call("POST", "/login", {"once": secret}, X_Real_IP="6.6.6.6")
    assert status == 200, body
    cookie = headers["set-cookie"]
    assert cookie.startswith("__Host-session=")
    assert "secure" in cookie.lower()
    assert headers["strict-transport-security"] == "max-age=31536000"
    assert proxied.accesses()[-1]["address"] == "127.0.0.1", "what a caller claims does not count"

    operator = proxied.by_link()
    assert operator.press("pause", "BTC") == (200, "did pause BTC")
    assert operator.press("pause", "BTC", Origin="https://evil.example")[0] == 403
    with connect(
        f"wss://{NAME}:{proxied.port}/live",
        sock=socket.create_connection(("127.0.0.1", proxied.port)),
        ssl=proxied.trusted,
        origin=proxied.url,
        additional_headers={"Cookie": operator.cookie},
    ) as socket_:
        assert "is_alive" in str(socket_.recv(PATIENCE_S))


def test_an_older_tls_and_plain_http_are_refused(proxied: Proxied) -> None:
    older = ssl.create_default_context()
    older.check_hostname, older.verify_mode = False, ssl.CERT_NONE
    older.maximum_version = ssl.TLSVersion.TLSv1_2

    with (
        socket.create_connection(("127.0.0.1", proxied.port)) as line,
        pytest.raises(ssl.SSLError),
    ):
        older.wrap_socket(line)

    plain = http.client.HTTPConnection("127.0.0.1", proxied.port, timeout=PATIENCE_S)
    plain.request("GET", "/login")
    assert plain.getresponse().status == 400
    plain.close()
