"""The counters of requests: how many, how they ended, how long they took."""

from hypothesis import given
from hypothesis import strategies as st

from infra.venues.bybit.http.meter import BUCKETS_S, RECENT_S, RequestMeter, Result
from infra.venues.bybit.limits import Kind
from tests.venues.bybit.rest_server import FakeTime


@given(st.lists(st.floats(min_value=0, max_value=20), min_size=1, max_size=300))
def test_buckets_and_quantiles_are_those_of_all_durations(durations: list[float]) -> None:
    meter = RequestMeter(lambda: 0.0)
    for took_s in durations:
        meter.note(Kind.READ, Result.OK, took_s)

    stats = meter.stats()

    assert list(stats.buckets[:-1]) == [sum(d <= end for d in durations) for end in BUCKETS_S]
    assert stats.buckets[-1] == len(durations)
    assert sum(d <= stats.p50_s for d in durations) >= len(durations) / 2
    assert sum(d < stats.p50_s for d in durations) < len(durations) / 2
    assert sum(d <= stats.p99_s for d in durations) >= 0.99 * len(durations)
    assert sum(d < stats.p99_s for d in durations) < 0.99 * len(durations)


def test_quantiles_forget_what_is_long_ago_and_counters_do_not() -> None:
    time = FakeTime()
    meter = RequestMeter(time.monotonic_s)
    meter.note(Kind.READ, Result.SILENT, 5.0)
    time.sleep(RECENT_S + 1)
    meter.note(Kind.READ, Result.OK, 0.1)

    stats = meter.stats()

    assert (stats.p50_s, stats.p99_s) == (0.1, 0.1)
    assert stats.counts == {(Kind.READ, Result.SILENT): 1, (Kind.READ, Result.OK): 1}
    assert stats.sum_s == 5.1


def test_no_request_has_no_quantile() -> None:
    stats = RequestMeter(lambda: 0.0).stats()

    assert (stats.p50_s, stats.p99_s, stats.sum_s) == (None, None, 0.0)
