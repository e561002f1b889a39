"""What the page tells browsers of the present, and when it is not fresh any more."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.operator.control.page_routes import read_snapshot, write_snapshot
from infra.operator.web import system
from infra.operator.web.changes import changes
from infra.operator.web.serve import named
from tests.operator.web.made import SEEN, Desk, Page, Watcher, changed, control, start_page

VALUES = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(before=VALUES, after=VALUES)
def test_a_change_leads_from_any_view_to_any_other(before: Any, after: Any) -> None:
    assert changed(before, changes(before, after)) == after


def test_a_change_holds_only_what_differs() -> None:
    before = {"a": 1, "b": {"c": [1], "d": 2}, "e": 0}

    assert changes(before, {"a": 1, "b": {"c": [1], "d": 3}}) == {
        "+": {"b": {"+": {"d": {"=": 3}}}},
        "-": ["e"],
    }


def test_a_snapshot_is_read_as_it_was_written() -> None:
    assert read_snapshot(write_snapshot(SEEN)) == SEEN


def test_runs_of_the_same_name_are_told_apart() -> None:
    assert list(named([Path("/a/sim"), Path("/b/sim"), Path("/paper")])) == [
        "sim",
        "sim-2",
        "paper",
    ]


@pytest.mark.timeout(60)
def test_who_comes_between_two_looks_has_not_to_wait_for_those_that_nobody_watches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system, "_EVERY_S", 0.05)
    monkeypatch.setattr(system, "_UNWATCHED_S", 3600.0)

    async def look_twice() -> int:
        found, looked = system.System(tmp_path), asyncio.Event()
        found.on_look = looked.set
        task = asyncio.create_task(found.run())
        for _ in range(2):
            await asyncio.wait_for(looked.wait(), 30)
            looked.clear()
            found.watchers = 1
            found.want()
        task.cancel()
        return found.watchers

    assert asyncio.run(look_twice()) == 1


def test_the_page_says_that_the_system_is_gone_and_recovers(tmp_path: Path) -> None:
    desk = Desk()
    with control(tmp_path, desk):
        process = start_page(tmp_path)
        page = Page(tmp_path, desk, process)
        watcher = Watcher(page.by_link())
        watcher.wait_for("is_alive", True)
    try:
        watcher.wait_for("is_alive", False)
        assert watcher.view["trouble"] == "it is not running"
        assert watcher.view["answered_ms"] > 0
        with control(tmp_path, desk):
            watcher.wait_for("is_alive", True)
        watcher.close()
    finally:
        process.terminate()
        process.wait(30)


def test_a_page_that_was_killed_knows_its_browsers_again(tmp_path: Path) -> None:
    desk = Desk()
    with control(tmp_path, desk):
        process = start_page(tmp_path)
        page = Page(tmp_path, desk, process)
        browser, before = page.by_link(), page.address
        os.kill(process.pid, signal.SIGKILL)
        process.wait(30)

        process = start_page(tmp_path)
        try:
            assert page.address.port == before.port
            assert browser.call("GET", "/api/me")[0] == 200
            watcher = Watcher(browser)
            watcher.wait_for("is_alive", True)
            watcher.close()
        finally:
            process.terminate()
            process.wait(30)
