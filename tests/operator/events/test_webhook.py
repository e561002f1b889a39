"""Events to a real server of HTTP: signed, in order, and none passed over."""

import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random

import pytest

from domain.errors import ConfigError
from infra.operator.delivery import ChannelClosedError, NotDeliveredError
from infra.operator.events.event import Event
from infra.operator.events.publisher import Publisher
from infra.operator.events.webhook import Webhook, read_secret, signature
from tests.operator.events.facts import fact_ids, recorded_journal

ROOT = Path(__file__).resolve().parents[3]
KEY = bytes(range(32))
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
EVENT = Event(fact_id=1, event_id="1-2", kind="trading.trade", body=b"{}")


class Receiver(BaseHTTPRequestHandler):
    """Takes what is signed, once it has answered with what the test wants first."""

    protocol_version = "HTTP/1.1"
    answers: list[int]
    events: list[dict[str, object]]
    paths: list[str]
    is_to_close: bool

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.paths.append(self.path)
        status = self.answers.pop(0) if self.answers else 204
        signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode()
        found = base64.b64decode(self.headers["webhook-signature"].removeprefix("v1,"))
        if found != hmac.digest(KEY, signed + body, hashlib.sha256):
            status = 401
        if status == 204:
            self.events.append(json.loads(body))
        self.send_response(status)
        self.send_header("Content-Length", "0")
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()
        # Unannounced, as servers do with connections that were idle for a while.
        self.close_connection = self.close_connection or self.is_to_close

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def receiver() -> Iterator[type[Receiver]]:
    class Here(Receiver):
        answers, events, paths, is_to_close = [], [], [], False
        url = ""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Here)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    Here.url = f"http://127.0.0.1:{server.server_port}/facts?token=1"
    yield Here
    server.shutdown()
    server.server_close()


def test_every_fact_arrives_signed_and_in_order_though_the_receiver_fails_between(
    receiver: type[Receiver], tmp_path: Path
) -> None:
    journals = recorded_journal(tmp_path)
    receiver.answers[:] = [204, 500, 429, 204, 302, 410, 204]
    publisher = Publisher(
        "webhook",
        Webhook(receiver.url, SECRET),
        journals,
        source="sim",
        rng=Random(1),
        first_pause_s=0.01,
    )

    publisher.start()
    publisher.close(60.0)

    assert [event["factid"] for event in receiver.events] == fact_ids(tmp_path / "journal.sqlite")
    assert set(receiver.paths) == {"/facts?token=1"}


def test_a_connection_that_was_closed_meanwhile_is_no_failure(receiver: type[Receiver]) -> None:
    receiver.is_to_close = True
    webhook = Webhook(receiver.url, SECRET)

    for _ in range(5):
        webhook.send([EVENT])

    assert len(receiver.events) == 5
    webhook.close()


@pytest.mark.parametrize(
    ("status", "kind"),
    [(500, NotDeliveredError), (429, NotDeliveredError), (302, ChannelClosedError)]
    + [(status, ChannelClosedError) for status in (400, 401, 404, 410)],
)
def test_an_answer_that_is_no_success_is_an_error_that_says_which(
    receiver: type[Receiver], status: int, kind: type[Exception]
) -> None:
    receiver.answers[:] = [status]

    with pytest.raises(kind, match=f"the webhook answers {status}"):
        Webhook(receiver.url, SECRET).send([EVENT])


def test_a_request_is_signed_as_the_standard_has_it() -> None:
    # The example of the standard's own libraries.
    key = read_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'

    signed = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_!", SECRET[6:]])
def test_a_secret_that_is_none_is_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(ConfigError, match="expected whsec_ and at least 24 bytes") as refused:
        Webhook("http://127.0.0.1:1", secret)

    assert secret in ("", "whsec_") or secret not in str(refused.value)


def test_a_start_refuses_a_wrong_secret_before_anything_is_connected(tmp_path: Path) -> None:
    words = ["--run-dir", str(tmp_path / "run")]
    environ = {"WEBHOOK_URL": "http://127.0.0.1:1/", "WEBHOOK_SECRET": "whsec_short"}

    done = subprocess.run(
        [sys.executable, "-m", "bin.run_actors", *words],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1", **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )

    assert done.returncode == 2
    assert "WEBHOOK_SECRET: expected whsec_" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("url", ["http://", "http://u:hidden@h/", "http://h:99999/", "http://h:0"])
def test_an_address_that_is_none_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigError, match=r"expected http\(s\)://HOST:PORT/PATH") as refused:
        Webhook(url, SECRET)

    assert "hidden" not in str(refused.value)
