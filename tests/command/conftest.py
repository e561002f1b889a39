"""Fixtures of runs in modes: processes that do not outlive their test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.command.mode_runs import SPEED, ModeRun
from tests.venues.simulator.clients import Client, running


@pytest.fixture
def bybit() -> Iterator[Client]:
    """Yield a client of an exchange that stands in for Bybit."""
    with running(speed=SPEED, history=3_600) as client:
        yield client


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., ModeRun]]:
    """Return what starts runs."""
    runs: list[ModeRun] = []

    def begin(mode: str, settings: dict[str, Any], **more: str) -> ModeRun:
        runs.append(ModeRun(tmp_path, mode, settings, **more))
        return runs[-1]

    yield begin
    for run in runs:
        if run.process.poll() is None:
            run.process.kill()
            run.process.wait(60)
