"""One connection against a real server that misbehaves (the rows of spec 1.3, and more)."""

import gc
import random
import socket
import ssl
import struct
import threading
from contextlib import ExitStack
from http import HTTPStatus

import orjson
import psutil
import pytest

from domain.errors import AccessDeniedError
from infra.net.stream import Stream
from infra.net.subscriptions import ARGS_CHARS
from infra.net.timing import StreamTiming
from infra.venues.bybit.private_stream import login_args
from tests.venues.bybit.stream_server import Ear, RestTransport, StreamServer, kline, ticker, until

KLINE = "kline.5.BTCUSDT"
TICKERS = "tickers.BTCUSDT"
FAST = {
    "backoff_initial_s": 0.02,
    "backoff_max_s": 0.1,
    "tick_s": 0.02,
    "slow_retry_s": 0.1,
    "banned_s": 0.1,
}


class Rig:
    """A server, an ear, and the streams of one test."""

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack
        self.server = StreamServer()
        stack.callback(self.server.stop)
        self.ear = Ear()

    def stream(self, *topics, url=None, ear=None, auth=None, ssl_context=None, **timing) -> Stream:
        ear = ear or self.ear
        made = Stream(
            url or self.server.url,
            topics,
            ear.on_message,
            ear.on_connected,
            ear.on_lost,
            rng=random.Random(1),
            auth=auth,
            on_denied=ear.on_denied,
            timing=StreamTiming(**(FAST | timing)),
            ssl_context=ssl_context,
            name="stream under test",
        )
        self.stack.callback(self._end, made)
        made.start()
        return made

    @staticmethod
    def _end(stream: Stream) -> None:
        stream.close()
        assert stream.join(15.0)


@pytest.fixture
def rig():
    with ExitStack() as stack:
        yield Rig(stack)


def open_files() -> int:
    """Count descriptors, without the selectors of ended loops that wait for the collector."""
    gc.collect()
    return psutil.Process().num_fds()


def push_kline(client, topic) -> None:
    client.send(kline(topic.rpartition(".")[2]))


def test_a_topic_is_connected_at_its_first_message_not_at_its_acknowledgement(rig):
    stream = rig.stream(KLINE)
    client = rig.server.next_client()
    client.next_request("subscribe")
    until(lambda: stream.stats().messages == 1, "the acknowledgement")
    assert stream.stats().live == frozenset()

    client.send(kline())

    assert rig.ear.expect("connected")[1] == KLINE
    assert rig.ear.expect("message")[1:] == (KLINE, kline())
    assert stream.stats().live == {KLINE}
    assert stream.stats().last_data_s is not None


def test_data_before_the_acknowledgement_are_taken(rig):
    def data_first(client, request):
        client.send(kline())
        rig.server.acknowledge(client, request)

    rig.server.answers["subscribe"] = data_first
    stream = rig.stream(KLINE)

    assert rig.ear.expect("message")[2] == kline()
    until(lambda: stream.stats().messages == 2)
    assert stream.stats().attempts == 1


def test_data_without_an_acknowledgement_are_proof_enough(rig):
    rig.server.answers["subscribe"] = lambda client, _: client.send(kline())
    stream = rig.stream(KLINE, answer_s=0.1)

    rig.ear.expect("message")
    until(lambda: not stream._connection._subscriptions._requests, "the end of the patience")

    assert stream.stats().live == {KLINE}
    assert stream.stats().attempts == 1


def test_a_subscription_that_is_never_answered_is_tried_on_a_new_connection(rig):
    rig.server.answers["subscribe"] = rig.server.silence
    rig.stream(KLINE, answer_s=0.1)
    rig.server.next_client()

    rig.server.answers["subscribe"] = rig.server.grant
    rig.server.on_subscribed = push_kline

    assert rig.ear.expect("connected")[1] == KLINE


