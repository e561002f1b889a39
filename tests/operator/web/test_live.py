"""What the page tells browsers of the present, and when it is not fresh any more."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from websockets.sync.client import ClientConnection, connect

from infra.operator.control.page_routes import read_snapshot, write_snapshot
from infra.operator.web.changes import changes
from infra.operator.web.serve import named
from tests.operator.web.made import SEEN, Browser, Desk, Page, control, start_page

VALUES = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def changed(value: Any, change: dict[str, Any] | None) -> Any:
    """Do what live.js does."""
    if change is None:
        return value
    if "=" in change:
        return change["="]
    after = {key: inner for key, inner in value.items() if key not in change.get("-", [])}
    for key, inner in change["+"].items():
        after[key] = changed(after.get(key), inner)
    return after


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


class Watcher:
    """A browser's socket, and the view as it stands."""

    def __init__(self, browser: Browser) -> None:
        url = browser.page.address.url
        self._socket: ClientConnection = connect(
            f"{url.replace('http', 'ws', 1)}/live",
            origin=url,
            additional_headers={"Cookie": browser.cookie},
        ).__enter__()
        self.view: dict[str, Any] = {}

    def wait_for(self, name: str, value: object, patience_s: float = 30.0) -> float:
        """Return after how many seconds a figure of the view had a value."""
        began_s = time.monotonic()
        while self.view.get(name) != value:
            left_s = patience_s - (time.monotonic() - began_s)
            assert left_s > 0, self.view
            self.take(json.loads(self._socket.recv(left_s)))
        return time.monotonic() - began_s

    def take(self, message: dict[str, Any]) -> None:
        if "change" in message:
            self.view = changed({} if message["is_whole"] else self.view, message["change"])

    def close(self) -> None:
        self._socket.close()


def test_the_page_says_that_the_system_is_gone_and_recovers(tmp_path: Path) -> None:
    desk = Desk()
    with control(tmp_path, desk):
        process = start_page(tmp_path)
        page = Page(tmp_path, desk, process)
        watcher = Watcher(page.by_link())
        watcher.wait_for("is_alive", True)
    try:
        watcher.wait_for("is_alive", False)
        assert watcher.view["trouble"] == "it does not run"
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
