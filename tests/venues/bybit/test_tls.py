"""Connections to an exchange: no older version of TLS, and no certificate that does not hold."""

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from infra.net.tls import tls_context
from infra.operator.preflight.finding import Level
from infra.operator.preflight.tls import check_tls
from infra.settings import load_settings
from infra.venues.bybit.http.send_fence import Session
from infra.venues.modes import Mode, venue_of
from tests.venues.bybit.test_stream import Certificate


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None: ...


class Quiet(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A refused handshake is what is tested."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(params=["1.2", "1.3"])
def server(request: pytest.FixtureRequest, certificate: Certificate) -> Iterator[tuple[str, str]]:
    """Yield the newest version that an https server speaks, and its address."""
    newest: str = request.param
    certificate.server.maximum_version = ssl.TLSVersion[f"TLSv{newest.replace('.', '_')}"]
    server = Quiet(("127.0.0.1", 0), Answer)
    server.socket = certificate.server.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield newest, f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
    certificate.server.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED


def trusting(certificate: Certificate, least: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=certificate.pem)
    context.minimum_version = tls_context(least).minimum_version
    return context


@pytest.mark.parametrize("least", ["1.2", "1.3"])
def test_an_older_version_than_the_least_is_not_spoken(
    server: tuple[str, str], certificate: Certificate, least: str, tmp_path: Path
) -> None:
    newest, url = server
    file = tmp_path / "trusted.pem"
    file.write_text(certificate.pem)
    session = Session(trusting(certificate, least))
    session.verify = str(file)

    try:
        answer = session.get(url, timeout=10).text
    except requests.exceptions.SSLError:
        answer = "refused"

    assert answer == ("{}" if newest >= least else "refused")


def test_the_check_says_which_version_is_spoken(
    server: tuple[str, str], certificate: Certificate
) -> None:
    newest, url = server

    found = check_tls(url, "1.3", trusting(certificate, "1.2"))

    assert found is not None
    if newest == "1.3":
        assert (found.level, found.found) == (Level.OK, "1.3 with 127.0.0.1")
    else:
        assert (found.level, found.found) == (Level.FAIL, "127.0.0.1 speaks TLSv1.2")
        assert found.advice.startswith('set exchange.least_tls to "1.2"')


def test_a_certificate_that_nobody_vouches_for_is_never_taken(server: tuple[str, str]) -> None:
    _, url = server

    found = check_tls(url, "1.2")

    assert found is not None
    assert (found.level, found.expected) == (Level.FAIL, "a valid certificate")
    with pytest.raises(requests.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        Session(tls_context("1.2")).get(url, timeout=10)


def test_where_nothing_is_encrypted_nothing_is_checked() -> None:
    assert check_tls("http://127.0.0.1:1", "1.3") is None
    assert check_tls("https://127.0.0.1:1", "1.3") is None


@pytest.mark.parametrize(("least", "version"), [("1.2", "TLSv1_2"), ("1.3", "TLSv1_3")])
def test_the_setting_reaches_all_connections_of_a_venue(
    tmp_path: Path, least: str, version: str
) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(f'exchange: {{least_tls: "{least}"}}\n')
    settings = load_settings(file, environ={}, dotenv=None)

    context = venue_of(Mode.PAPER, settings, {}).ssl_context

    assert context.minimum_version == ssl.TLSVersion[version]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