@pytest.mark.parametrize("end", ["cut", "close frame", "protocol error", "continuation", "reset"])
def test_a_broken_connection_is_made_again_and_the_topics_asked_for_again(rig, end):
    rig.server.on_subscribed = push_kline
    wire = RestTransport(rig.server.port)
    rig.stack.callback(wire.stop)
    stream = rig.stream(KLINE, url=f"ws://127.0.0.1:{wire.port}/")
    first = rig.server.next_client()
    rig.ear.expect("message")

    match end:
        case "cut":
            first.cut()
        case "close frame":
            first.close(1001)
        case "protocol error":
            first.send_raw(b"\xff\x02{}")
        case "continuation":
            first.send_raw(b"\x80\x02{}")
        case "reset":
            wire.reset()

    assert rig.ear.expect("lost")[1] == KLINE
    assert rig.ear.expect("connected")[2] >= 0
    assert rig.ear.expect("message")[2] == kline()
    assert stream.stats().connects == 2


def test_a_server_that_was_down_is_found_again(rig):
    rig.server.on_subscribed = push_kline
    stream = rig.stream(KLINE)
    rig.ear.expect("message")
    port = rig.server.port

    rig.server.stop()
    until(lambda: stream.stats().attempts >= 6, "six attempts")
    assert stream.stats().connects == 1
    again = StreamServer(port=port)
    rig.stack.callback(again.stop)
    again.on_subscribed = push_kline

    assert rig.ear.expect("lost")[1] == KLINE
    assert rig.ear.expect("connected")[1] == KLINE


@pytest.mark.parametrize(
    "status",
    [
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
    ],
)
def test_a_refused_handshake_is_tried_again(rig, status):
    rig.server.refuse_handshakes += [status] * 3
    rig.server.on_subscribed = push_kline
    stream = rig.stream(KLINE)

    rig.ear.expect("connected")

    assert rig.server.handshakes == 4
    assert stream.stats().attempts == 4


def test_a_banned_address_waits_longer_than_any_back_off():
    stream = Stream("ws://127.0.0.1:1/", (), print, print, print, rng=random.Random(1))
    banned = stream_error(HTTPStatus.FORBIDDEN)

    assert stream._wait_after(banned, failures=0) == 600.0
    assert 30.0 <= stream._wait_after(stream_error(HTTPStatus.TOO_MANY_REQUESTS), 0) <= 60.0
    assert 30.0 <= stream._wait_after(AccessDeniedError(), failures=50) <= 60.0


def test_back_off_doubles_up_to_its_bound_and_is_never_longer():
    stream = Stream("ws://127.0.0.1:1/", (), print, print, print, rng=random.Random(1))

    waits = [stream._wait_after(OSError(), failures) for failures in range(2000)]

    assert all(
        bound / 2 <= wait <= bound
        for wait, bound in zip(waits, (0.25, 0.5, 1, 2, 4, 8, 16, 30, 30), strict=False)
    )
    assert max(waits) <= 30.0
    assert len(set(waits)) > 1990


def stream_error(status: HTTPStatus) -> Exception:
    from websocket import WebSocketBadStatusException  # noqa: PLC0415

    return WebSocketBadStatusException("handshake", int(status))


@pytest.mark.parametrize("url", ["ws://no-such-host.invalid/", "ws://127.0.0.1:1/", "nonsense"])
def test_an_address_that_cannot_be_reached_ends_no_stream(rig, url):
    stream = rig.stream(KLINE, url=url)

    until(lambda: stream.stats().attempts >= 3)

    assert stream.stats().connects == 0
    assert stream.stats().last_end is not None


def test_a_peer_that_speaks_no_tls_ends_no_stream(rig):
    stream = rig.stream(KLINE, url=rig.server.url.replace("ws:", "wss:"), connect_s=1.0)

    until(lambda: stream.stats().attempts >= 3)

    assert "SSL" in stream.stats().last_end


def test_a_certificate_that_nobody_vouches_for_is_refused_again_and_again(rig, certificate):
    server = StreamServer(ssl_context=certificate.server)
    rig.stack.callback(server.stop)
    server.on_subscribed = push_kline

    stranger = rig.stream(KLINE, url=server.url)
    until(lambda: stranger.stats().attempts >= 3)
    trusted = rig.stream(KLINE, url=server.url, ssl_context=certificate.client)

    assert rig.ear.expect("message")[2] == kline()
    assert "CERTIFICATE" in stranger.stats().last_end
    assert trusted.stats().connects == 1


