"""A soak fails where something piles up, and only there."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

from tests.chaos.harness.soak import Sample, leaked, overgrown, piled_up

HOUR_S = 3600
PLAIN = Sample(
    at_s=0.0,
    memory_mb=140.0,
    threads=24,
    files=10,
    sockets=9,
    journal_mb=5.0,
    wal_mb=4.0,
    trace_mb=16.0,
)


def soak_of(length_s: int, memory_mb: Callable[[float], float]) -> list[Sample]:
    """Return the samples of a soak, with an allocator's noise of a few MB."""
    noise = Random(1)
    return [
        replace(PLAIN, at_s=float(at_s), memory_mb=memory_mb(at_s) + noise.uniform(-3.0, 3.0))
        for at_s in range(0, length_s, 2)
    ]


def test_memory_that_stays_or_grows_with_the_history_alone_is_no_leak() -> None:
    flat = soak_of(2 * HOUR_S, lambda _: 140.0)
    history = soak_of(2 * HOUR_S, lambda at_s: 140.0 + 45.0 * at_s / HOUR_S)
    warming = soak_of(2 * HOUR_S, lambda at_s: 140.0 + min(200.0, at_s / 10))
    stepping = soak_of(2 * HOUR_S, lambda at_s: 140.0 + 100.0 * (at_s > 1.4 * HOUR_S))
    short = soak_of(300, lambda at_s: 140.0 + at_s / 30)

    assert [leaked(samples) for samples in (flat, history, warming, stepping, short, [])] == 6 * [
        []
    ]


def test_memory_that_grows_to_the_end_is_a_leak() -> None:
    long = soak_of(2 * HOUR_S, lambda at_s: 140.0 + 90.0 * at_s / HOUR_S)
    short = soak_of(300, lambda at_s: 140.0 + at_s / 4)

    assert leaked(long) == ["memory grew by 90 MB in the second half, 62 are allowed"]
    assert leaked(short)


def test_files_beyond_what_is_kept_of_them_are_told() -> None:
    assert overgrown([PLAIN], 24.0) == []
    assert overgrown([PLAIN, replace(PLAIN, trace_mb=25.0)], 24.0) == [
        "trace_mb: 25 at most, 24 are allowed"
    ]
    assert overgrown([replace(PLAIN, wal_mb=33.0)], 24.0) == ["wal_mb: 33 at most, 32 are allowed"]


def test_threads_files_and_sockets_that_grow_are_told() -> None:
    samples = soak_of(80, lambda _: 140.0)
    grown = [*samples[:-1], replace(samples[-1], threads=29)]

    assert piled_up(samples) == []
    assert piled_up(grown) == ["threads: 24 at first, 29 in the end"]
