"""The whole system beside a real Redis that dies, hangs or refuses: trading goes on, no fact is lost."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import redis

from infra.operator.delivery import ChannelClosedError
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


def test_a_refusal_is_told_in_one_line_that_shows_neither_password_nor_event(
    tmp_path: Path,
) -> None:
    server = RedisServer(tmp_path)
    journals = recorded_journal(tmp_path)
    told: list[tuple[str, str | None]] = []
    server.start("--requirepass", "right-password-1")

    def publish(password: str) -> None:
        url = f"redis://127.0.0.1:{server.port}/0"
        publisher = Publisher(
            "redis",
            RedisStream(url, password, "stream", 1000),
            journals,
            source="sim",
            rng=Random(1),
            on_trouble=lambda *what: told.append(what),
        )
        publisher.start()
        publisher.close(0.0 if password.startswith("wrong") else 30.0)

    stream = RedisStream(f"redis://127.0.0.1:{server.port}/0", "wrong-password-1", "stream", 1000)
    with pytest.raises(ChannelClosedError) as refused:
        stream.send([])
    with redis.Redis(port=server.port, password="right-password-1") as connection:
        connection.set("stream", "no stream")
    publish("right-password-1")

    server.kill()
    assert "password" in str(refused.value)
    assert told[0][0] == "redis"
    why = str(told[0][1])
    assert why.startswith("Redis refuses it: ")
    assert "WRONGTYPE" in why
    assert "specversion" not in why
