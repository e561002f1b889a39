"""A page over a control interface that answers with a made snapshot, and what a browser does."""

import http.client
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from domain.operator.acts import PageAct
from domain.operator.replies import Reply, ReplyCode
from domain.operator.system import SystemSnapshot
from domain.portfolio.snapshots import PortfolioSnapshot
from infra.operator.control.page_routes import page_routes
from infra.operator.control.server import ControlServer
from infra.operator.web import links
from infra.operator.web.files import ACCESS_FILE, PageAddress, read_address
from infra.settings import load_settings
from tests.programs import Program

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 240.0
PORTFOLIO = PortfolioSnapshot(
    balance=Decimal("10000.10"),
    equity=Decimal(10000),
    exposure=Decimal(0),
    drawdown=Decimal("0.01"),
    daily_loss=Decimal(0),
    positions={},
    prices={"BTC": Decimal("83352.1")},
    global_cooldown_end_ms=0,
    is_halted=False,
    is_reduced=False,
    trades=0,
    realized_pnl=Decimal(0),
    correlations={("BTC", "ETH"): 0.8, ("BTC", "SOL"): None},
)
SEEN = SystemSnapshot(actors=(), dead_letters=0, portfolio=PORTFOLIO, mode="sim", now_ms=1)


@dataclass
class Desk:
    """Takes presses, and remembers them."""

    taken: list[PageAct] = field(default_factory=list)
    seen: SystemSnapshot = SEEN

    def do(self, act: PageAct) -> Reply:
        self.taken.append(act)
        return Reply(code=ReplyCode.DONE, title=f"did {act.command}")


@dataclass
class Browser:
    """One that is logged in, or not."""

    page: "Page"
    cookie: str = ""
    csrf: str = ""

    def call(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, dict[str, str], str]:
        line = self.page.connect()
        sent = {"Origin": self.page.url} if method == "POST" else {}
        if self.cookie:
            sent |= {"Cookie": self.cookie, "X-CSRF-Token": self.csrf}
        sent |= {name.replace("_", "-"): text for name, text in headers.items()}
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            line.request(method, path, None if body is None else text, sent)
            answer = line.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, found, answer.read().decode()
        finally:
            line.close()

    def log_in(self, **asked: str) -> int:
        status, headers, _ = self.call("POST", "/login", asked)
        if status == 200:
            self.cookie = headers["set-cookie"].partition(";")[0]
            self.csrf = json.loads(self.call("GET", "/api/me")[2])["csrf"]
        return status

    def press(self, command: str, argument: str = "", **more: Any) -> tuple[int, str]:
        act = {
            "act_id": more.pop("act_id", os.urandom(16).hex()),
            "command": command,
            "argument": argument,
            "shown": more.pop("shown", {}),
            "typed": more.pop("typed", ""),
        }
        status, _, body = self.call("POST", "/api/press", act, **more)
        return status, json.loads(body)["title"] if status not in (403, 413) else body


@dataclass
class Page:
    directory: Path
    desk: Desk
    process: Program

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.address.port, timeout=PATIENCE_S)

    @property
    def url(self) -> str:
        return self.address.url

    @property
    def address(self) -> PageAddress:
        found = read_address(self.directory)
        assert found is not None
        return found

    def by_link(self) -> Browser:
        browser = Browser(self)
        status = browser.log_in(once=links.make_secret(self.directory))
        assert status == 200, status
        return browser

    def accesses(self) -> list[dict[str, Any]]:
        lines = (self.directory / ACCESS_FILE).read_text().splitlines()
        return [json.loads(line) for line in lines]


def start_page(directory: Path, *more: str) -> Program:
    """Start the command, at any free port, and wait until it listens."""
    process = Program(
        *("bin.web", "--run-dir", str(directory), "--port", "0", *more),
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"},
        stdout=Path(os.devnull),
    )
    until_s = time.monotonic() + PATIENCE_S
    while (found := read_address(directory)) is None or found.pid != process.pid:
        assert process.poll() is None
        assert time.monotonic() < until_s
        with_timeout(process, 0.05)
    return process


def with_timeout(process: Program, seconds: float) -> None:
    """Wait for the end of a process, for a while."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


@contextmanager
def control(directory: Path, desk: Desk) -> Iterator[ControlServer]:
    """Answer the page's questions."""
    settings = load_settings(None, environ={}, dotenv=None).control
    routes = page_routes(lambda: desk.seen, desk.do)
    server = ControlServer(
        settings,
        directory,
        lambda *_: Reply(code=ReplyCode.DONE, title=""),
        lambda *_: None,
        routes,
    )
    yield server
    server.close()


@contextmanager
def served(directory: Path) -> Iterator[Page]:
    """Serve a page in a process of its own."""
    desk = Desk()
    with control(directory, desk):
        process = start_page(directory)
        try:
            yield Page(directory, desk, process)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_S)


def paused(seen: SystemSnapshot, *assets: str) -> SystemSnapshot:
    """Return a snapshot in which assets are paused."""
    assert seen.portfolio is not None
    return replace(seen, portfolio=replace(seen.portfolio, paused=assets))


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
