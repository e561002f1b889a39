"""Calls at given times of a running clock."""

import queue
import time

import pytest

from infra.net.live_clock import LiveClock

PATIENCE_S = 20.0


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


def test_calls_are_made_in_the_order_of_their_times_whenever_they_were_asked_for() -> None:
    made: queue.SimpleQueue[str] = queue.SimpleQueue()
    clock = LiveClock(wall_ms)
    now_ms = clock.now_ms()

    clock.call_at(now_ms + 3_600_000, lambda: made.put("in an hour"))
    clock.call_at(now_ms + 120, lambda: made.put("third"))
    clock.call_at(now_ms + 80, lambda: made.put("second"))
    clock.call_at(now_ms + 40, lambda: made.put("first"))
    clock.call_at(now_ms + 3_600_001, lambda: made.put("after an hour"))

    assert [made.get(timeout=PATIENCE_S) for _ in range(3)] == ["first", "second", "third"]
    clock.close()
    assert made.empty()


def test_a_call_that_was_canceled_is_not_made_and_holds_up_no_other() -> None:
    made: queue.SimpleQueue[str] = queue.SimpleQueue()
    clock = LiveClock(wall_ms)

    clock.call_at(clock.now_ms() + 20, lambda: made.put("canceled")).cancel()
    clock.call_at(clock.now_ms() + 40, lambda: made.put("made"))

    assert made.get(timeout=PATIENCE_S) == "made"
    with pytest.raises(queue.Empty):
        made.get_nowait()
    clock.close()