def test_many_messages_of_one_tls_record_are_all_read(rig, certificate):
    server = StreamServer(ssl_context=certificate.server)
    rig.stack.callback(server.stop)
    text = orjson.dumps(kline())
    frame = b"\x81\x7e" + struct.pack("!H", len(text)) + text
    server.on_subscribed = lambda client, _: client.send_raw(frame * 20)

    rig.stream(KLINE, url=server.url, ssl_context=certificate.client, tick_s=30.0)

    for _ in range(20):
        assert rig.ear.expect("message")[2] == kline()


class Certificate:
    """A server's certificate and a client that trusts it."""

    def __init__(self, folder) -> None:
        import datetime as dt  # noqa: PLC0415
        import ipaddress  # noqa: PLC0415

        from cryptography import x509  # noqa: PLC0415
        from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
        now = dt.datetime.now(dt.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
                critical=False,
            )
            .sign(key, hashes.SHA256())
        )
        pem = folder / "certificate.pem"
        pem.write_bytes(
            made.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(pem)
        self.client = ssl.create_default_context(cafile=pem)
        self.pem = made.public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    pytest.importorskip("cryptography")
    return Certificate(tmp_path_factory.mktemp("certificate"))


def test_a_half_open_connection_is_given_up(rig):
    rig.server.on_subscribed = push_kline
    wire = RestTransport(rig.server.port)
    rig.stack.callback(wire.stop)
    stream = rig.stream(
        KLINE, url=f"ws://127.0.0.1:{wire.port}/", ping_s=0.2, answer_s=0.2, connect_s=0.5
    )
    rig.ear.expect("message")

    wire.freeze()

    assert "no answer to a ping" in rig.ear.expect("lost")[2]
    wire.thaw()
    rig.ear.expect("connected")
    assert stream.stats().connects >= 2


def test_a_server_that_stops_inside_a_frame_is_given_up(rig):
    rig.server.on_subscribed = push_kline
    rig.stream(KLINE, connect_s=0.2)
    client = rig.server.next_client()
    rig.ear.expect("message")

    client.send_raw(b"\x81\x7e\x10\x00{")

    rig.ear.expect("lost")
    rig.ear.expect("connected")


def test_a_server_that_stops_inside_the_handshake_is_given_up(rig):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        stream = rig.stream(KLINE, url=f"ws://127.0.0.1:{mute.getsockname()[1]}/", connect_s=0.1)

        until(lambda: stream.stats().attempts >= 3)


def test_a_server_that_answers_pings_but_sends_no_data_is_given_up(rig):
    rig.server.on_subscribed = push_kline
    stream = rig.stream(KLINE, stale_s={"kline": 0.3}, ping_s=0.05)
    rig.ear.expect("message")

    reason = rig.ear.expect("lost")[2]

    assert "no data" in reason
    assert stream.stats().messages > 3, "pongs came"
    rig.ear.expect("connected")


def test_a_topic_that_never_gets_data_is_given_up(rig):
    rig.stream(KLINE, stale_s={"kline": 0.2})

    for _ in range(3):
        rig.server.next_client().next_request("subscribe")


def test_one_silent_topic_among_others_reconnects_ever_more_rarely(rig):
    feeding = threading.Event()

    def feed(client, topic):
        if topic == TICKERS:
            client.send(ticker())
            feeding.set()

    rig.server.on_subscribed = feed
    rig.server.answers["ping"] = lambda client, _: client.send(ticker())
    stream = rig.stream(KLINE, TICKERS, stale_s={"kline": 0.15, "tickers": 5.0}, ping_s=0.02)

    until(lambda: stream.stats().connects == 4, "three reconnections")

    silences = stream._wanted.now()[KLINE].silences
    assert silences == 3, "each doubles its patience"
    assert stream._wanted.now()[TICKERS].silences == 0


@pytest.mark.parametrize(
    ("silences", "silent_s", "is_lost"),
    [(0, 9, False), (0, 11, True), (1, 19, False), (1, 21, True), (3, 79, False), (50, 641, True)],
)
def test_patience_with_one_silent_topic_doubles_each_time(rig, silences, silent_s, is_lost):
    stream = rig.stream(KLINE, TICKERS, stale_s={"kline": 10.0, "tickers": 10.0})
    rig.server.next_client().next_request("subscribe")
    stream.close()
    assert stream.join(15.0)
    subscriptions = stream._connection._subscriptions
    subscriptions._asked[KLINE].subscription.silences = silences
    subscriptions._asked[KLINE].data_s = 1000.0
    subscriptions._asked[TICKERS].data_s = 1000.0 + silent_s

    reason = subscriptions._silent(1000.0 + silent_s)

    assert (reason is not None) == is_lost


def test_private_topics_may_be_silent_but_their_pongs_may_not(rig):
    stream = rig.stream("order", ping_s=0.1, answer_s=0.2)
    rig.ear.expect("connected")
    until(lambda: stream.stats().messages > 5, "pongs")
    assert stream.stats().attempts == 1

    rig.server.answers["ping"] = rig.server.silence

    assert "no answer to a ping" in rig.ear.expect("lost")[2]


def test_one_unknown_topic_costs_the_others_nothing(rig):
    topics = [f"kline.5.S{number}USDT" for number in range(9)]
    rig.server.unknown_topics = {topics[4], topics[7]}
    rig.server.on_subscribed = push_kline
    stream = rig.stream(*topics, slow_retry_s=60.0)

    live = {rig.ear.expect("connected")[1] for _ in range(7)}

    assert live == set(topics) - rig.server.unknown_topics
    assert set(stream.stats().refused) == rig.server.unknown_topics
    assert stream.stats().attempts == 1


def test_a_refusal_that_names_no_topic_is_narrowed_down(rig):
    topics = [f"kline.5.S{number}USDT" for number in range(9)]

    def vague(client, request):
        if topics[4] in request["args"]:
            client.send(rig.server.answer(request, success=False, ret_msg="error:no"))
        else:
            rig.server.grant(client, request)

    rig.server.answers["subscribe"] = vague
    rig.server.on_subscribed = push_kline
    stream = rig.stream(*topics, slow_retry_s=60.0)

    live = {rig.ear.expect("connected")[1] for _ in range(8)}

    assert live == set(topics) - {topics[4]}
    assert stream.stats().refused == {topics[4]: "error:no"}


def test_a_refused_topic_is_asked_for_again_on_the_same_connection(rig):
    rig.server.unknown_topics = {KLINE}
    rig.server.on_subscribed = push_kline
    stream = rig.stream(KLINE, slow_retry_s=0.05)
    until(lambda: KLINE in stream.stats().refused)

    rig.server.unknown_topics = set()

    rig.ear.expect("connected")
    assert stream.stats().attempts == 1
    until(lambda: not stream.stats().refused)


def test_already_subscribed_counts_as_subscribed(rig):
    def doubled(client, request):
        named = request["args"][0]
        if named == "order" and len(request["args"]) > 1:
            words = f"error:already subscribed,topic:{named}"
            client.send(rig.server.answer(request, success=False, ret_msg=words))
        else:
            rig.server.acknowledge(client, request)

    rig.server.answers["subscribe"] = doubled
    stream = rig.stream("order", "wallet")

    assert {rig.ear.expect("connected")[1] for _ in range(2)} == {"order", "wallet"}
    assert stream.stats().refused == {}


def test_an_answer_without_its_id_is_that_of_the_only_request(rig):
    rig.server.answers["subscribe"] = lambda client, _: client.send(
        {"success": True, "ret_msg": "", "op": "subscribe", "conn_id": "c"}
    )

    rig.stream("order")

    assert rig.ear.expect("connected")[1] == "order"


def test_nothing_is_asked_before_the_login_is_granted(rig):
    held = []
    rig.server.answers["auth"] = lambda client, request: held.append((client, request))
    rig.stream("order", auth=lambda: login_args("key", "secret", 1_662_350_400_000))
    client = rig.server.next_client()
    login = client.next_request("auth")
    for _ in range(5):
        client.connection.ping().wait(15.0)
    assert client.requests.empty()

    until(lambda: held)
    rig.server.grant_auth(*held[0])

    assert client.next_request("subscribe")["args"] == ["order"]
    assert rig.ear.expect("connected")[1] == "order"
    assert login["args"][:2] == ["key", 1_662_350_400_000]


def test_a_login_is_signed_as_the_venue_wants_it():
    args = login_args("key", "secret", 1_662_350_400_000)

    # printf %s GET/realtime1662350400000 | openssl dgst -sha256 -hmac secret
    assert args == [
        "key",
        1_662_350_400_000,
        "d7ca36fea9ef1287007fd4b15af961e91d419a3d3f3ccbdf23585170ac116cd4",
    ]


@pytest.mark.parametrize("name", ["ret_msg", "retMsg"])
def test_the_reason_of_a_refused_login_is_told_under_either_name(rig: Rig, name: str) -> None:
    refusal = {"success": False, name: "Request expired", "op": "auth", "conn_id": "c"}
    rig.server.answers["auth"] = lambda client, _: client.send(refusal)

    rig.stream("order", auth=lambda: ["key", 1, "sign"])

    assert "Request expired" in str(rig.ear.expect("denied")[2])


def test_a_refused_login_is_reported_once_and_tried_again_signed_anew(rig):
    logins = iter(range(100))
    rig.server.answers["auth"] = rig.server.deny_auth
    stream = rig.stream("order", auth=lambda: ["key", next(logins), "sign"])

    error = rig.ear.expect("denied")[2]
    assert isinstance(error, AccessDeniedError)
    assert "Params Error" in str(error)
    until(lambda: stream.stats().attempts >= 3)
    assert stream.stats().denied is not None
    assert rig.ear.hush() == []
    rig.server.answers["auth"] = rig.server.grant_auth
    rig.ear.expect("connected")

    assert stream.stats().denied is None
    expiries = [c.requests.get(timeout=15.0)["args"][1] for c in rig.server.all_clients]
    assert expiries == sorted(set(expiries))


def test_a_login_that_is_never_answered_is_tried_on_a_new_connection(rig):
    rig.server.answers["auth"] = rig.server.silence
    rig.stream("order", auth=lambda: ["key", 1, "sign"], answer_s=0.1)
    rig.server.next_client()

    rig.server.answers["auth"] = rig.server.grant_auth

    rig.ear.expect("connected")


def test_a_login_that_cannot_be_made_is_tried_again(rig):
    tries = iter([ZeroDivisionError(), None])

    def login():
        error = next(tries)
        if error is not None:
            raise error
        return ["key", 1, "sign"]

    rig.stream("order", auth=login)

    rig.ear.expect("connected")


@pytest.mark.parametrize("junk", [b"{", b"", b"[]", b"null", b"1", b'"x"', b"\xff\xfe", b"{}{}"])
def test_a_text_that_is_no_object_ends_the_connection_and_not_the_stream(rig, junk):
    rig.server.on_subscribed = push_kline
    stream = rig.stream(KLINE)
    rig.ear.expect("message")

    rig.server.next_client().send_raw(b"\x81" + bytes([len(junk)]) + junk)

    rig.ear.expect("lost")
    rig.ear.expect("message")
    assert stream.stats().drops == {"not JSON": 1}


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"topic": 5},
        {"topic": None, "op": []},
        {"topic": {"a": 1}},
        {"op": "subscribe", "success": False, "req_id": 99},
        {"op": "nope", "success": False, "ret_msg": "error:invalid op"},
        {"type": "COMMAND_RESP", "data": {"failTopics": [], "successTopics": []}},
    ],
)
def test_an_answer_that_nobody_expects_is_counted_and_ignored(rig, odd):
    stream = rig.stream(KLINE)
    client = rig.server.next_client()
    client.next_request("subscribe")

    client.send(odd)
    client.send(kline())

    rig.ear.expect("message")
    assert stream.stats().drops == {"unknown answer": 1}
    assert stream.stats().attempts == 1


