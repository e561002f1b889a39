"""Fixtures of the simulator's tests."""

import threading
from collections.abc import Iterator

import pytest

from tests.venues.simulator.clients import Client, running


@pytest.fixture
def client() -> Iterator[Client]:
    """Yield a client of a fresh exchange at speed 1."""
    with running() as made:
        yield made


@pytest.fixture(autouse=True)
def _no_exchange_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    left = set(threading.enumerate()) - before
    assert not any(thread.name == "simulated-exchange" for thread in left)
