"""Which connections are closed where too many are open."""

from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.operator.control.connections import Connections, shares

STRANGERS, BEARERS = 3, 5


@dataclass(eq=False)
class Line:
    """A connection that remembers what became of it."""

    host: str = "a"
    is_waiting: bool = True
    is_open: bool = True

    def abort(self) -> None:
        self.is_open = False

    def admit(self) -> bool:
        raise NotImplementedError

    def begin_answer(self) -> None:
        raise NotImplementedError


def made() -> tuple[Connections, list[str]]:
    told: list[str] = []
    return Connections(told.append, most_strangers=STRANGERS, most_bearers=BEARERS), told


def test_the_oldest_that_waits_goes_first() -> None:
    connections, told = made()
    busy, *waiting = [Line(is_waiting=False), *(Line() for _ in range(STRANGERS))]
    for line in (busy, *waiting):
        connections.add(line)

    assert [line.is_open for line in (busy, *waiting)] == [True, False, True, True]
    assert told == ["closed because too many were open"]


def test_who_opens_many_closes_its_own() -> None:
    connections, _ = made()
    other = Line("b")
    connections.add(other)

    for _ in range(50):
        connections.add(Line("a"))

    assert other.is_open


def test_where_all_bearers_are_at_work_one_more_is_refused() -> None:
    connections, _ = made()
    bearers = [Line(is_waiting=False) for _ in range(BEARERS)]
    assert all(connections.admit(line) for line in bearers)
    last = Line()
    connections.add(last)

    assert not connections.admit(last)
    assert connections.admit(bearers[0])
    bearers[1].is_waiting = True
    assert connections.admit(last)
    assert [line.is_open for line in bearers] == [True, False, True, True, True]


acts = st.lists(
    st.tuples(
        st.sampled_from(["add", "admit", "remove", "work", "wait"]),
        st.sampled_from("abc"),
        st.integers(0, 30),
    ),
    max_size=80,
)


@given(acts)
def test_always_few_strangers_are_open_and_none_of_them_closes_a_bearer(
    steps: list[tuple[str, str, int]],
) -> None:
    connections, _ = made()
    lines: list[Line] = []
    bearers: set[Line] = set()
    for act, host, number in steps:
        alive = [line for line in lines if line.is_open]
        if act == "add":
            lines.append(Line(host))
            connections.add(lines[-1])
            assert lines[-1].is_open
            assert all(line.is_open for line in bearers)
        elif alive:
            line = alive[number % len(alive)]
            if act == "admit" and connections.admit(line):
                bearers.add(line)
            elif act == "remove":
                line.is_open = False
                connections.remove(line)
            else:
                line.is_waiting = act != "work"
        bearers = {line for line in bearers if line.is_open}
        counts = Counter(line in bearers for line in lines if line.is_open)
        assert counts[False] <= STRANGERS
        assert counts[True] <= BEARERS


@pytest.mark.parametrize("descriptors", [64, 256, 1024, 1_000_000, -1])
def test_the_shares_are_small_parts_of_the_descriptors(
    monkeypatch: pytest.MonkeyPatch, descriptors: int
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (descriptors, descriptors))

    strangers, bearers = shares()

    assert 1 <= strangers <= bearers // 4
    assert descriptors == -1 or (strangers + bearers) * 6 < descriptors