def test_a_text_that_cannot_be_read_makes_a_new_connection_since_something_was_missed(rig):
    rig.server.on_subscribed = push_kline
    stream = rig.stream(KLINE)
    rig.ear.expect("message")

    rig.server.next_client().send("{")

    assert "not JSON" in rig.ear.expect("lost")[2]
    rig.ear.expect("connected")
    assert stream.stats().drops == {"not JSON": 1}


def test_a_huge_message_is_dropped_and_makes_a_new_connection(rig):
    rig.server.on_subscribed = push_kline
    stream = rig.stream(KLINE, max_message_bytes=1_000_000)
    rig.ear.expect("message")

    rig.server.next_client().send(kline(extra="x" * 1_000_001))

    assert "bytes" in rig.ear.expect("lost")[2]
    rig.ear.expect("connected")
    assert stream.stats().drops == {"too large": 1}


def test_a_large_message_within_the_limit_is_read(rig):
    stream = rig.stream(KLINE)

    rig.server.next_client().send(kline(extra="x" * 3_000_000))

    assert len(rig.ear.expect("message")[2]["data"][0]["extra"]) == 3_000_000
    assert stream.stats().drops == {}


def test_a_change_before_the_snapshot_is_dropped_and_proves_nothing(rig):
    rig.server.on_subscribed = lambda client, _: client.send(ticker(kind="delta"))
    stream = rig.stream(TICKERS, stale_s={"tickers": 0.2})
    until(lambda: stream.stats().drops.get("delta before snapshot"))
    assert stream.stats().live == frozenset()

    rig.server.on_subscribed = lambda client, _: client.send(ticker())

    assert rig.ear.expect("message")[2] == ticker()
    assert stream.stats().connects >= 2


