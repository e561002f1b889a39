"""All traffic to a file, and played back from it to clients that ask for the same."""

import contextlib
import json
import signal
from pathlib import Path

import pytest
import websocket

from tests.venues.simulator.clients import BTC, Listener
from tests.venues.simulator.test_command import KEYS, process, wrong_use

KLINE = {"symbol": BTC, "interval": "5", "limit": 3}


def lines(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Return the recording of an entry with its stop, as REST and streams told of it."""
    file = tmp_path / "traffic.jsonl"
    with process(tmp_path, *KEYS, "--seed", 3, "--record", file) as (running, client):
        client.public("/v5/market/kline", **KLINE)
        private = Listener(client, "/v5/private", "order", "execution")
        client.order("Sell", "0.01", orderLinkId="e", stopLoss=client.at("1.02"))
        private.rows("execution")
        private.close()
        client.order("Sell", "0.01", orderLinkId="e")
        running.send_signal(signal.SIGTERM)
        running.wait(10)
    return file


def test_a_recording_has_all_that_was_said_but_no_keys(recording: Path) -> None:
    found = lines(recording)

    paths = {line["path"] for line in found if "path" in line}
    assert {"/v5/market/kline", "/v5/order/create"} <= paths
    assert not any(path.startswith("/sim/") for path in paths)
    told = [json.loads(line["out"]) for line in found if "out" in line]
    assert any(message.get("topic") == "execution" for message in told)
    text = recording.read_text().lower()
    assert "x-bapi-sign" not in text
    (login,) = [json.loads(line["in"]) for line in found if "auth" in line.get("in", "")]
    assert login["args"] == []


def test_the_same_requests_get_the_same_answers_again(recording: Path, tmp_path: Path) -> None:
    asked = [line for line in lines(recording) if line.get("path") == "/v5/order/create"]
    (kline,) = [line for line in lines(recording) if line.get("path") == "/v5/market/kline"]
    with process(tmp_path, "--replay", recording) as (_, client):
        url = client.sim.base_url
        again = client.session.get(f"{url}{kline['path']}?{kline['query']}", timeout=10)
        orders = [
            client.session.post(f"{url}/v5/order/create", data=line["body"], timeout=10).json()
            for line in asked
        ]
        other = client.session.get(f"{url}/v5/market/kline?symbol=ETHUSDT", timeout=10)
        unknown = client.session.get(f"{url}/v5/market/tickers", timeout=10)

    assert again.text == other.text == kline["answer"]
    assert [order["retCode"] for order in orders] == [0, 110072]
    assert unknown.status_code == 404


def test_a_stream_is_told_again_but_not_before_it_asks(recording: Path, tmp_path: Path) -> None:
    with process(tmp_path, "--replay", recording) as (_, client):
        stream = websocket.create_connection(f"{client.sim.ws_url}/v5/private", timeout=1)
        with pytest.raises(websocket.WebSocketTimeoutException):
            stream.recv()
        stream.settimeout(10)
        stream.send(json.dumps({"op": "auth", "args": []}))
        login = json.loads(stream.recv())
        stream.send(json.dumps({"op": "subscribe", "args": ["order"], "req_id": "mine"}))
        heard = [json.loads(stream.recv()) for _ in range(3)]
        with pytest.raises(websocket.WebSocketBadStatusException):
            websocket.create_connection(f"{client.sim.ws_url}/v5/trade", timeout=10)
        with contextlib.suppress(websocket.WebSocketException):
            stream.shutdown()

    assert login["success"]
    assert heard[0]["req_id"] == "mine"
    assert {message["topic"] for message in heard[1:]} <= {"order", "execution"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--replay", "nowhere"], "nowhere: cannot be opened"),
        (["--replay", "other"], "other: line 1: expected recorded traffic"),
        (["--record", "nowhere/file"], "nowhere/file: cannot be written"),
    ],
)
def test_files_that_will_not_do_are_told_in_a_line(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    (tmp_path / "other").write_text("something\n")

    done = wrong_use(tmp_path, *arguments)

    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
