"""The rate limits, on a clock that moves only when somebody sleeps."""

import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import UnavailableError
from infra.net.errors import UnansweredError
from infra.net.rate_limiter import Limiter, Rate
from infra.net.server_clock import ServerClock
from infra.venues.bybit.limits import BYBIT_RATES, IP_REQUESTS, IP_WINDOW_S, Kind
from tests.venues.bybit.rest_server import FakeTime


def limiter_on(fake: FakeTime) -> Limiter:
    return Limiter(BYBIT_RATES, monotonic_s=fake.monotonic_s, sleep=fake.sleep)


@given(
    kinds=st.lists(st.sampled_from(Kind), max_size=150),
    pauses=st.lists(st.floats(0, 0.5), min_size=150, max_size=150),
)
def test_no_stretch_of_time_ever_holds_more_than_the_rate(kinds, pauses):
    fake = FakeTime()
    limiter = limiter_on(fake)
    sent = {kind: [] for kind in Kind}

    for kind, pause_s in zip(kinds, pauses, strict=False):
        limiter.wait(kind, at_most_s=1000)
        sent[kind].append(fake.now_s)
        fake.now_s += pause_s

    for kind, times in sent.items():
        rate = BYBIT_RATES[kind]
        for first, after_the_last in zip(times, times[rate.requests :], strict=False):
            assert after_the_last - first >= rate.per_s - 1e-9


def test_a_close_does_not_wait_behind_reads_and_entries():
    fake = FakeTime()
    limiter = limiter_on(fake)
    for kind in (Kind.READ, Kind.PUBLIC, Kind.ENTRY):
        for _ in range(BYBIT_RATES[kind].requests):
            limiter.wait(kind, at_most_s=0)

    limiter.wait(Kind.CLOSE, at_most_s=0)

    assert fake.slept == []


def test_all_orders_together_stay_within_the_venue_s_ten_a_second():
    assert BYBIT_RATES[Kind.CLOSE].requests + BYBIT_RATES[Kind.ENTRY].requests == 10


def test_all_kinds_together_stay_within_the_limit_of_one_address():
    bursts = [(int(IP_WINDOW_S / rate.per_s) + 1) * rate.requests for rate in BYBIT_RATES.values()]

    assert sum(bursts) <= IP_REQUESTS


def test_who_cannot_wait_that_long_is_told_when_and_takes_no_turn():
    fake = FakeTime()
    limiter = Limiter(
        {Kind.CLOSE: Rate(requests=1, per_s=1.0)}, monotonic_s=fake.monotonic_s, sleep=fake.sleep
    )
    limiter.wait(Kind.CLOSE, at_most_s=0)

    with pytest.raises(UnansweredError) as caught:
        limiter.wait(Kind.CLOSE, at_most_s=0.5)
    limiter.wait(Kind.CLOSE, at_most_s=1)

    assert caught.value.retry_after_s == pytest.approx(1)
    assert fake.slept == [pytest.approx(1)]


def test_after_a_shut_nothing_passes_until_it_is_over():
    fake = FakeTime()
    limiter = limiter_on(fake)
    limiter.shut(600, "HTTP 403")
    limiter.shut(5, "shorter, and later")

    for kind in Kind:
        with pytest.raises(UnavailableError, match="HTTP 403"):
            limiter.wait(kind, at_most_s=10_000)

    fake.now_s += 599
    with pytest.raises(UnavailableError, match="HTTP 403"):
        limiter.wait(Kind.READ, at_most_s=10_000)
    fake.now_s += 1
    limiter.wait(Kind.READ, at_most_s=0)


def test_a_shut_stops_those_who_already_wait_for_their_turn():
    fake = FakeTime()
    limiter = Limiter(
        {Kind.READ: Rate(requests=1, per_s=1.0)},
        monotonic_s=fake.monotonic_s,
        sleep=lambda _: limiter.shut(600, "HTTP 403"),
    )
    limiter.wait(Kind.READ, at_most_s=0)

    with pytest.raises(UnansweredError):
        limiter.wait(Kind.READ, at_most_s=5)