def test_messages_of_a_topic_that_nobody_wants_are_dropped(rig):
    rig.server.on_subscribed = push_kline
    stream = rig.stream(KLINE)
    client = rig.server.next_client()
    rig.ear.expect("message")

    client.send(kline("ETHUSDT"))
    client.send(kline())

    assert rig.ear.expect("message")[1] == KLINE
    assert stream.stats().drops == {"not wanted": 1}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("callback", ["on_message", "on_connected", "on_lost"])
def test_a_callback_that_raises_costs_its_message_only(rig, callback, error):
    rig.server.on_subscribed = push_kline
    failing = Ear()
    kept = getattr(failing, callback)
    failures = iter([error("of a test")])

    def fail_once(*news):
        failure = next(failures, None)
        if failure is not None:
            raise failure
        kept(*news)

    setattr(failing, callback, fail_once)
    stream = rig.stream(KLINE, ear=failing)
    client = rig.server.next_client()
    until(lambda: stream.stats().last_data_s)

    client.send(kline(start=1_672_325_100_000))
    client.cut()

    rig.server.next_client().next_request("subscribe")
    until(lambda: stream.stats().live)
    assert stream.stats().drops == {"callback raised": 1}
    assert stream.stats().connects == 2


def test_a_slow_callback_is_not_taken_for_a_silent_venue(rig):
    release = threading.Event()
    stream = rig.stream(KLINE, stale_s={"kline": 0.2}, ping_s=0.1, answer_s=0.1)
    client = rig.server.next_client()
    client.next_request("subscribe")
    blocked = threading.Event()

    def block(topic, message):
        blocked.set()
        release.wait(15.0)
        rig.ear.heard.put(("message", topic, message))

    stream._calls._on_message = block
    client.send(kline())
    assert blocked.wait(15.0)
    threading.Event().wait(0.6)  # the callback takes three times as long as data may be missing
    release.set()
    rig.ear.expect("message")
    client.send(kline())

    rig.ear.expect("message")
    assert stream.stats().connects == 1


