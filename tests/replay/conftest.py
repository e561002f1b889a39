"""Fixtures of the replay tests."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.settings import Settings
from tests.replay.runs import UNTRACED, lively_settings


@pytest.fixture
def lively(tmp_path: Path) -> Settings:
    return lively_settings(tmp_path, **UNTRACED)


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive(), thread