def test_a_held_kind_waits_and_the_others_do_not():
    fake = FakeTime()
    limiter = limiter_on(fake)
    limiter.hold(Kind.ENTRY, 0.4)

    limiter.wait(Kind.CLOSE, at_most_s=0)
    limiter.wait(Kind.ENTRY, at_most_s=1)

    assert fake.slept == [pytest.approx(0.4)]


def test_many_threads_share_one_rate():
    slept: list[float] = []
    limiter = Limiter(
        {Kind.READ: Rate(requests=2, per_s=1.0)}, monotonic_s=lambda: 0.0, sleep=slept.append
    )
    threads = [
        threading.Thread(target=limiter.wait, args=(Kind.READ,), kwargs={"at_most_s": 100})
        for _ in range(10)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(slept) == [1, 1, 2, 2, 3, 3, 4, 4]


# The venue's time.


def test_the_most_exact_measurement_counts_until_it_is_old():
    fake = FakeTime()
    clock = ServerClock(monotonic_s=fake.monotonic_s, wall_s=lambda: 0.0)

    clock.learn(asked_s=1000.0, answered_s=1000.02, server_ms=50_000)
    clock.learn(asked_s=1000.0, answered_s=1002.0, server_ms=99_000)
    exact_ms = clock.now_ms()
    fake.now_s += 10_000
    is_fresh = clock.is_fresh
    clock.learn(asked_s=fake.now_s, answered_s=fake.now_s + 2.0, server_ms=99_000)

    assert exact_ms == 49_990
    assert not is_fresh
    assert clock.now_ms() == 98_000


def test_a_doubted_time_is_replaced_by_any_measurement():
    fake = FakeTime()
    clock = ServerClock(monotonic_s=fake.monotonic_s, wall_s=lambda: 0.0)
    clock.learn(asked_s=1000.0, answered_s=1000.0, server_ms=50_000)
    clock.doubt()
    was_usable = clock.is_usable

    clock.learn(asked_s=1000.0, answered_s=1004.0, server_ms=72_000)

    assert not was_usable
    assert clock.is_usable
    assert clock.now_ms() == 70_000
    assert clock.error_ms == pytest.approx(2000, abs=1)


def test_a_step_of_the_wall_clock_does_not_move_the_venue_s_time():
    fake, wall = FakeTime(), [5.0]
    clock = ServerClock(monotonic_s=fake.monotonic_s, wall_s=lambda: wall[0])
    clock.learn(asked_s=1000.0, answered_s=1000.0, server_ms=50_000)

    wall[0] = 9_999_999.0

    assert clock.now_ms() == 50_000
    assert clock.offset_ms == 50_000 - 9_999_999_000


def test_until_it_is_measured_the_wall_clock_has_to_do():
    fake = FakeTime()
    clock = ServerClock(monotonic_s=fake.monotonic_s, wall_s=lambda: 7.0)

    times = [clock.now_ms() for fake.now_s in (1000.0, 1001.0, 1002.5)]

    assert times[0] == 7000
    assert [after - before for before, after in pairwise(times)] == [1000, 1500]
    assert clock.offset_ms is None


def test_a_simulated_venue_s_clock_may_run_faster():
    fake = FakeTime()
    clock = ServerClock(monotonic_s=fake.monotonic_s, wall_s=lambda: 7.0, speed=60)
    unmeasured_ms = clock.now_ms()

    clock.learn(asked_s=999.0, answered_s=1001.0, server_ms=500_000)
    fake.now_s += 2

    assert unmeasured_ms == 7000
    assert clock.now_ms() == 620_000


def test_a_faster_clock_s_offset_is_how_far_it_parted_from_ours_since_the_start():
    fake, wall = FakeTime(), [7.0]
    clock = ServerClock(monotonic_s=fake.monotonic_s, wall_s=lambda: wall[0], speed=60)
    unmeasured_ms = clock.offset_ms
    clock.learn(asked_s=999.0, answered_s=1001.0, server_ms=500_000)
    fake.now_s, wall[0] = 1002.0, 9.0
    in_step_ms = clock.offset_ms

    wall[0] += 1.5
    clock.learn(asked_s=1002.0, answered_s=1002.0, server_ms=620_000)

    assert unmeasured_ms is None
    assert in_step_ms == 0
    assert clock.offset_ms == -1500