def test_json_pings_and_protocol_pings_are_sent_and_pings_answered(rig):
    rig.stream("order", ping_s=0.05)
    client = rig.server.next_client()

    assert client.next_request("ping") == {"op": "ping"}
    assert client.connection.ping().wait(15.0)


def test_topics_come_and_go_on_a_living_connection(rig):
    rig.server.on_subscribed = push_kline
    stream = rig.stream(KLINE)
    client = rig.server.next_client()
    client.next_request("subscribe")
    rig.ear.expect("message")

    stream.add("kline.5.ETHUSDT")
    assert client.next_request("subscribe")["args"] == ["kline.5.ETHUSDT"]
    assert rig.ear.expect("connected")[1] == "kline.5.ETHUSDT"
    stream.remove(KLINE)
    assert client.next_request("unsubscribe")["args"] == [KLINE]

    until(lambda: stream.stats().live == {"kline.5.ETHUSDT"})
    assert stream.stats().attempts == 1


def test_a_topic_that_is_added_again_is_proven_again(rig):
    rig.server.on_subscribed = push_kline
    stream = rig.stream(KLINE)
    client = rig.server.next_client()
    client.next_request("subscribe")
    rig.ear.expect("connected")

    stream.add(KLINE)

    assert client.next_request("unsubscribe")["args"] == [KLINE]
    assert client.next_request("subscribe")["args"] == [KLINE]
    rig.ear.expect("connected")


