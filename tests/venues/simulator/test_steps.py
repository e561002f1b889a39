"""Steps over a socket: time moves once every client has dealt with all that it was sent."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import websocket

from tests.venues.simulator.clients import BTC, Client, Listener, running

CANDLE_MS = 300_000
START_MS = 1_743_469_200_000  # no funding is due for hours
KLINE = f"kline.5.{BTC}"


class Stepper:
    def __init__(self, client: Client, topics: str = "") -> None:
        self.socket = websocket.create_connection(
            f"{client.sim.ws_url}/sim/steps?topics={topics}", timeout=10
        )

    def ask(self, what: str) -> dict:
        self.socket.send(what)
        return self.answer()

    def answer(self) -> dict:
        return json.loads(self.socket.recv())

    def is_silent(self) -> bool:
        """Tell whether no answer comes for a while."""
        self.socket.settimeout(0.3)
        try:
            self.socket.recv()
        except websocket.WebSocketTimeoutException:
            return True
        finally:
            self.socket.settimeout(10)
        return False


@contextmanager
def stepping(client: Client, topics: str = "") -> Iterator[Stepper]:
    stepper = Stepper(client, topics)
    try:
        yield stepper
    finally:
        stepper.socket.shutdown()  # closes it also where the other side has said goodbye


@contextmanager
def slow_listener(client: Client, topic: str) -> Iterator[websocket.WebSocket]:
    """Yield a client that reads, and answers pings, only when it is told to."""
    made = websocket.create_connection(f"{client.sim.ws_url}/v5/public/linear", timeout=10)
    try:
        made.send(json.dumps({"op": "subscribe", "args": [topic], "req_id": "1"}))
        yield made
    finally:
        made.shutdown()


def test_a_step_goes_to_the_next_close() -> None:
    with running(speed=None, start_ms=START_MS) as client, stepping(client) as stepper:
        before = stepper.ask("settle")

        moved = stepper.ask("move")

        assert before["next_ms"] == before["time_ms"] + CANDLE_MS
        assert moved["time_ms"] == before["next_ms"]
        assert (before["closed"], moved["closed"]) == (False, True)


def test_time_waits_for_a_client_that_has_not_read_yet() -> None:
    with (
        running(speed=None, start_ms=START_MS) as client,
        slow_listener(client, KLINE) as slow,
        stepping(client, KLINE) as stepper,
    ):
        stepper.socket.send("move")
        assert stepper.is_silent()

        assert json.loads(slow.recv())["success"]
        slow.ping()  # websocket-client answers pings while it reads
        slow.recv_data_frame(control_frame=True)

        refused = stepper.answer()
        assert not refused["closed"]
        assert refused["time_ms"] == client.state()["time_ms"]


def test_time_waits_until_its_topics_are_heard() -> None:
    with (
        running(speed=None, start_ms=START_MS) as client,
        stepping(client, f"{KLINE},order") as stepper,
    ):
        stepper.socket.send("settle")
        assert stepper.is_silent()

        public = Listener(client, "/v5/public/linear", KLINE)
        private = Listener(client, "/v5/private", "order")

        assert stepper.answer()["time_ms"]
        public.close()
        private.close()


def test_nothing_moves_while_the_news_of_an_order_is_on_its_way() -> None:
    with (
        running(speed=None, start_ms=START_MS) as client,
        stepping(client, "order,execution") as stepper,
    ):
        private = Listener(client, "/v5/private", "order", "execution")
        before = stepper.ask("settle")
        client.order("Sell", "0.01")

        first, second = stepper.ask("move"), stepper.ask("move")

        assert (first["time_ms"], first["closed"]) == (before["time_ms"], False)
        assert (second["time_ms"], second["closed"]) == (before["next_ms"], True)
        private.close()


def test_a_stop_that_is_reached_is_told_before_its_candle_closes() -> None:
    with running(speed=None, start_ms=START_MS) as client, stepping(client) as stepper:
        last = client.last()
        client.short("0.01", stopLoss=str(last + 1), takeProfit=str(last - 1))
        stepper.ask("settle")

        reached, closed = stepper.ask("move"), stepper.ask("move")

        assert not reached["closed"]
        assert closed["closed"]
        assert reached["time_ms"] == closed["time_ms"]
        assert len(client.executions()) == 2


def test_the_end_of_the_candles_is_told(tmp_path: Path) -> None:
    lines = ["open_time,open,high,low,close,volume"]
    lines += [f"{1_743_465_600_000 + i * CANDLE_MS},10,11,9,10,1" for i in range(4)]
    for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT"):
        (tmp_path / f"{symbol}.csv").write_text("\n".join(lines) + "\n")
    with running(speed=None, candles=tmp_path) as client, stepping(client) as stepper:
        answers = [stepper.ask("move") for _ in range(3)]

    assert [answer["over"] for answer in answers] == [False, False, True]


def test_an_exchange_whose_time_runs_does_not_step() -> None:
    with running(speed=60.0) as client, stepping(client) as stepper:
        stepper.socket.send("move")

        assert stepper.socket.recv_data()[0] == websocket.ABNF.OPCODE_CLOSE
