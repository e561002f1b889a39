"""What is asked again and again is stored once and counted; nothing is lost by that."""

import queue
import threading
from collections import Counter
from dataclasses import replace

from actors.core.envelope import Origin
from actors.operator.repeats import _MOST_ACCESSES, ACCESS, Asked, Repeats

PATIENCE_S = 30.0
LONG_S = 3600.0
STATUS = Asked(operator="http/me", command="status", arguments="", result="answered", is_done=True)


class Stored:
    """Remembers what is stored."""

    def __init__(self, window_s: float) -> None:
        self.found: queue.Queue[Asked] = queue.Queue()
        self.causes: list[int] = []
        self.repeats = Repeats(self._store, lambda: 0, window_s=window_s)

    def _store(self, asked: Asked, _origin: Origin) -> None:
        self.found.put(asked)

    def note(self, asked: Asked) -> None:
        self.repeats.note(asked, self._cause)

    def _cause(self) -> Origin:
        self.causes.append(1)
        return Origin(1, len(self.causes))

    def closed(self) -> list[Asked]:
        self.repeats.close()
        return [self.found.get_nowait() for _ in range(self.found.qsize())]


def test_the_first_is_stored_at_once_and_its_repeats_as_one_at_the_stop() -> None:
    stored = Stored(LONG_S)

    for _ in range(600):
        stored.note(STATUS)
    first = stored.found.get(timeout=PATIENCE_S)

    assert first == STATUS
    assert len(stored.causes) == 1
    (rest,) = stored.closed()
    assert rest.result == "answered; 599 more since 1970-01-01 00:00 UTC"


def test_repeats_are_stored_without_another_question_once_their_time_is_over() -> None:
    stored = Stored(0.05)
    stored.note(STATUS)
    assert stored.found.get(timeout=PATIENCE_S) == STATUS

    while stored.found.empty():
        stored.note(STATUS)

    assert "more since" in stored.found.get(timeout=PATIENCE_S).result
    stored.closed()


def test_another_asker_question_or_result_is_none_of_them() -> None:
    stored = Stored(LONG_S)
    others = [
        replace(STATUS, operator="http/you"),
        replace(STATUS, command="risk"),
        replace(STATUS, arguments="3"),
        replace(STATUS, result="no answer in time", is_done=False),
    ]

    for asked in [STATUS, *others]:
        stored.note(asked)

    assert stored.closed() == [STATUS, *others]


def test_refused_requests_of_ever_other_kinds_are_bounded() -> None:
    stored = Stored(LONG_S)
    for number in range(1000):
        what = f"GET /{number}"
        stored.note(replace(STATUS, command=ACCESS, arguments=what, result="404", is_done=False))

    found = stored.closed()

    assert len(found) == _MOST_ACCESSES + 2
    assert f"{1000 - _MOST_ACCESSES - 1} more since" in found[-1].result


def test_none_is_lost_by_askers_at_once() -> None:
    stored = Stored(LONG_S)
    askers = [
        threading.Thread(target=lambda: [stored.note(STATUS) for _ in range(200)]) for _ in range(4)
    ]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(PATIENCE_S)

    results = Counter(asked.result for asked in stored.closed())

    assert results == {"answered": 1, "answered; 799 more since 1970-01-01 00:00 UTC": 1}
