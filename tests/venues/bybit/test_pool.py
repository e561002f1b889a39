"""Many topics over few connections."""

import random
import threading
from collections import Counter

import pytest

from infra.net.pool import CONNECTS, CONNECTS_WITHIN_S, ConnectionPool, ConnectLimiter
from infra.net.timing import StreamTiming
from tests.venues.bybit.stream_server import Ear, StreamServer, kline, ticker, until

FAST = StreamTiming(backoff_initial_s=0.02, backoff_max_s=0.1, tick_s=0.02)


@pytest.fixture
def server():
    made = StreamServer()
    made.on_subscribed = lambda client, topic: client.send(
        kline(topic.rpartition(".")[2]) if topic.startswith("kline") else ticker()
    )
    yield made
    made.stop()


@pytest.fixture
def make_pool(server):
    made = []

    def make(max_connections: int, **options) -> ConnectionPool:
        pool = ConnectionPool(
            server.url,
            rng=random.Random(1),
            max_connections=max_connections,
            timing=FAST,
            **options,
        )
        made.append(pool)
        return pool

    yield make
    for pool in made:
        assert pool.close(15.0)


class Seat:
    """A subscriber that remembers."""

    def __init__(self, pool: ConnectionPool, topic: str) -> None:
        self.ear = Ear()
        self.subscription = pool.subscribe(
            topic,
            lambda message: self.ear.on_message(topic, message),
            on_connected=lambda down_s: self.ear.on_connected(topic, down_s),
            on_lost=lambda reason: self.ear.on_lost(topic, reason),
        )


def seats_of(pool, count: int) -> list[Seat]:
    seats = [Seat(pool, f"kline.5.S{number}USDT") for number in range(count)]
    for seat in seats:
        seat.ear.expect("message")
    return seats


def test_below_the_limit_each_symbol_has_a_connection_of_its_own(server, make_pool):
    pool = make_pool(5)

    seats_of(pool, 4)

    assert [len(stats.live) for stats in pool.stats()] == [1, 1, 1, 1]
    assert server.handshakes == 4


def test_a_symbol_has_all_its_topics_on_one_connection(server, make_pool):
    pool = make_pool(5)

    candles, prices = Seat(pool, "kline.5.BTCUSDT"), Seat(pool, "tickers.BTCUSDT")
    candles.ear.expect("message")
    prices.ear.expect("message")

    assert server.handshakes == 1
    assert [stats.live for stats in pool.stats()] == [{"kline.5.BTCUSDT", "tickers.BTCUSDT"}]


def test_above_the_limit_symbols_are_spread_evenly(server, make_pool):
    pool = make_pool(4)

    seats_of(pool, 42)

    assert sorted(len(stats.live) for stats in pool.stats()) == [10, 10, 11, 11]
    assert server.handshakes == 4


def test_six_hundred_symbols_flow_over_twenty_connections(server, make_pool):
    pool = make_pool(20)

    seats_of(pool, 600)

    assert Counter(len(stats.live) for stats in pool.stats()) == {30: 20}
    assert server.handshakes == 20


def test_a_subscriber_that_leaves_and_comes_back_disturbs_nobody(server, make_pool):
    pool = make_pool(2)
    seats = seats_of(pool, 6)
    for _ in range(5):
        seats[0].subscription.close()
        seats[0] = Seat(pool, "kline.5.S0USDT")
        seats[0].ear.expect("connected")

    for client in server.all_clients:
        for number in range(6):
            client.send(kline(f"S{number}USDT", start=1_672_325_100_000))
    for seat in seats:
        while seat.ear.expect("message")[2]["ts"] != 1_672_325_400_000:
            pass

    assert server.handshakes == 2
    assert all(news[0] != "lost" for seat in seats for news in seat.ear.hush())


def test_a_successor_takes_the_topic_over_and_its_predecessor_cannot_end_it(server, make_pool):
    pool = make_pool(2)
    old = seats_of(pool, 1)[0]

    new = Seat(pool, "kline.5.S0USDT")
    new.ear.expect("message")
    old.ear.hush()
    old.subscription.close()
    server.all_clients[0].send(kline("S0USDT", start=1_672_325_100_000))

    assert new.ear.expect("message")[2]["data"][0]["start"] == 1_672_325_100_000
    assert old.ear.hush() == []


def test_an_empty_connection_is_closed_and_its_place_is_free(server, make_pool):
    pool = make_pool(2)
    seats = seats_of(pool, 2)

    seats[0].subscription.close()
    seats[0].subscription.close()

    until(lambda: len(pool.stats()) == 1)
    until(lambda: len([t for t in threading.enumerate() if t.name.startswith("public")]) == 1)
    Seat(pool, "kline.5.NEWUSDT").ear.expect("message")
    assert server.handshakes == 3


def test_the_loss_of_a_connection_is_told_to_those_who_sat_on_it(server, make_pool):
    pool = make_pool(2)
    seats = seats_of(pool, 4)
    first = server.next_client()

    first.cut()

    until(lambda: server.handshakes == 3)
    until(lambda: all(len(stats.live) == 2 for stats in pool.stats()))
    lost = [[news[0] for news in seat.ear.hush()].count("lost") for seat in seats]
    assert sorted(lost) == [0, 0, 1, 1]


def test_one_subscribers_error_is_not_its_neighbors(server, make_pool):
    pool = make_pool(1)
    pool.subscribe("kline.5.BADUSDT", lambda _: 1 / 0)

    good = Seat(pool, "kline.5.S0USDT")

    good.ear.expect("message")
    until(lambda: pool.stats()[0].drops == {"callback raised": 1})
    assert server.handshakes == 1


def test_subscribers_come_and_go_from_many_threads_at_once(make_pool):
    pool = make_pool(3)
    failures = []

    def churn(seed: int) -> None:
        try:
            rng = random.Random(seed)
            for _ in range(20):
                Seat(pool, f"kline.5.S{rng.randrange(6)}USDT").subscription.close()
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=churn, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(15.0)

    seats_of(pool, 6)
    assert failures == []
    assert sum(len(stats.live) for stats in pool.stats()) == 6
    assert len(pool.stats()) <= 3


def test_a_closed_pool_takes_nobody(make_pool):
    pool = make_pool(1)
    pool.close()

    with pytest.raises(ValueError, match="closed"):
        pool.subscribe("kline.5.BTCUSDT", print)


def test_a_pool_of_no_connections_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        ConnectionPool("ws://127.0.0.1:1/", rng=random.Random(1), max_connections=0)


def test_connections_beyond_the_limit_wait_for_their_turn():
    limiter = ConnectLimiter()

    waits = [limiter.reserve_s() for _ in range(2 * CONNECTS + 1)]

    assert waits[:CONNECTS] == [0.0] * CONNECTS
    later_s = waits[CONNECTS:-1]
    assert all(CONNECTS_WITHIN_S - 10 < wait_s <= CONNECTS_WITHIN_S for wait_s in later_s)
    assert CONNECTS_WITHIN_S < waits[-1] <= 2 * CONNECTS_WITHIN_S
