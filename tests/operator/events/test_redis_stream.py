"""The system beside a Redis that dies, hangs or refuses: it trades on, and no fact is lost."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from infra.operator.delivery import ChannelClosedError
from infra.operator.events.event import Event
from infra.operator.events.publisher import Publisher
from infra.operator.events.redis_stream import RedisStream
from tests.operator.events.facts import fact_ids, recorded_journal
from tests.redis_server import RedisServer, redis_server
from tests.system.floor import Floor, floor

TEN_MINUTES_MS = 600_000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    folder = tmp_path / "redis"
    folder.mkdir()
    with redis_server(folder) as running:
        yield running


class Consumer:
    """Reads a stream from where it was, and knows an event that it has already by its id."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._at = "0"
        self.events: dict[str, dict[str, object]] = {}

    def catch_up(self) -> None:
        with self._server.client() as connection:
            while found := connection.xread({"trading:sim": self._at}, count=500):
                for self._at, fields in found[0][1]:
                    self.events.setdefault(fields["id"], json.loads(fields["event"]))

    @property
    def fact_ids(self) -> list[object]:
        return [event["factid"] for event in self.events.values()]


def now_ms(here: Floor) -> int:
    return here.run.ports.clock.now_ms()


def trade_on_for_ten_minutes(here: Floor) -> None:
    until_ms = now_ms(here) + TEN_MINUTES_MS
    here.wait_for_trades(1)
    here.wait(lambda: now_ms(here) > until_ms, "ten minutes of the exchange's time")


def test_a_consumer_and_a_redis_that_were_dead_for_ten_minutes_get_every_fact_in_order(
    server: RedisServer, tmp_path: Path
) -> None:
    consumer = Consumer(server)
    with floor(tmp_path / "run", environ=server.environ) as here:
        here.wait_for_trades(1)
        consumer.catch_up()
        before = len(consumer.events)
        trade_on_for_ten_minutes(here)  # the consumer is dead

        server.kill()
        trade_on_for_ten_minutes(here)
        server.start()
        here.run.channels.start_over()
        here.wait_for_trades(1)

        server.freeze()  # takes connections, answers nothing
        trade_on_for_ten_minutes(here)
        server.thaw()
        assert here.broken_promises() == []
    consumer.catch_up()

    assert 0 < before < len(consumer.events)
    assert consumer.fact_ids == fact_ids(tmp_path / "run" / "journal.sqlite")


def test_what_was_not_taken_before_a_stop_is_sent_by_the_next_start(
    server: RedisServer, tmp_path: Path
) -> None:
    server.kill()
    with floor(tmp_path / "run", environ=server.environ) as here:
        here.wait_for_trades(1)

        here.restart(server.start)
    consumer = Consumer(server)
    consumer.catch_up()

    assert consumer.fact_ids == fact_ids(tmp_path / "run" / "journal.sqlite")


def test_a_stream_is_kept_about_as_long_as_it_may_be(server: RedisServer, tmp_path: Path) -> None:
    journals = recorded_journal(tmp_path)
    stream = RedisStream(f"redis://127.0.0.1:{server.port}/0", None, "short", 1000)

    publisher = Publisher("redis", stream, journals, source="sim", rng=Random(1))
    publisher.start()
    publisher.close(30.0)

    stored = len(fact_ids(tmp_path / "journal.sqlite"))
    assert stored > 1200
    with server.client() as connection:
        assert 1000 <= connection.xlen("short") < 1200


def test_a_refusal_says_why_and_shows_neither_password_nor_event(
    server: RedisServer,
) -> None:
    url = f"redis://127.0.0.1:{server.port}/0"
    event = Event(fact_id=1, event_id="1-2", kind="trading.trade", body=b'{"pnl": "hidden"}')
    with server.client() as connection:
        connection.set("taken", "no stream")
        connection.config_set("requirepass", "right-password-1")

    with pytest.raises(ChannelClosedError) as unknown:
        RedisStream(url, "wrong-password-1", "stream", 1000).send([event])
    with pytest.raises(ChannelClosedError) as taken:
        RedisStream(url, "right-password-1", "taken", 1000).send([event])

    assert str(unknown.value).startswith("Redis refuses it: ")
    assert "WRONGTYPE" in str(taken.value)
    assert not [word for word in ("hidden", "password-1") if word in f"{unknown}{taken}"]