def test_a_callback_may_add_remove_and_close(rig):
    rig.server.on_subscribed = push_kline
    ear = Ear()

    def on_message(topic, _):
        if topic == KLINE:
            stream.add("kline.5.ETHUSDT")
            stream.remove(KLINE)
        else:
            stream.close()

    ear.on_message = on_message
    stream = rig.stream(KLINE, ear=ear)

    until(lambda: stream.join(0.01), "the end")


def test_long_lists_of_topics_are_split_by_the_length_of_their_text(rig):
    topics = [f"kline.5.SYMBOL{number:06d}USDT" for number in range(1500)]
    rig.server.on_subscribed = lambda *_: None
    rig.stream(*topics)
    client = rig.server.next_client()

    asked = []
    while len(asked) < len(topics):
        args = client.next_request("subscribe")["args"]
        assert len(orjson.dumps(args)) <= ARGS_CHARS + 2
        asked += args

    assert asked == topics


def test_close_says_goodbye_tells_nobody_and_is_quick(rig):
    rig.server.on_subscribed = push_kline
    stream = rig.stream(KLINE, tick_s=60.0)
    client = rig.server.next_client()
    rig.ear.expect("message")

    stream.close()
    stream.close()

    assert stream.join(15.0)
    until(lambda: client.connection.close_code == 1000, "the goodbye")
    assert rig.ear.hush() == []


def test_close_ends_a_stream_that_waits_for_its_next_try(rig):
    stream = rig.stream(KLINE, url="ws://127.0.0.1:1/", backoff_initial_s=60.0, backoff_max_s=60.0)
    until(lambda: stream.stats().last_end)

    stream.close()

    assert stream.join(15.0)


def test_close_ends_a_stream_inside_a_handshake(rig):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        stream = rig.stream(KLINE, url=f"ws://127.0.0.1:{mute.getsockname()[1]}/", connect_s=60.0)
        accepted, _ = mute.accept()
        with accepted:
            accepted.recv(1)

            stream.close()

            assert stream.join(15.0)


def test_a_stream_closed_before_its_start_never_connects(rig):
    ear = Ear()
    stream = Stream(
        rig.server.url,
        (KLINE,),
        ear.on_message,
        ear.on_connected,
        ear.on_lost,
        rng=random.Random(1),
    )

    stream.close()
    assert stream.join(1.0)
    stream.start()

    assert stream.join(15.0)
    assert stream.stats().attempts == 0


def test_the_limit_of_connections_is_asked_before_each(rig):
    asked = []

    def wait_s():
        asked.append(len(asked))
        return 3600.0 if len(asked) == 3 else 0.0

    stream = Stream(
        "ws://127.0.0.1:1/",
        (KLINE,),
        print,
        print,
        print,
        rng=random.Random(1),
        timing=StreamTiming(**FAST),
        connect_wait_s=wait_s,
    )
    rig.stack.callback(rig._end, stream)
    stream.start()

    until(lambda: len(asked) == 3)

    assert stream.stats().attempts == 2


def test_thirty_reconnections_leak_neither_threads_nor_sockets(rig):
    rig.server.on_subscribed = push_kline
    before = (open_files(), threading.active_count())
    stream = rig.stream(KLINE, TICKERS)

    for number in range(30):
        client = rig.server.next_client()
        rig.ear.expect("connected")
        client.close(1001) if number % 2 else client.cut()

    rig.ear.expect("connected")
    assert stream.stats().connects == 31
    mine = [t for t in threading.enumerate() if t.name == "stream under test"]
    assert len(mine) == 1
    stream.close()
    assert stream.join(15.0)
    until(lambda: open_files() <= before[0], "closing all sockets")
    until(lambda: threading.active_count() <= before[1], "ending all threads")
