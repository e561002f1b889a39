"""Builds houses of supervised actors and sees that each test leaves none of them behind."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from actors.core.concurrency import THREADS, Concurrency
from actors.core.system import Probe
from tests.core.helpers import Gates, Hooks, House, Worker, registered

Build = Callable[..., House]


@pytest.fixture
def gates() -> Gates:
    """Return the gates of a test; they open when its houses close."""
    return Gates()


@pytest.fixture
def build(gates: Gates) -> Iterator[Build]:
    """Build houses; unless told otherwise, they have started and are quiet."""
    houses = []

    def make(
        *names: str,
        hooks: Mapping[str, Hooks] | None = None,
        classes: Mapping[str, type[Worker]] | None = None,
        vital: str | None = None,
        kept: str | None = None,
        probe: Probe | None = None,
        now_ms: Callable[[], int] = lambda: 0,
        is_started: bool = True,
        concurrency: Concurrency = THREADS,
        **policy: Any,
    ) -> House:
        house = House(
            names,
            hooks=hooks or {},
            classes=classes or {},
            vital=vital,
            kept=kept,
            probe=probe,
            now_ms=now_ms,
            policy=policy,
            gates=gates,
            concurrency=concurrency,
        )
        houses.append(house)
        if is_started:
            house.start()
            house.wait_quiet()
        return house

    yield make
    gates.open()
    for house in houses:
        house.close()
    assert registered() == []
